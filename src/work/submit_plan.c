#include "work/submit_plan.h"

#include "base/base.h"
#include "model/path.h"
#include "model/shell.h"
#include "sys/hash.h"

static int check_columns(const struct columns *c, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		if (str_starts(c->name[i].p, "kq_"))
			return err_set(err, ERR_USAGE,
				       "column \"%s\": names that begin with kq_ are kubeque's own",
				       c->name[i].p);
	}
	return 0;
}

/* ---- the common part ------------------------------------------------------------------------- */

static void merge_jobfile_limits(struct plan *p)
{
	const struct submit_spec *s = p->spec;
	const struct common *f = &p->rows.jobfile.common;
	struct common *c = &p->common;

	if (!(s->set & SUBMIT_SET_IMAGE) && f->image.n)
		c->image = f->image;
	if (!(s->set & SUBMIT_SET_TIMEOUT))
		c->timeout_ms = f->timeout_ms;
	if (!(s->set & SUBMIT_SET_RETRIES))
		c->retries = f->retries;
}

/* A job file's common part, and over it what the command line says. */
static void merge_jobfile(struct plan *p)
{
	const struct submit_spec *s = p->spec;
	const struct common *f = &p->rows.jobfile.common;
	struct common *c = &p->common;

	merge_jobfile_limits(p);
	if (!(s->set & SUBMIT_SET_CD))
		c->cd = f->cd;
	if (!(s->set & SUBMIT_SET_RESULTS))
		c->results = f->results;
	if (!(s->set & SUBMIT_SET_EXCLUDE))
		c->exclude = f->exclude;
}

static struct str keep(struct plan *p, const struct buf *b)
{
	return arena_str(&p->arena, buf_str(b));
}

static int compile_cd(struct plan *p, struct err *err)
{
	struct buf text = BUF_INIT, path = BUF_INIT;
	int ret = -1;

	if (p->common.cd.n == 0)
		return 0;
	if (template_compile(&p->cd, p->common.cd, TEMPLATE_TEXT, &p->rows.columns, err) < 0)
		goto out;
	if (!p->cd.constant) {
		p->has_cd = true;
		p->common.cd = STR("");
		ret = 0;
		goto out;
	}
	template_expand(&p->cd, NULL, &text);
	if (strcmp(text.p, ".") == 0 || strcmp(text.p, "./") == 0) {
		p->common.cd = STR("");
		ret = 0;
		goto out;
	}
	if (path_destination(buf_str(&text), &path, err) < 0)
		goto out;
	p->common.cd = keep(p, &path);
	ret = 0;
out:
	if (ret < 0)
		err_prefix(err, "--cd");
	buf_release(&text);
	buf_release(&path);
	return ret;
}

/* The patterns of --results and --exclude as the node compares them. */
static int compile_patterns(struct plan *p, struct strs *list, const char *option, struct err *err)
{
	struct strs out = { arena_calloc(&p->arena, list->n, sizeof(*out.p)), list->n };
	struct buf text = BUF_INIT;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < list->n; i++) {
		buf_clear(&text);
		ret = path_pattern(list->p[i], &text, err);
		if (ret == 0)
			out.p[i] = keep(p, &text);
	}
	buf_release(&text);
	if (ret < 0)
		return err_prefix(err, "%s", option);
	*list = out;
	return 0;
}

static int env_name_ok(struct str name, struct err *err)
{
	if (!env_name_valid(name))
		return err_set(err, ERR_USAGE, "--env: \"%.*s\" is no name of a variable",
			       (int)MIN(name.n, 200), name.p);
	if (name.n >= 3 && memcmp(name.p, "KQ_", 3) == 0)
		return err_set(err, ERR_USAGE,
			       "--env: %.*s: names that begin with KQ_ are kubeque's own",
			       (int)MIN(name.n, 200), name.p);
	return 0;
}

/* Names once each (the last one wins); those whose value depends on the row move to p->env. */
static int compile_env(struct plan *p, const struct pairs *file, struct err *err)
{
	const struct pairs *given = &p->spec->common.env;
	const bool *literal = p->spec->env_literal;
	size_t room = given->n + (file ? file->n : 0), n = 0;
	struct pair *out = arena_alloc(&p->arena, room * sizeof(*out));
	struct buf text = BUF_INIT;
	int ret = -1;

	p->env = xcalloc(room + 1, sizeof(*p->env));
	for (size_t i = 0; i < room; i++) {
		const struct pair *e = i < given->n ? &given->p[given->n - 1 - i]
						    : &file->p[room - 1 - i];
		struct template t = { .piece = NULL };
		bool seen = false;

		if (env_name_ok(e->name, err) < 0)
			goto out;
		for (size_t k = 0; k < n && !seen; k++)
			seen = str_eq(e->name, out[k].name.p);
		for (size_t k = 0; k < p->n_env && !seen; k++)
			seen = str_eq(e->name, p->env[k].name.p);
		if (seen)
			continue;
		if (i >= given->n || (literal && literal[given->n - 1 - i])) {
			out[n++] = *e;
			continue;
		}
		if (template_compile(&t, e->value, TEMPLATE_TEXT, &p->rows.columns, err) < 0) {
			err_prefix(err, "--env %s", e->name.p);
			goto out;
		}
		if (!t.constant) {
			p->env[p->n_env++] = (struct plan_env){ e->name, t };
			continue;
		}
		buf_clear(&text);
		template_expand(&t, NULL, &text);
		template_release(&t);
		out[n++] = (struct pair){ e->name, keep(p, &text) };
	}
	p->common.env = (struct pairs){ out, n };
	ret = 0;
out:
	buf_release(&text);
	return ret;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int compile_command(struct plan *p, struct err *err)
{
	const struct submit_spec *s = p->spec;
	struct str *words;

	if (s->n_words == 0)
		return 0;
	if (command_compile(&p->command, s->words, s->n_words, &p->rows.columns, err) < 0)
		return -1;
	p->has_command = true;
	words = arena_alloc(&p->arena, s->n_words * sizeof(*words));
	for (size_t i = 0; i < s->n_words; i++)
		words[i] = str_of(s->words[i]);
	p->common.command = (struct strs){ words, s->n_words };
	p->common.one_word = p->command.shell;
	return 0;
}

/* ---- how large a row may be without a closer look -------------------------------------------- */

static void count(struct plan *p, const struct template *t)
{
	p->fixed += t->size + 1;
	for (size_t i = 0; i < t->n; i++) {
		if (t->piece[i].column == TEMPLATE_LITERAL)
			continue;
		p->fixed += 2;     /* quotes */
		p->factor += 4;    /* a quote in a value becomes four bytes */
	}
}

static bool first_word_depends(const struct plan *p)
{
	if (!p->has_command)
		return true;
	return (!p->command.shell || p->command.maybe_plain) && !p->command.word[0].t.constant;
}

static void weigh(struct plan *p)
{
	const struct submit_spec *s = p->spec;

	p->base_env = s->secret ? strlen(s->secret) : 0;
	p->fixed = p->base_env;
	p->factor = 1; /* KQ_PARAM_x */
	for (size_t i = 0; i < p->command.n; i++)
		count(p, &p->command.word[i].t);
	for (size_t i = 0; i < p->n_env; i++) {
		p->fixed += p->env[i].name.n + 1;
		count(p, &p->env[i].value);
	}
	for (size_t i = 0; i < p->common.env.n; i++)
		p->fixed += p->common.env.p[i].name.n + p->common.env.p[i].value.n + 2;
	for (size_t i = 0; i < p->rows.columns.n; i++)
		p->fixed += p->rows.columns.name[i].n + sizeof("KQ_PARAM_=");
	p->every_row = p->own_inputs || p->has_cd || s->rows == SUBMIT_JOBFILE ||
		       first_word_depends(p);
}

/* ---- together -------------------------------------------------------------------------------- */

static void warn_of_clash(const struct plan *p)
{
	struct buf text = BUF_INIT;

	if (p->names.clashes && p->to->fn) {
		param_names_explain(&p->names, &p->rows.columns, &text);
		p->to->fn(p->to->ctx, SUBMIT_EV_WARNING, text.p, 0, 0);
	}
	buf_release(&text);
}

int plan_open(struct plan *p, const struct submit_target *to, const struct submit_spec *spec,
	      struct err *err)
{
	struct inputs_options o = { .exclude = spec->push_exclude };
	const struct pairs *file_env = NULL;

	*p = (struct plan){ .spec = spec, .to = to, .common = spec->common };
	p->inputs = inputs_new(&o);
	o.pool = true;
	p->pool = inputs_new(&o);
	if (rows_open(&p->rows, spec, to->stop, to->ctx, err) < 0 ||
	    check_columns(&p->rows.columns, err) < 0)
		return -1;
	if (spec->rows == SUBMIT_JOBFILE) {
		merge_jobfile(p);
		file_env = &p->rows.jobfile.common.env;
	}
	if (compile_patterns(p, &p->common.results, "--results", err) < 0 ||
	    compile_patterns(p, &p->common.exclude, "--exclude", err) < 0 ||
	    compile_cd(p, err) < 0 || compile_env(p, file_env, err) < 0 ||
	    compile_command(p, err) < 0 || plan_classes(p, err) < 0 ||
	    plan_add_inputs(p, err) < 0)
		return -1;
	param_names_init(&p->names, &p->rows.columns);
	warn_of_clash(p);
	weigh(p);
	return 0;
}

void plan_close(struct plan *p)
{
	if (p->has_command)
		command_release(&p->command);
	template_release(&p->cd);
	for (size_t i = 0; i < p->n_env; i++)
		template_release(&p->env[i].value);
	for (size_t i = 0; i < p->n_push; i++)
		template_release(&p->push[i]);
	for (size_t i = 0; p->file_ids && i < p->rows.jobfile.n; i++)
		free(p->file_ids[i].id);
	free(p->file_ids);
	free(p->task_class);
	free(p->env);
	free(p->push);
	free(p->word_dst);
	param_names_release(&p->names);
	hash_cache_close(p->cache);
	hasher_free(p->content);
	inputs_free(p->inputs);
	inputs_free(p->pool);
	rows_close(&p->rows);
	arena_release(&p->arena);
}

struct strs plan_columns(const struct plan *p)
{
	return p->spec->rows == SUBMIT_JOBFILE ? p->rows.jobfile.columns : p->rows.names;
}

/* ---- the first pass -------------------------------------------------------------------------- */

static bool is_small(const struct plan *p, const struct row *row)
{
	size_t bytes = 0;

	for (size_t i = 0; i < p->rows.columns.n; i++)
		bytes += row->value[i].n;
	return bytes < COMMAND_WORD_MAX && p->fixed + bytes * p->factor < COMMAND_WORD_MAX;
}

static int check_rows(struct plan *p, struct task_maker *m, struct err *err)
{
	struct row row;
	int ret;

	while ((ret = rows_next(&p->rows, &row, err)) > 0) {
		if (++p->n > SEQ_MAX)
			return err_set(err, ERR_USAGE, "%s: more than %d tasks",
				       p->rows.source.name, SEQ_MAX);
		if ((p->n & 0xfff) == 0 && p->to->stop && p->to->stop(p->to->ctx))
			return err_set(err, ERR_INTERRUPTED, "interrupted");
		if (p->task_class) /* by row, from now on by task */
			p->task_class[p->n - 1] = p->task_class[row.number - 1];
		/* The first row goes through everything that does not depend on the row. */
		if ((p->n == 1 || p->every_row || !is_small(p, &row)) &&
		    maker_make(m, p, &row, true, err) < 0)
			return -1;
		if (p->content)
			content_add_row(p, &row, m);
	}
	if (ret == 0 && p->n == 0)
		return err_set(err, ERR_USAGE, "%s holds no tasks", p->rows.source.name);
	return ret;
}

/* The classes of a job file's tasks are by row; those of the tasks that there are, by task. */
static int pack_classes(struct plan *p, struct err *err)
{
	struct row row;
	int64_t n = 0;
	int ret;

	while ((ret = rows_next(&p->rows, &row, err)) > 0)
		p->task_class[n++] = p->task_class[row.number - 1];
	return ret < 0 ? -1 : rows_rewind(&p->rows, err);
}

int plan_change(struct plan *p, const struct submit_spec *spec, struct err *err)
{
	p->spec = spec;
	p->common.image = spec->common.image;
	p->common.timeout_ms = spec->common.timeout_ms;
	p->common.retries = spec->common.retries;
	p->common.resources = spec->common.resources;
	p->common.limits = spec->common.limits;
	if (spec->rows == SUBMIT_JOBFILE)
		merge_jobfile_limits(p);
	free(p->task_class);
	p->task_class = NULL;
	if (plan_classes(p, err) < 0)
		return -1;
	return p->task_class ? pack_classes(p, err) : 0;
}

int plan_check(struct plan *p, struct err *err)
{
	struct task_maker m;
	int ret;

	maker_init(&m, p);
	ret = check_rows(p, &m, err);
	maker_release(&m);
	if (ret == 0)
		ret = rows_unchanged(&p->rows, err);
	return ret < 0 ? -1 : rows_rewind(&p->rows, err);
}
