/* Conformance of queue.h: submission, and finding jobs. */
#include "contract/queue_fixture.h"

static void invisible_until_bound(void)
{
	struct fix f;
	struct spec s = { .id = "a", .n = 3 };
	struct job j;
	int64_t born;

	fix_open(&f);
	born = begin(&f, &s);
	ok(born > 0, "a submission gets a uid");
	is_int(add(&f, born, 1, 3, 0), 0, "tasks are added");
	is_int(queue_job_by_id(f.other, "a", &j, &f.err), 0, "an unbound job is not found by id");
	is_int(queue_job_last(f.other, "user", &j, &f.err), 0, "nor is it the last one");
	is_int(job_state(&f, born), JOB_SUBMITTING, "by uid it is found, submitting");
	is_int(add(&f, born, 1, 3, 0), 0, "adding the same tasks again is not an error");
	is_int(add(&f, born, 3, 1, 0), 0, "adding one of them again is not an error");
	is_str(counts(&f, born), "pending: 3", "and counts nothing twice");

	s.op = 77;
	is_int(bind_job(&f, born, &s), BIND_DONE, "bind makes it visible");
	is_int(queue_job_by_id(f.other, "a", &j, &f.err), 1, "now another handle finds it by id");
	is_int(j.born, born, "it is the same job");
	is_int(j.n, 3, "with its number of tasks");
	is_str(j.root, "00", "with its root");
	is_str(j.classes, "[{\"cpu\":1},{\"cpu\":2},{\"cpu\":3}]", "with its classes");
	is_str(j.secret, "{\"env\":[]}", "with its secret");
	is_str(j.info, "{\"results\":\"r\"}", "with its info");
	ok(j.rev > 0 && j.bound > 0 && j.t == 1000 && j.state == JOB_OPEN, "it is open");
	job_release(&j);
	is_int(bind_job(&f, born, &s), BIND_DONE, "a repeated bind gives the first answer");
	s.op = 78;
	is_int(bind_job(&f, born, &s), BIND_GONE, "another bind of it is refused");
	is_int(add(&f, born, 4, 1, 0), -1, "nothing can be added to a bound job");
	is_int(f.err.code, ERR_CONFLICT, "which is a conflict");
	fix_close(&f, "bind");
}

static void ids_are_taken_once(void)
{
	struct fix f;
	struct spec s = { .id = "a", .n = 2 };
	int64_t first, second, third;
	struct claimed c[2];

	fix_open(&f);
	first = begin(&f, &s);
	second = begin(&f, &s);
	ok(first != second, "two submissions of one id get two uids");
	(void)add(&f, first, 1, 2, 0);
	(void)add(&f, second, 1, 2, 0);
	is_int(bind_job(&f, second, &s), BIND_DONE, "the first to bind takes the id");
	is_int(bind_job(&f, first, &s), BIND_TAKEN, "the other one is refused");
	is_int(queue_submit_abort(f.q, first, &f.err), 0, "it removes its own rows");
	is_int(job_state(&f, first), -1, "nothing of it is left");
	is_int(queue_submit_abort(f.q, first, &f.err), 0, "removing it again is fine");
	is_int(queue_submit_abort(f.q, second, &f.err), -1, "a bound job cannot be aborted");
	is_str(counts(&f, second), "pending: 2", "the winner's rows stay");

	(void)node(&f, "A");
	(void)claim(&f, "A", 1, c);
	third = begin(&f, &s);
	(void)add(&f, third, 1, 2, 0);
	s.replace = second;
	is_int(bind_job(&f, third, &s), BIND_HELD, "a job with a claimed task is not replaced");
	(void)finish(&f, "A", &c[0], 0);
	s.replace = first;
	is_int(bind_job(&f, third, &s), BIND_TAKEN, "nor one that is not the holder");
	s.replace = second;
	is_int(bind_job(&f, third, &s), BIND_DONE, "without claims it is replaced");
	is_int(job_state(&f, second), JOB_REMOVED, "the old one is removed in the same commit");
	is_int(claim(&f, "A", 2, c), 2, "the node claims from the new one");
	is_int(c[0].job, third, "and from no other");
	(void)queue_node_move(f.q, "A", 0, NODE_EV_LOSE, id_u64(), &f.err);
	fix_close(&f, "ids");
}

/* The simulator found it: attempts are ordered by (born, attempt), so the results of a submission
 * that began first, but was bound after a younger job of its id had come and gone, would all have
 * been taken for old ones. */
static void a_younger_job_had_the_id(void)
{
	struct fix f;
	struct spec s = { .id = "a", .n = 1 }, other = { .id = "b", .n = 1 };
	struct claimed c[1];
	int64_t old, third, young;
	bool more = true;

	fix_open(&f);
	(void)node(&f, "A");
	old = begin(&f, &s);
	(void)add(&f, old, 1, 1, 0);
	third = begin(&f, &other);
	(void)add(&f, third, 1, 1, 0);
	young = submit(&f, s);
	(void)claim(&f, "A", 1, c);
	(void)finish(&f, "A", c, 0);
	(void)move(&f, young, JOB_EV_REMOVE, false);
	while (more && queue_job_delete(f.q, young, 100, &more, &f.err) == 0)
		continue;
	is_int(bind_job(&f, old, &s), BIND_TAKEN, "an id that a younger job had is taken");
	is_int(bind_job(&f, third, &other), BIND_DONE, "another id is not");
	is_int(queue_submit_abort(f.q, old, &f.err), 0, "the refused one goes");
	ok(submit(&f, s) > young, "a new submission of the id is younger still");
	fix_close(&f, "a younger job");
}

static void refused_binds(void)
{
	struct fix f;
	struct spec s = { .id = "a", .n = 5 };
	int64_t born;

	fix_open(&f);
	born = begin(&f, &s);
	(void)add(&f, born, 1, 4, 0);
	is_int(bind_job(&f, born, &s), -1, "a job that lacks rows cannot be bound");
	is_int(f.err.code, ERR_CONFLICT, "which is a conflict");
	is_int(job_state(&f, born), JOB_SUBMITTING, "and changes nothing");
	is_int(move(&f, born, JOB_EV_REMOVE, false), 1, "a cleaner removes the submission");
	is_int(add(&f, born, 5, 1, 0), -1, "the submitter learns it when it adds");
	is_int(bind_job(&f, born, &s), BIND_GONE, "and when it binds");
	is_int(bind_job(&f, 4711, &s), BIND_GONE, "as for a job that never was");
	fix_close(&f, "refused binds");
}

static void kept_rows(void)
{
	struct fix f;
	struct spec s = { .id = "a", .n = 3 };
	struct attempt kept = { .job = 1, .n = 9, .k = 4, .cause = CAUSE_EXIT, .ended = 99,
				.label = "complete(code=0)", .node = "old", .result_bytes = 5 };
	struct task_new t[3] = { { .kept = &kept }, { .class = 1 }, { .kept = &kept } };
	struct attempt a;
	struct claimed c[3];
	int64_t born;

	fix_open(&f);
	memset(kept.result_sha256, 'b', 64);
	born = begin(&f, &s);
	is_int(queue_submit_add(f.q, born, 1, t, 3, &f.err), 0, "rows that succeeded are added");
	is_int(queue_submit_add(f.q, born, 1, t, 3, &f.err), 0, "and may be added again");
	is_int(bind_job(&f, born, &s), BIND_DONE, "and bound");
	is_str(counts(&f, born), "complete(code=0): 2, pending: 1", "they are counted as complete");
	is_int(task(&f, born, 1).state, TASK_SUCCEEDED, "they have succeeded");
	is_int(task(&f, born, 1).acc, 4, "with the attempt that was kept");
	is_int(queue_attempt_get(f.q, born, 3, 0, &a, &f.err), 1, "whose record was copied");
	ok(a.job == born && a.n == 3 && a.k == 4 && a.ended == 99 && a.result_sha256[0] == 'b',
	   "under the new job and number");
	attempt_release(&a);
	(void)node(&f, "A");
	is_int(claim(&f, "A", 3, c), 1, "only the new one is claimed");
	ok(c[0].n == 2 && c[0].class == 1, "in its class");
	(void)finish(&f, "A", &c[0], 0);
	is_int(job_state(&f, born), JOB_OVER, "then the job is over");

	s.id = "b";
	s.n = 1;
	born = begin(&f, &s);
	(void)queue_submit_add(f.q, born, 1, t, 1, &f.err);
	is_int(bind_job(&f, born, &s), BIND_DONE, "a job of kept rows only is bound");
	is_int(job_state(&f, born), JOB_OVER, "and over at once");
	fix_close(&f, "kept rows");
}

static int note_id(void *ctx, const struct job *j)
{
	buf_addf(ctx, "%s ", j->id);
	return 0;
}

static int first_only(void *ctx, const struct job *j)
{
	buf_addf(ctx, "%s ", j->id);
	return 1;
}

static int fails(void *ctx, const struct job *j)
{
	(void)ctx, (void)j;
	return -1;
}

static const char *ids(struct fix *f, struct job_filter filter, job_fn fn)
{
	static char text[200];
	struct buf b = BUF_INIT;

	if (queue_jobs(f->q, &filter, fn, &b, &f->err) < 0)
		buf_adds(&b, "error");
	snprintf(text, sizeof(text), "%s", b.p);
	buf_release(&b);
	return text;
}

static void listing(void)
{
	struct fix f;
	struct job j;
	int64_t x, bound;

	fix_open(&f);
	x = submit(&f, (struct spec){ .id = "x1", .n = 1 });
	(void)submit(&f, (struct spec){ .id = "x2", .n = 1, .user = "other" });
	(void)submit(&f, (struct spec){ .id = "y1", .n = 1, .cluster = "far" });
	is_str(ids(&f, (struct job_filter){ 0 }, note_id), "y1 x2 x1 ", "jobs come newest first");
	is_str(ids(&f, (struct job_filter){ .pattern = "x*" }, note_id), "x2 x1 ", "by pattern");
	is_str(ids(&f, (struct job_filter){ .user = "user" }, note_id), "y1 x1 ", "by user");
	is_str(ids(&f, (struct job_filter){ .cluster = "far" }, note_id), "y1 ", "by cluster");
	is_str(ids(&f, (struct job_filter){ .limit = 2 }, note_id), "y1 x2 ",
	       "as many as asked for");
	is_str(ids(&f, (struct job_filter){ 0 }, first_only), "y1 ", "1 from the callback stops");
	is_str(ids(&f, (struct job_filter){ 0 }, fails), "error", "-1 from the callback fails");
	is_int(queue_job_by_id(f.q, "x2", &j, &f.err), 1, "found by id");
	bound = j.bound;
	job_release(&j);
	is_str(ids(&f, (struct job_filter){ .before = bound }, note_id), "x1 ", "paged");
	is_int(queue_job_last(f.q, "user", &j, &f.err), 1, "the last of a user");
	is_str(j.id, "y1", "is the one bound last");
	(void)move(&f, j.born, JOB_EV_REMOVE, true);
	job_release(&j);
	is_int(queue_job_last(f.q, "user", &j, &f.err), 1, "when it is forgotten");
	is_int(j.born, x, "it is the one before");
	job_release(&j);
	is_int(queue_job_last(f.q, "nobody", &j, &f.err), 0, "who submitted nothing has no last");
	is_str(ids(&f, (struct job_filter){ .states = 1U << JOB_REMOVED }, note_id), "y1 ",
	       "removed ones are listed on demand");
	is_int(strlen(queue_uuid(f.q)), 32, "the queue has a name");
	is_str(queue_uuid(f.q), queue_uuid(f.other), "the same for every handle");
	fix_close(&f, "listing");
}

/* Best of several: the cost itself, not what else the machine does. */
static int64_t cost_of_counts(struct fix *f, int64_t born)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < 20; i++) {
		int64_t t = clock_mono_ns();

		(void)counts(f, born);
		best = MIN(best, clock_mono_ns() - t);
	}
	return best;
}

static void big_job(void)
{
	struct fix f;
	int64_t one, many, t_one, t_many;
	struct claimed c[64];

	fix_open(&f);
	one = submit(&f, (struct spec){ .id = "one", .n = 1 });
	many = submit(&f, (struct spec){ .id = "many", .n = 100000, .priority = 1, .classes = 3 });
	(void)node(&f, "A");
	is_int(claim(&f, "A", 64, c), 64, "64 tasks of 100,000 are claimed");
	is_str(counts(&f, many), "claimed: 64, pending: 99936", "and counted");
	t_one = cost_of_counts(&f, one);
	t_many = cost_of_counts(&f, many);
	ok(t_many < 10 * t_one + 50000, "counting 100,000 tasks costs as much as counting one "
	   "(%lld ns, %lld ns)", (long long)t_many, (long long)t_one);
	fix_close(&f, "big job");
}

static void change_is_seen(void)
{
	struct fix f;
	int64_t before;

	fix_open(&f);
	before = queue_change(f.other);
	is_int(queue_change(f.other), before, "nothing changed, the number stays");
	(void)submit(&f, (struct spec){ .id = "a", .n = 1 });
	ok(queue_change(f.other) != before, "another handle committed, the number moves");
	fix_close(&f, "change");
}

int main(void)
{
	invisible_until_bound();
	ids_are_taken_once();
	a_younger_job_had_the_id();
	refused_binds();
	kept_rows();
	listing();
	big_job();
	change_is_seen();
	return tap_done();
}
