/* Conformance of queue.h: claiming and giving back. */
#include "contract/queue_fixture.h"

static void order(void)
{
	struct fix f;
	struct claimed c[10];
	struct buf b = BUF_INIT;
	int n;

	fix_open(&f);
	(void)node(&f, "A");
	is_int(claim(&f, "A", 10, c), 0, "an empty queue gives nothing");
	(void)submit(&f, (struct spec){ .id = "low", .n = 2, .priority = -1 });
	(void)submit(&f, (struct spec){ .id = "first", .n = 2 });
	(void)submit(&f, (struct spec){ .id = "second", .n = 2 });
	(void)submit(&f, (struct spec){ .id = "high", .n = 2, .priority = 5 });
	(void)submit(&f, (struct spec){ .id = "far", .n = 2, .priority = 9, .cluster = "far" });
	n = claim(&f, "A", 3, c);
	is_int(n, 3, "at most max tasks are claimed");
	n += claim(&f, "A", 7, c + 3);
	for (int i = 0; i < n; i++) {
		struct job j;

		if (queue_job_get(f.q, c[i].job, &j, &f.err) == 1) {
			buf_addf(&b, "%s.%lld ", j.id, (long long)c[i].n);
			job_release(&j);
		}
	}
	is_str(b.p, "high.1 high.2 first.1 first.2 second.1 second.2 low.1 low.2 ",
	       "by priority, order of submission and number; no other cluster's");
	ok(c[0].v == task(&f, c[0].job, 1).v && c[0].attempt == 1, "with version and attempt");
	is_str(task(&f, c[0].job, 1).node, "A", "the task row names the node");
	is_int(task(&f, c[0].job, 1).state, TASK_CLAIMED, "and is claimed");
	buf_release(&b);
	fix_close(&f, "order");
}

static void repeats(void)
{
	struct fix f;
	struct claimed a[4], b[4];
	struct claim_request r = { .node = "A", .op = 11, .seq = 0, .max = 2, .want = want_all };
	struct claim_reply reply;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 10 });
	is_int(queue_claim(f.q, &r, a, &reply, &f.err), 2, "a claim");
	is_int(queue_claim(f.other, &r, b, &reply, &f.err), 2, "the same claim again");
	ok(a[0].n == b[0].n && a[1].n == b[1].n && a[0].v == b[0].v && a[1].attempt == b[1].attempt,
	   "gives the same tasks");
	is_str(counts(&f, born), "claimed: 2, pending: 8", "and takes no others");
	r.op = 12;
	is_int(queue_claim(f.q, &r, b, &reply, &f.err), -1, "an op of an old number is refused");
	is_int(f.err.code, ERR_CONFLICT, "as a conflict");
	r.seq = 1;
	is_int(queue_claim(f.q, &r, b, &reply, &f.err), 2, "the next number is not");
	r.op = 11;
	r.seq = 0;
	is_int(queue_claim(f.q, &r, b, &reply, &f.err), -1, "a late duplicate changes nothing");
	is_str(counts(&f, born), "claimed: 4, pending: 6", "really nothing");
	r.op = 12;
	r.seq = 1;
	(void)finish(&f, "A", &b[0], 7);
	is_int(finish(&f, "A", &a[0], 0), 1, "tasks of it move on");
	is_int(queue_claim(f.q, &r, b, &reply, &f.err), 1, "a repeat gives those still claimed");
	fix_close(&f, "repeated claims");
}

static void only_live_nodes(void)
{
	static const enum node_event events[] = { NODE_EV_DRAIN, NODE_EV_LEAVE, NODE_EV_LOSE };
	static const char *const names[] = { "A", "B", "C" };
	static const char *const words[] = { "draining", "leaving", "lost" };
	struct fix f;
	struct claimed c[2];
	int64_t born;

	fix_open(&f);
	born = submit(&f, (struct spec){ .id = "j", .n = 4 });
	is_int(claim(&f, "nobody", 1, c), -1, "a node that is not registered cannot claim");
	is_int(f.err.code, ERR_CONFLICT, "which is a conflict");
	for (int i = 0; i < 3; i++) {
		(void)node(&f, names[i]);
		(void)queue_node_move(f.q, names[i], 0, events[i], id_u64(), &f.err);
		is_int(claim(&f, names[i], 1, c), -1, "nor one that is %s", words[i]);
		is_int(f.err.code, ERR_CONFLICT, "which is a conflict");
	}
	is_str(counts(&f, born), "pending: 4", "nothing was claimed");
	(void)queue_node_move(f.q, "B", 0, NODE_EV_STAY, id_u64(), &f.err);
	is_int(claim(&f, "B", 1, c), 1, "one that stays after all can");
	fix_close(&f, "only live nodes");
}

static void max_running(void)
{
	struct fix f;
	struct claimed c[10], d[10];
	struct claim_request r = { .node = "A", .seq = -1, .max = 10, .want = want_all };
	struct claim_reply reply;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	(void)node(&f, "B");
	born = submit(&f, (struct spec){ .id = "j", .n = 10, .max_running = 3 });
	r.op = 1;
	is_int(queue_claim(f.q, &r, c, &reply, &f.err), 3, "no more than max_running are claimed");
	ok(!reply.pending_left, "what max_running holds back does not count as left");
	is_int(claim(&f, "B", 10, d), 0, "by all nodes together");
	(void)finish(&f, "A", &c[0], 0);
	(void)finish(&f, "A", &c[1], 1);
	is_int(claim(&f, "B", 10, d), 1, "an ended task without verdict still counts as running");
	(void)verdict(&f, verdict_of(&c[1], TASK_EV_COMPLETE));
	is_int(claim(&f, "B", 10, d + 1), 1, "with the verdict it does not");
	is_str(counts(&f, born), "claimed: 3, complete(code=0): 1, complete(code=1): 1, pending: 5",
	       "three are running");
	fix_close(&f, "max_running");
}

struct talk {
	struct buf said;
	int only; /* class wanted, -1: all */
	size_t each;
	int64_t others;
};

static size_t want_some(void *ctx, const struct job *j, int class, size_t left)
{
	struct talk *t = ctx;

	buf_addf(&t->said, "want %s.%d of %zu; ", j->id, class, left);
	return t->only >= 0 && class != t->only ? 0 : t->each;
}

static void took(void *ctx, const struct job *j, int class, size_t count)
{
	struct talk *t = ctx;

	buf_addf(&t->said, "took %s.%d %zu; ", j->id, class, count);
}

static void others(void *ctx, int64_t memory)
{
	struct talk *t = ctx;

	t->others = memory;
}

static int64_t memory(void *ctx)
{
	(void)ctx;
	return 500;
}

static void callbacks(void)
{
	struct fix f;
	struct talk t = { .said = BUF_INIT, .only = 1, .each = 2 };
	struct claim_request r = { .node = "A", .op = 1, .seq = -1, .max = 5, .ctx = &t,
				   .want = want_some, .took = took, .others = others,
				   .memory = memory };
	struct claimed c[10];
	struct claim_reply reply;

	fix_open(&f);
	(void)node(&f, "A");
	(void)node(&f, "B");
	(void)submit(&f, (struct spec){ .id = "j", .n = 9, .classes = 3 });
	is_int(queue_claim(f.q, &r, c, &reply, &f.err), 2, "only the class that fits is claimed");
	is_str(t.said.p, "want j.0 of 5; want j.1 of 5; took j.1 2; want j.2 of 3; ",
	       "each class is asked for, with what may still be claimed");
	ok(c[0].n == 2 && c[0].class == 1 && c[1].n == 5, "the tasks are of that class");
	ok(reply.pending_left, "the others are left");
	is_int(t.others, 0, "no other node holds memory");
	r.node = "B";
	r.op = 2;
	r.max = 3;
	t.only = 2;
	t.each = 100;
	buf_clear(&t.said);
	is_int(queue_claim(f.q, &r, c, &reply, &f.err), 3, "all of a class are claimed");
	is_int(t.others, 500, "the memory of the other node is told");
	is_str(t.said.p, "want j.0 of 3; want j.1 of 3; want j.2 of 3; took j.2 3; ",
	       "what was claimed is told");
	r.op = 3;
	buf_clear(&t.said);
	is_int(queue_claim(f.q, &r, c, &reply, &f.err), 0, "nothing is left of it");
	is_str(t.said.p, "want j.0 of 3; want j.1 of 3; ",
	       "a class without tasks is not asked for");
	is_int(queue_finish(f.q, "B", NULL, 0, 0, 9, &f.err), 0, "a finish of nothing");
	r.node = "A";
	r.op = 4;
	(void)queue_claim(f.q, &r, c, &reply, &f.err);
	is_int(t.others, 0, "rewrites what the node has set aside");
	buf_release(&t.said);
	fix_close(&f, "callbacks");
}

static void delayed(void)
{
	struct fix f;
	struct claimed c[4];
	struct claim_request r = { .node = "A", .seq = -1, .max = 4, .want = want_all,
				   .now = 1000 };
	struct claim_reply reply;
	struct verdict_row v;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 3 });
	(void)claim(&f, "A", 3, c);
	for (int i = 0; i < 3; i++) {
		(void)finish(&f, "A", &c[i], 1);
		v = verdict_of(&c[i], TASK_EV_RETRY);
		v.due = 3000 - 1000 * i;
		is_int(verdict(&f, v), ANSWER_ACCEPTED, "a retry in a while");
	}
	r.op = 1;
	is_int(queue_claim(f.q, &r, c, &reply, &f.err), 1, "what is due now is claimed");
	is_int(c[0].n, 3, "and it alone");
	is_int(c[0].attempt, 2, "as its second attempt");
	is_int(c[0].tries, 1, "one try is counted");
	is_int(reply.next_due, 2000, "the next due time is told");
	r.op = 2;
	r.now = 2500;
	is_int(queue_claim(f.q, &r, c, &reply, &f.err), 1, "later the next is due");
	is_int(reply.next_due, 3000, "and the one after it is told");
	r.op = 3;
	r.now = 3000;
	is_int(queue_claim(f.q, &r, c, &reply, &f.err), 1, "and then the last");
	is_int(reply.next_due, INT64_MAX, "nothing is delayed any more");
	is_str(counts(&f, born), "claimed: 3", "all are claimed");
	fix_close(&f, "delayed");
}

static void giving_back(void)
{
	struct fix f;
	struct claimed c[4];
	struct release r[3] = { 0 };
	struct attempt a;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	(void)node(&f, "B");
	born = submit(&f, (struct spec){ .id = "j", .n = 4 });
	(void)claim(&f, "A", 4, c);
	for (int i = 0; i < 3; i++)
		r[i] = (struct release){ .job = born, .n = c[i].n, .v = c[i].v, .started = i == 1 };
	r[2].v--;
	is_int(queue_release(f.q, "A", CAUSE_PREEMPTED, r, 3, -1, 5, &f.err), 0,
	       "tasks given back");
	ok(r[0].answer && r[1].answer, "are pending again");
	ok(!r[2].answer, "one of another version is refused, it alone");
	is_str(counts(&f, born), "claimed: 2, pending: 2", "and counted so");
	is_int(queue_release(f.q, "A", CAUSE_PREEMPTED, r, 3, -1, 5, &f.err), 0, "once more");
	ok(r[0].answer && r[1].answer && !r[2].answer, "gives the first answers");
	is_int(task(&f, born, 1).free, 1, "a preempted attempt counts as free, once");
	is_int(task(&f, born, 1).tries, 0, "and not as a try");
	is_int(queue_attempt_get(f.q, born, 1, 1, &a, &f.err), 0,
	       "one never started leaves no record");
	is_int(queue_attempt_get(f.q, born, 2, 1, &a, &f.err), 1, "one that ran does");
	is_str(a.label, "preempted", "with what happened to it");
	attempt_release(&a);
	r[0] = (struct release){ .job = born, .n = 4, .v = c[3].v };
	(void)queue_release(f.q, "B", CAUSE_RELEASED, r, 1, -1, 6, &f.err);
	ok(!r[0].answer, "another node's task is not given back");
	(void)queue_release(f.q, "A", CAUSE_RELEASED, r, 1, -1, 7, &f.err);
	ok(r[0].answer, "its own is");
	is_int(task(&f, born, 4).free, 0, "a released one counts for nothing");
	is_int(claim(&f, "B", 4, c), 3, "others claim what was given back");
	ok(c[0].attempt == 2 && c[0].v > r[0].v, "with a new attempt and version");
	is_int(finish(&f, "A", &(struct claimed){ .job = born, .n = c[0].n, .v = c[0].v,
						  .attempt = 2 }, 0), 0,
	       "a node cannot finish what another holds");
	fix_close(&f, "giving back");
}

static int note_n(void *ctx, const struct task *t)
{
	buf_addf(ctx, "%lld/%lld ", (long long)t->job, (long long)t->n);
	return 0;
}

static void what_a_node_holds(void)
{
	struct fix f;
	struct claimed c[4];
	struct buf b = BUF_INIT;

	fix_open(&f);
	(void)node(&f, "A");
	(void)node(&f, "B");
	(void)submit(&f, (struct spec){ .id = "j", .n = 2 });
	(void)submit(&f, (struct spec){ .id = "k", .n = 2 });
	(void)claim(&f, "A", 1, c);
	(void)claim(&f, "B", 1, c + 1);
	(void)claim(&f, "A", 1, c + 2);
	(void)finish(&f, "A", &c[0], 1);
	is_int(queue_held(f.q, "A", note_n, &b, &f.err), 0, "the tasks of a node");
	is_str(b.p, "1/1 2/1 ", "over all jobs, ended ones without verdict included");
	buf_release(&b);
	fix_close(&f, "held");
}

static void two_handles(void)
{
	struct fix f;
	struct claimed c[1000];
	bool seen[1001] = { 0 }, twice = false;
	int64_t born;
	int total = 0;

	fix_open(&f);
	(void)node(&f, "A");
	(void)node(&f, "B");
	born = submit(&f, (struct spec){ .id = "j", .n = 1000, .classes = 2 });
	for (int n = 1; n > 0;) {
		struct queue *swap = f.q;

		n = claim(&f, total & 1 ? "A" : "B", 7, c);
		for (int i = 0; i < n; i++) {
			twice = twice || seen[c[i].n];
			seen[c[i].n] = true;
		}
		total += n;
		f.q = f.other;
		f.other = swap;
	}
	is_int(total, 1000, "two handles claim every task");
	ok(!twice, "and none twice");
	is_str(counts(&f, born), "claimed: 1000", "as is counted");
	fix_close(&f, "two handles");
}

int main(void)
{
	order();
	repeats();
	only_live_nodes();
	max_running();
	callbacks();
	delayed();
	giving_back();
	what_a_node_holds();
	two_handles();
	return tap_done();
}
