/* Inputs of a submission: those all tasks share, and those of single tasks. */
#include "base/base.h"
#include "base/map.h"
#include "model/path.h"
#include "work/submit_plan.h"

enum { MANY_FILES = 1000 };
static const int64_t many_bytes = 1000 * 1000 * 1000;

/* ---- -u and ^ that are the same for all tasks ------------------------------------------------ */

static int add_push(struct plan *p, struct err *err)
{
	const struct submit_spec *s = p->spec;
	struct buf text = BUF_INIT;
	int ret = -1;

	p->push = xcalloc(s->n_push + 1, sizeof(*p->push));
	for (size_t i = 0; i < s->n_push; i++) {
		struct template t;

		if (template_compile(&t, str_of(s->push[i]), TEMPLATE_TEXT, &p->rows.columns,
				     err) < 0) {
			err_prefix(err, "-u %s", s->push[i]);
			goto out;
		}
		if (!t.constant) {
			p->push[p->n_push++] = t;
			continue;
		}
		buf_clear(&text);
		template_expand(&t, NULL, &text);
		template_release(&t);
		if (inputs_add(p->inputs, text.p, NULL, err) < 0)
			goto out;
	}
	ret = 0;
out:
	buf_release(&text);
	return ret;
}

static int add_words(struct plan *p, struct err *err)
{
	const struct command *c = &p->command;
	struct buf text = BUF_INIT;
	int ret = 0;

	p->word_dst = xcalloc(c->n + 1, sizeof(*p->word_dst));
	for (size_t i = 0; i < c->n && ret == 0; i++) {
		const struct command_word *w = &c->word[i];
		const char *dst;

		if (w->kind != WORD_FILE)
			continue;
		if (!w->t.constant) {
			p->own_inputs = true;
			continue;
		}
		buf_clear(&text);
		template_expand(&w->t, NULL, &text);
		ret = inputs_add_word(p->inputs, text.p, NULL, &dst, err);
		if (ret == 0)
			p->word_dst[i] = arena_strdup(&p->arena, dst);
	}
	buf_release(&text);
	return ret;
}

/* ---- downloads of a job file ----------------------------------------------------------------- */

static int add_download(struct input_set *set, const struct download *d, size_t *id,
			struct err *err)
{
	return inputs_add_file(set, d->src.n ? d->src.p : d->url.p, d->dst.p, d->executable, id,
			       err);
}

/* Where a download lands, as far as that is known without looking at it. */
static void download_dst(const struct download *d, struct buf *out)
{
	struct err ignored = ERR_INIT;
	bool whole;

	buf_clear(out);
	if (d->dst.p)
		buf_addstr(out, d->dst);
	else if (path_default_destination(d->src.n ? d->src : d->url, out, &whole, &ignored) < 0)
		buf_clear(out);
}

/* Destinations that some task gives a file of its own. */
static void collect_own(const struct jobfile *f, struct map *own)
{
	static char mark;
	struct buf dst = BUF_INIT;

	for (size_t i = 0; i < f->n; i++) {
		for (size_t k = 0; k < f->tasks[i].downloads.n; k++) {
			download_dst(&f->tasks[i].downloads.p[k], &dst);
			map_set(own, dst.p, &mark);
		}
	}
	buf_release(&dst);
}

static bool task_has(const struct jobfile_task *t, const char *dst, struct buf *scratch)
{
	for (size_t k = 0; k < t->downloads.n; k++) {
		download_dst(&t->downloads.p[k], scratch);
		if (strcmp(scratch->p, dst) == 0)
			return true;
	}
	return false;
}

static int add_task_download(struct plan *p, size_t task, const struct download *d,
			     struct err *err)
{
	size_t id;

	if (add_download(p->pool, d, &id, err) < 0)
		return err_prefix(err, "%s: tasks[%zu]", p->rows.source.name, task);
	p->file_ids[task].id = xreallocarray(p->file_ids[task].id, p->file_ids[task].n + 1,
					     sizeof(*p->file_ids[task].id));
	p->file_ids[task].id[p->file_ids[task].n++] = id;
	p->own_inputs = true;
	return 0;
}

/* A common download that some task replaces goes to each of the other tasks by itself. */
static int add_replaced(struct plan *p, const struct download *d, const char *dst,
			struct err *err)
{
	const struct jobfile *f = &p->rows.jobfile;
	struct buf scratch = BUF_INIT;
	int ret = 0;

	for (size_t i = 0; i < f->n && ret == 0; i++) {
		if (!task_has(&f->tasks[i], dst, &scratch))
			ret = add_task_download(p, i, d, err);
	}
	buf_release(&scratch);
	return ret;
}

static int add_downloads(struct plan *p, struct err *err)
{
	const struct jobfile *f = &p->rows.jobfile;
	struct map own = MAP_INIT;
	struct buf dst = BUF_INIT;
	int ret = 0;

	p->file_ids = xcalloc(f->n + 1, sizeof(*p->file_ids));
	collect_own(f, &own);
	for (size_t i = 0; i < f->downloads.n && ret == 0; i++) {
		const struct download *d = &f->downloads.p[i];

		download_dst(d, &dst);
		if (map_get(&own, dst.p))
			ret = add_replaced(p, d, dst.p, err);
		else if (add_download(p->inputs, d, NULL, err) < 0)
			ret = err_prefix(err, "%s: common.downloads[%zu]", p->rows.source.name, i);
	}
	for (size_t i = 0; i < f->n && ret == 0; i++) {
		for (size_t k = 0; k < f->tasks[i].downloads.n && ret == 0; k++)
			ret = add_task_download(p, i, &f->tasks[i].downloads.p[k], err);
	}
	map_release(&own);
	buf_release(&dst);
	return ret;
}

/* Nodes of this machine read no Cloud Storage. */
static int refuse_url(const struct input_file *f, struct err *err)
{
	if (!f->url)
		return 0;
	return err_set(err, ERR_USAGE,
		       "%s: inputs in Cloud Storage cannot be used on this machine yet: download "
		       "it first (gsutil cp) and give the file", f->src);
}

/* ---- together -------------------------------------------------------------------------------- */

struct tally {
	struct tally *next;
	const char *spec;
	int64_t files, bytes;
};

/* A directory of many files is announced before its files are. */
static void announce(struct plan *p)
{
	size_t n = inputs_count(p->inputs);
	struct map seen = MAP_INIT;
	struct tally *first = NULL, **last = &first;

	for (size_t i = 0; i < n; i++) {
		const struct input_file *f = inputs_at(p->inputs, i);
		struct tally *t = map_get(&seen, f->spec);

		if (!t) {
			t = arena_calloc(&p->arena, 1, sizeof(*t));
			t->spec = f->spec;
			map_set(&seen, f->spec, t);
			*last = t;
			last = &t->next;
		}
		t->files++;
		t->bytes += MAX(f->stamp.size, 0);
	}
	for (const struct tally *t = first; t && p->to->fn; t = t->next) {
		if (t->files > 1 && (t->files > MANY_FILES || t->bytes > many_bytes))
			p->to->fn(p->to->ctx, SUBMIT_EV_DIRECTORY, t->spec, t->files, t->bytes);
	}
	map_release(&seen);
}

int plan_add_inputs(struct plan *p, struct err *err)
{
	if (add_push(p, err) < 0 || add_words(p, err) < 0)
		return -1;
	if (p->spec->rows == SUBMIT_JOBFILE && add_downloads(p, err) < 0)
		return -1;
	if (p->n_push)
		p->own_inputs = true;
	if (inputs_check(p->inputs, err) < 0)
		return -1;
	for (size_t i = 0; i < inputs_count(p->inputs); i++) {
		if (refuse_url(inputs_at(p->inputs, i), err) < 0)
			return -1;
	}
	if (inputs_count(p->inputs) > MANY_FILES || inputs_bytes(p->inputs) > many_bytes)
		announce(p);
	return 0;
}

/* ---- inputs of single tasks ------------------------------------------------------------------ */

void maker_add_id(struct task_maker *m, size_t id)
{
	if (m->n_ids == m->cap_ids) {
		m->cap_ids = m->cap_ids ? 2 * m->cap_ids : 8;
		m->ids = xreallocarray(m->ids, m->cap_ids, sizeof(*m->ids));
	}
	m->ids[m->n_ids++] = id;
}

int maker_find_inputs(struct task_maker *m, struct plan *p, const struct row *row,
		      struct err *err)
{
	int64_t n;
	size_t id;

	for (size_t i = 0; i < p->n_push; i++) {
		buf_clear(&m->path);
		template_expand(&p->push[i], row->value, &m->path);
		if (inputs_add(p->pool, m->path.p, &id, err) < 0)
			return err_prefix(err, "task %lld", (long long)row->number);
		maker_add_id(m, id);
	}
	free(m->files);
	m->files = NULL;
	m->n_files = 0;
	n = inputs_check_task(p->inputs, p->pool, m->ids, m->n_ids, &m->files, err);
	if (n < 0)
		return err_prefix(err, "task %lld", (long long)row->number);
	m->n_files = (size_t)n;
	for (size_t i = 0; i < m->n_files; i++) {
		if (refuse_url(m->files[i], err) < 0)
			return err_prefix(err, "task %lld", (long long)row->number);
	}
	return 0;
}

void maker_fill_inputs(struct task_maker *m)
{
	if (m->n_files > m->cap_inputs) {
		m->cap_inputs = m->n_files;
		m->inputs = xreallocarray(m->inputs, m->cap_inputs, sizeof(*m->inputs));
		m->sha256 = xreallocarray(m->sha256, m->cap_inputs, SHA256_HEX_SIZE);
	}
	for (size_t i = 0; i < m->n_files; i++)
		inputs_manifest_entry(m->files[i], m->sha256 + i * SHA256_HEX_SIZE, &m->inputs[i]);
	m->task.inputs = (struct inputs){ m->inputs, m->n_files };
}

const struct input_file *maker_provides(const struct task_maker *m, const struct plan *p,
					const char *dst)
{
	const struct input_file *f = inputs_find(p->inputs, dst);

	for (size_t i = 0; i < m->n_files && !f; i++) {
		if (strcmp(m->files[i]->dst, dst) == 0)
			f = m->files[i];
	}
	return f;
}
