/* --rerun: rows that keep an earlier result, and that result. */
#include <stdio.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "work/submit_impl.h"

enum { FORGET_MS = 100, FORGET_ROWS = 5000 };

struct batch {
	struct task_new row[MANIFEST_CHUNK];
	struct attempt kept[MANIFEST_CHUNK];
	size_t n;
	int64_t first;
};

static int flush(struct submission *s, struct batch *b, struct err *err)
{
	int ret = 0;

	if (b->n)
		ret = queue_submit_add(s->to->queue, s->out->born, b->first, b->row, b->n, err);
	for (size_t i = 0; i < b->n; i++) {
		if (b->row[i].kept)
			attempt_release(&b->kept[i]);
	}
	b->first += (int64_t)b->n;
	b->n = 0;
	return ret < 0 ? -1 : submission_check_stop(s, err);
}

/* Carries the result of an earlier task over: 1, or 0: it is not there any more. */
static int carry_over(struct submission *s, int64_t old_n, int64_t k, int64_t n, bool changed,
		      struct attempt *a, struct err *err)
{
	int got = queue_attempt_get(s->to->queue, s->old.born, old_n, k, a, err);

	if (got <= 0)
		return got;
	if (a->result_sha256[0]) {
		if (!s->earlier)
			got = 0;
		else
			got = results_prepare_keep(s->prepared, s->earlier, old_n, k, n,
						   a->result_sha256, &a->result_bytes, err);
	}
	if (changed)
		snprintf(a->verdict, sizeof(a->verdict), "%s", RERUN_NOTE);
	a->job = s->out->born;
	a->n = n;
	if (got <= 0)
		attempt_release(a);
	return got;
}

static int store_rows(struct submission *s, struct chunker *c, struct err *err)
{
	struct batch *b = xcalloc(1, sizeof(*b));
	bool any = s->spec->mode == SUBMIT_RERUN_ANY, changed;
	int ret, got;

	b->first = 1;
	while ((ret = chunker_next(c, err)) > 0) {
		int64_t old_n, k;
		int class = s->plan.task_class ? s->plan.task_class[c->n - 1] : 0;

		b->row[b->n] = (struct task_new){ .class = class };
		got = rerun_match(s->rerun, &c->maker.task, class, any, &old_n, &k, &changed);
		if (got)
			got = carry_over(s, old_n, k, c->n, changed, &b->kept[b->n], err);
		if (got < 0) {
			ret = -1;
			break;
		}
		if (got) {
			b->row[b->n].kept = &b->kept[b->n];
			s->out->kept++;
			s->changed += changed;
		}
		if (++b->n == MANIFEST_CHUNK && flush(s, b, err) < 0) {
			ret = -1;
			break;
		}
	}
	if (ret == 0)
		ret = flush(s, b, err);
	for (size_t i = 0; i < b->n; i++) {
		if (b->row[i].kept)
			attempt_release(&b->kept[i]);
	}
	free(b);
	return ret;
}

static int open_results(struct submission *s, const char *dir, struct err *err)
{
	struct results_id was = { queue_uuid(s->to->queue), s->old.born, s->old.id };
	struct results_id is = { queue_uuid(s->to->queue), s->out->born, s->out->id };

	if (results_find(dir, &was, &s->earlier, err) < 0)
		return -1;
	return results_prepare(dir, &is, s->spec->umask, &s->prepared, err);
}

int submission_store_kept(struct submission *s, struct chunker *c, const char *dir,
			  struct err *err)
{
	if (open_results(s, dir, err) < 0 ||
	    rerun_begin(s->rerun, &s->plan, s->list, err) < 0)
		return -1;
	return store_rows(s, c, err);
}

int submission_count_kept(struct submission *s, struct err *err)
{
	bool any = s->spec->mode == SUBMIT_RERUN_ANY, changed;
	struct chunker c;
	int64_t old_n, k;
	int ret = rerun_begin(s->rerun, &s->plan, NULL, err);

	chunker_init(&c, &s->plan, NULL);
	while (ret == 0 && (ret = chunker_next(&c, err)) > 0) {
		int class = s->plan.task_class ? s->plan.task_class[c.n - 1] : 0;

		ret = 0;
		if (!rerun_match(s->rerun, &c.maker.task, class, any, &old_n, &k, &changed))
			continue;
		s->out->kept++;
		s->changed += changed;
	}
	chunker_release(&c);
	submission_say(s, SUBMIT_EV_KEPT, NULL, s->out->kept, 0);
	if (s->changed)
		submission_say(s, SUBMIT_EV_KEPT_CHANGED, NULL, s->changed, 0);
	return ret;
}

/* Whoever opens the directory next would do it, but all tasks may have been kept. */
void submission_put_in_place(struct submission *s, const char *dir)
{
	struct results_id is = { queue_uuid(s->to->queue), s->out->born, s->out->id };
	struct err ignored = ERR_INIT;
	struct results *r = NULL;

	if (s->prepared)
		results_close(s->prepared);
	else if (access(dir, F_OK) < 0)
		return;
	s->prepared = NULL;
	if (results_open(dir, &is, s->spec->umask, &r, &ignored) > 0)
		results_close(r);
}

void submission_forget_old(struct submission *s)
{
	int64_t until = clock_mono_ms() + FORGET_MS;
	struct err ignored = ERR_INIT;
	bool more = true;

	while (more && clock_mono_ms() < until) {
		if (queue_job_delete(s->to->queue, s->old.born, FORGET_ROWS, &more, &ignored) < 0)
			return;
	}
}
