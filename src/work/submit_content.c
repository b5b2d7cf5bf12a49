/*
 * What a submission is about, as one digest: the key of a recipe's step. Equal digests mean equal
 * tasks on equal inputs; what only says how, when and where they run is left out.
 *
 * Fed in the order of the submission: what all tasks share, each row of the first pass, and, when
 * they are hashed, the inputs. A text goes in with its length, so that no two lists of texts look
 * the same.
 */
#include "base/base.h"
#include "sys/hash.h"
#include "work/submit_plan.h"

static void add_n(struct hasher *h, uint64_t n)
{
	hasher_add(h, &n, sizeof(n));
}

static void add_str(struct hasher *h, struct str s)
{
	add_n(h, s.n);
	hasher_add(h, s.p, s.n);
}

static void add_strs(struct hasher *h, const struct strs *list)
{
	add_n(h, list->n);
	for (size_t i = 0; i < list->n; i++)
		add_str(h, list->p[i]);
}

static void add_texts(struct hasher *h, const char *const *text, size_t n)
{
	add_n(h, n);
	for (size_t i = 0; i < n; i++)
		add_str(h, str_of(text[i]));
}

static void add_pairs(struct hasher *h, const struct pairs *list)
{
	add_n(h, list->n);
	for (size_t i = 0; i < list->n; i++) {
		add_str(h, list->p[i].name);
		add_str(h, list->p[i].value);
	}
}

void content_begin(struct plan *p)
{
	const struct submit_spec *s = p->spec;
	const struct common *c = &p->common;
	struct strs columns = plan_columns(p);
	struct hasher *h = hasher_new();

	p->content = h;
	add_str(h, STR("kubeque step 1"));
	add_texts(h, s->words, s->n_words);
	add_n(h, s->rows == SUBMIT_PARAMS && s->format == PARAMS_COMMANDS);
	/* As written, for values that depend on the row; and as they are, for a job file's. */
	add_pairs(h, &s->common.env);
	add_pairs(h, &c->env);
	add_str(h, s->common.cd);
	add_str(h, c->cd);
	add_n(h, c->clean_env);
	add_str(h, c->image);
	add_strs(h, &c->results);
	add_strs(h, &c->exclude);
	add_n(h, (uint64_t)c->outputs);
	add_str(h, str_of(s->policy ? s->policy : ""));
	add_texts(h, p->n_push ? s->push : NULL, p->n_push ? s->n_push : 0);
	add_strs(h, &columns);
}

void content_add_row(struct plan *p, const struct row *row, const struct task_maker *m)
{
	struct hasher *h = p->content;
	struct buf line = BUF_INIT;

	if (!row->task) {
		size_t n = p->spec->n_words ? p->rows.columns.n : 1; /* else it is a command */

		for (size_t i = 0; i < n; i++)
			add_str(h, row->value[i]);
		return;
	}
	manifest_add_task(&line, &m->task);
	add_str(h, buf_str(&line));
	buf_release(&line);
	add_n(h, m->n_ids);
	for (size_t i = 0; i < m->n_ids; i++)
		add_n(h, m->ids[i]);
}

static void add_set(struct hasher *h, const struct input_set *set)
{
	size_t n = inputs_count(set);
	char hex[SHA256_HEX_SIZE];

	add_n(h, n);
	for (size_t i = 0; i < n; i++) {
		struct input in;

		inputs_manifest_entry(inputs_at(set, i), hex, &in);
		add_str(h, in.dst);
		add_str(h, in.sha256);
		add_n(h, in.mode & 0777);
	}
}

void content_end(struct plan *p, char *hex)
{
	add_set(p->content, p->inputs);
	add_set(p->content, p->pool);
	hasher_end(p->content, hex);
}
