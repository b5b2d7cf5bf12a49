/* One task from one row. */
#include "base/base.h"
#include "model/path.h"
#include "model/shell.h"
#include "work/submit_plan.h"

void maker_init(struct task_maker *m, const struct plan *p)
{
	size_t words = p->command.n + p->n_env + 2;

	*m = (struct task_maker){ .text = BUF_INIT, .path = BUF_INIT };
	m->offset = xcalloc(words + 1, sizeof(*m->offset));
	m->argv = xcalloc(p->command.n + 1, sizeof(*m->argv));
	m->env = xcalloc(p->n_env + 1, sizeof(*m->env));
	m->parameters = xcalloc(p->rows.columns.n + 1, sizeof(*m->parameters));
	for (size_t i = 0; i < p->rows.columns.n; i++)
		m->parameters[i].name = p->rows.columns.name[i];
	for (size_t i = 0; i < p->n_env; i++)
		m->env[i].name = p->env[i].name;
}

void maker_release(struct task_maker *m)
{
	free(m->offset);
	free(m->argv);
	free(m->env);
	free(m->parameters);
	free(m->inputs);
	free(m->ids);
	free(m->files);
	free(m->sha256);
	buf_release(&m->text);
	buf_release(&m->path);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static struct str widest(const struct plan *p, const struct row *row)
{
	size_t best = 0;

	if (!row->value || p->rows.columns.n == 0)
		return STR("");
	for (size_t i = 1; i < p->rows.columns.n; i++) {
		if (row->value[i].n > row->value[best].n)
			best = i;
	}
	return p->rows.columns.name[best];
}

static int too_big(const struct plan *p, const struct row *row, const char *what, size_t n,
		   size_t most, struct err *err)
{
	struct str column = widest(p, row);

	if (column.n)
		return err_set(err, ERR_USAGE,
			       "task %lld: %s has %zu bytes, more than %zu (column \"%s\"): pass "
			       "it in an input file instead (-u)",
			       (long long)row->number, what, n, most, column.p);
	return err_set(err, ERR_USAGE,
		       "task %lld: %s has %zu bytes, more than %zu: pass it in an input file "
		       "instead (-u)",
		       (long long)row->number, what, n, most);
}

static int check_pairs(const struct plan *p, const struct row *row, const struct pairs *env,
		       size_t *total, struct err *err)
{
	for (size_t i = 0; i < env->n; i++) {
		size_t n = env->p[i].name.n + 1 + env->p[i].value.n;

		if (n > COMMAND_WORD_MAX)
			return too_big(p, row, "a variable of the environment", n,
				       COMMAND_WORD_MAX, err);
		*total += n + 1;
	}
	return 0;
}

static int check_sizes(const struct task_maker *m, const struct plan *p, const struct row *row,
		       struct err *err)
{
	const struct task_spec *t = &m->task;
	size_t total = p->base_env;

	if (t->shell && t->command.n > COMMAND_WORD_MAX)
		return too_big(p, row, "the command line", t->command.n, COMMAND_WORD_MAX, err);
	total += t->shell ? t->command.n + sizeof("/bin/sh -c ") : 0;
	for (size_t i = 0; i < t->argv.n; i++) {
		if (t->argv.p[i].n > COMMAND_WORD_MAX)
			return too_big(p, row, "a word of the command", t->argv.p[i].n,
				       COMMAND_WORD_MAX, err);
		total += t->argv.p[i].n + 1;
	}
	if (check_pairs(p, row, &p->common.env, &total, err) < 0 ||
	    check_pairs(p, row, &t->env, &total, err) < 0)
		return -1;
	for (size_t i = 0; i < t->parameters.n; i++) {
		if (t->parameters.p[i].value.n <= PARAM_ENV_MAX)
			total += t->parameters.p[i].name.n + t->parameters.p[i].value.n +
				 sizeof("KQ_PARAM_=");
	}
	if (total > COMMAND_MAX)
		return too_big(p, row, "the command with its environment", total, COMMAND_MAX,
			       err);
	return 0;
}

/* `word` as a path below the top, seen from directory `dir`; false: it leads outside. */
static bool from_top(struct str dir, struct str word, struct buf *out)
{
	const char *s = word.p, *end = word.p + word.n;

	buf_clear(out);
	buf_addstr(out, dir);
	while (s < end) {
		const char *slash = memchr(s, '/', (size_t)(end - s));
		size_t n = (size_t)((slash ? slash : end) - s);

		if (n == 2 && memcmp(s, "..", 2) == 0) {
			size_t cut = out->n;

			if (cut == 0)
				return false;
			while (cut > 0 && out->p[cut - 1] != '/')
				cut--;
			out->n = cut > 0 ? cut - 1 : 0;
			out->p[out->n] = '\0';
		} else if (n > 0 && !(n == 1 && *s == '.')) {
			if (out->n)
				buf_addch(out, '/');
			buf_add(out, s, n);
		}
		s += n + 1;
	}
	return out->n > 0;
}

/*
 * FINE_PRINT "-u data/..": a program given by a relative path must be an input, else what follows
 * an unquoted pattern was meant as one.
 */
static int check_first_word(struct task_maker *m, const struct plan *p, const struct row *row,
			    struct err *err)
{
	const struct task_spec *t = &m->task;
	struct str word, cd = t->cd.p ? t->cd : p->common.cd;
	const struct input_file *f = NULL;

	if (t->shell || t->argv.n == 0)
		return 0;
	word = t->argv.p[0];
	if (word.n == 0 || word.p[0] == '/' || !memchr(word.p, '/', word.n))
		return 0;
	if (from_top(cd, word, &m->path))
		f = maker_provides(m, p, m->path.p);
	if (!f && row->task)
		return err_set(err, ERR_USAGE,
			       "%s: tasks[%lld].command: %.*s is not among its downloads",
			       p->rows.source.name, (long long)row->number - 1,
			       (int)MIN(word.n, 1000), word.p);
	if (!f)
		return err_set(err, ERR_USAGE,
			       "%.*s is not among the inputs (did the shell expand a * after -u? "
			       "quote it); to send it along: -u FILE, or ^ before the word",
			       (int)MIN(word.n, 1000), word.p);
	if (p->has_command && p->command.word[0].kind == WORD_FILE && !f->url && !(f->mode & 0111))
		return err_set(err, ERR_USAGE,
			       "%s is not executable (chmod +x, or: sh '^%s')", f->src, f->src);
	return 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* The path of a ^word as seen from the directory in which the command runs, appended to text. */
static void add_word_path(struct task_maker *m, struct str cd, const char *dst, bool first)
{
	size_t start = m->text.n;

	path_from(&m->text, cd, str_of(dst));
	if (!first || memchr(m->text.p + start, '/', m->text.n - start))
		return;
	m->text.n = start;
	buf_adds(&m->text, "./");
	path_from(&m->text, cd, str_of(dst));
}

/* Words are appended to m->text, files among them as seen from `cd`. */
static int add_words(struct task_maker *m, struct plan *p, const struct row *row, struct str cd,
		     struct err *err)
{
	const struct command *c = &p->command;

	for (size_t i = 0; i < c->n; i++) {
		const struct command_word *w = &c->word[i];
		const char *dst = p->word_dst[i];
		size_t id;

		m->offset[i] = m->text.n;
		if (w->kind == WORD_TEXT) {
			template_expand(&w->t, row->value, &m->text);
		} else {
			if (!dst) {
				buf_clear(&m->path);
				template_expand(&w->t, row->value, &m->path);
				if (inputs_add_word(p->pool, m->path.p, &id, &dst, err) < 0)
					return err_prefix(err, "task %lld",
							  (long long)row->number);
				maker_add_id(m, id);
			}
			add_word_path(m, cd, dst, i == 0);
		}
		buf_addch(&m->text, '\0');
	}
	return 0;
}

static int add_cd(struct task_maker *m, const struct plan *p, const struct row *row,
		  struct err *err)
{
	buf_clear(&m->path);
	template_expand(&p->cd, row->value, &m->path);
	if (strcmp(m->path.p, ".") == 0 || m->path.n == 0)
		return 0;
	if (path_destination(buf_str(&m->path), &m->text, err) < 0)
		return err_prefix(err, "task %lld: --cd", (long long)row->number);
	return 0;
}

static struct str text_at(const struct task_maker *m, size_t i)
{
	/* Each text is followed by a NUL that belongs to none. */
	return (struct str){ m->text.p + m->offset[i], m->offset[i + 1] - m->offset[i] - 1 };
}

static void set_one_word(struct task_maker *m, struct str line, bool plain)
{
	m->task.shell = !plain;
	m->task.one_word = plain;
	if (plain) {
		m->argv[0] = line;
		m->task.argv = (struct strs){ m->argv, 1 };
	} else {
		m->task.command = line;
	}
}

/*
 * Order of texts in m->text: words, values of the environment, directory. The directory comes
 * first in time when it depends on the row, because words are seen from there.
 */
static int make_texts(struct task_maker *m, struct plan *p, const struct row *row, struct err *err)
{
	size_t words = p->has_command ? p->command.n : 0, k = words;
	struct buf cd_text = BUF_INIT;
	struct str cd = p->common.cd;
	bool plain = false;
	int ret = -1;

	buf_clear(&m->text);
	if (p->has_cd) {
		if (add_cd(m, p, row, err) < 0)
			goto out;
		buf_addstr(&cd_text, buf_str(&m->text));
		buf_clear(&m->text);
		cd = buf_str(&cd_text);
	}
	if (words && p->command.shell) {
		m->offset[0] = 0;
		plain = command_expand_line(&p->command, row->value, &m->text);
		buf_addch(&m->text, '\0');
	} else if (words && add_words(m, p, row, cd, err) < 0) {
		goto out;
	}
	for (size_t i = 0; i < p->n_env; i++) {
		m->offset[k++] = m->text.n;
		template_expand(&p->env[i].value, row->value, &m->text);
		buf_addch(&m->text, '\0');
	}
	m->offset[k] = m->text.n;
	if (p->has_cd) {
		buf_addstr(&m->text, cd);
		buf_addch(&m->text, '\0');
		m->offset[k + 1] = m->text.n;
		m->task.cd = text_at(m, k);
	}
	if (words && p->command.shell) {
		set_one_word(m, text_at(m, 0), plain);
	} else if (words) {
		for (size_t i = 0; i < words; i++)
			m->argv[i] = text_at(m, i);
		m->task.argv = (struct strs){ m->argv, words };
	}
	for (size_t i = 0; i < p->n_env; i++)
		m->env[i].value = text_at(m, words + i);
	m->task.env = (struct pairs){ m->env, p->n_env };
	ret = 0;
out:
	buf_release(&cd_text);
	return ret;
}

static void make_of_jobfile(struct task_maker *m, const struct plan *p, const struct row *row)
{
	struct task_spec *t = &m->task;
	size_t at = (size_t)row->number - 1;

	*t = row->task->task;
	if (t->shell && shell_is_plain(t->command)) {
		struct str line = t->command;

		t->command = (struct str){ NULL, 0 };
		set_one_word(m, line, true);
	}
	for (size_t i = 0; p->file_ids && i < p->file_ids[at].n; i++)
		maker_add_id(m, p->file_ids[at].id[i]);
}

int maker_make(struct task_maker *m, struct plan *p, const struct row *row, bool checking,
	       struct err *err)
{
	m->task = (struct task_spec){ .shell = false };
	m->n_ids = 0;
	m->n_files = 0;
	if (row->task) {
		make_of_jobfile(m, p, row);
	} else {
		for (size_t i = 0; i < p->rows.columns.n; i++)
			m->parameters[i].value = row->value[i];
		m->task.parameters = (struct pairs){ m->parameters, p->rows.columns.n };
		if (make_texts(m, p, row, err) < 0)
			return -1;
		if (!p->has_command)
			set_one_word(m, row->value[0], shell_is_plain(row->value[0]));
	}
	if (p->own_inputs) {
		if (maker_find_inputs(m, p, row, err) < 0)
			return -1;
		if (!checking)
			maker_fill_inputs(m);
	}
	if (check_sizes(m, p, row, err) < 0)
		return -1;
	return checking ? check_first_word(m, p, row, err) : 0;
}
