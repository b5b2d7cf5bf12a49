/* Conformance of queue.h: what policies ask and decide: failures alike, stops, the time of nodes. */
#include "contract/queue_fixture.h"

static int64_t alike(struct fix *f, int64_t born, const char *label, const char *tail,
		     int64_t limit)
{
	struct attempt a = { .tail = xstrdup(tail) };
	int64_t count = -1;

	snprintf(a.label, sizeof(a.label), "%s", label);
	is_int(queue_same(f->other, born, attempt_signature(&a), limit, &count, &f->err), 0,
	       "failures with %s and '%s' are counted", label, tail);
	attempt_release(&a);
	return count;
}

/* The attempt fails with this code and these last words. */
static void fail(struct fix *f, struct claimed *c, int code, const char *tail)
{
	struct outcome o = outcome_of("A", c, code);

	o.a.tail = xstrdup(tail);
	is_int(queue_finish(f->q, "A", &o, 1, -1, id_u64(), &f->err), 0, "task %lld fails",
	       (long long)c->n);
	c->v = o.v;
	attempt_release(&o.a);
}

static void failures_alike(void)
{
	struct fix f;
	struct claimed c[8], again[1];
	int64_t born, other;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 8 });
	other = submit(&f, (struct spec){ .id = "k", .n = 1 });
	(void)claim(&f, "A", 8, c);
	is_int(alike(&f, born, "complete(code=3)", "no licence", 100), 0, "none did yet");
	fail(&f, &c[0], 3, "starting\nno licence\n");
	fail(&f, &c[1], 3, "no licence");
	fail(&f, &c[2], 3, "a\nb\nno licence \n\n");
	fail(&f, &c[3], 4, "no licence\n");
	fail(&f, &c[4], 3, "no disk\n");
	is_int(finish(&f, "A", &c[5], 0), 1, "one succeeds");
	is_int(alike(&f, born, "complete(code=3)", "no licence", 100), 3,
	       "same label, same last line");
	is_int(alike(&f, born, "complete(code=4)", "no licence", 100), 1, "another label");
	is_int(alike(&f, born, "complete(code=3)", "no disk", 100), 1, "another line");
	is_int(alike(&f, born, "complete(code=0)", "", 100), 0, "successes are not counted");
	is_int(alike(&f, other, "complete(code=3)", "no licence", 100), 0, "nor other jobs");
	is_int(alike(&f, born, "complete(code=3)", "no licence", 2), 2, "as far as asked");
	is_int(verdict(&f, verdict_of(&c[0], TASK_EV_RETRY)), 1, "a task is tried again");
	is_int(alike(&f, born, "complete(code=3)", "no licence", 100), 3, "its failure counts on");
	(void)claim(&f, "A", 1, again);
	is_int(again[0].n, 1, "and");
	fail(&f, again, 3, "no licence\n");
	is_int(alike(&f, born, "complete(code=3)", "no licence", 100), 3,
	       "failing in the same way again it is one task still");
	is_int(verdict(&f, verdict_of(again, TASK_EV_RETRY)), 1, "once more");
	(void)claim(&f, "A", 1, again);
	fail(&f, again, 3, "no disk\n");
	is_int(alike(&f, born, "complete(code=3)", "no disk", 100), 2, "it may fail in two ways");
	is_int(verdict(&f, verdict_of(&c[1], TASK_EV_COMPLETE)), 1, "another is given up");
	is_int(alike(&f, born, "complete(code=3)", "no licence", 100), 3, "and counts on");
	is_int(reset_states(&f, born, 1U << TASK_FAILED, NULL), 1, "what is reset");
	is_int(alike(&f, born, "complete(code=3)", "no licence", 100), 2, "counts no more");
	fix_close(&f, "failures alike");
}

static const char *stopped(struct fix *f, int64_t born)
{
	static char text[100];
	struct job j = { .born = 0 };

	if (queue_job_get(f->other, born, &j, &f->err) != 1)
		return "no job";
	snprintf(text, sizeof(text), "%s", j.stopped ? j.stopped : "(no)");
	job_release(&j);
	return text;
}

static int has_stopped(void *ctx, const struct event *e)
{
	if (strcmp(e->kind, "stopped") == 0)
		buf_addf(ctx, "%lld: %s", (long long)e->n, e->text);
	return 0;
}

static void stopping(void)
{
	struct fix f;
	struct claimed c[5];
	struct verdict_row r[3];
	struct buf events = BUF_INIT;
	int64_t born, count, rev;
	bool more = true;
	struct job j;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 9 });
	(void)claim(&f, "A", 5, c);
	for (int i = 0; i < 3; i++) {
		fail(&f, &c[i], 3, "x");
		r[i] = verdict_of(&c[i], i == 1 ? TASK_EV_RETRY : TASK_EV_COMPLETE);
	}
	(void)queue_job_get(f.q, born, &j, &f.err);
	rev = j.rev;
	job_release(&j);
	r[0].stop = true;
	r[0].note = "three failed alike";
	r[1].stop = true; /* means nothing for a retry */
	is_int(queue_verdict(f.q, r, 3, 77, &f.err), 0, "a batch of verdicts, one of them a stop");
	ok(r[0].answer && r[1].answer && r[2].answer, "all are accepted");
	ok(r[0].stopped && !r[2].stopped && !r[0].over, "the one says that the job is stopped");
	is_int(job_state(&f, born), JOB_KILLING, "which is being killed from this commit on");
	is_str(stopped(&f, born), "three failed alike", "and says why");
	(void)queue_events(f.q, born, 0, has_stopped, &events, &f.err);
	is_str(events.p, "1: three failed alike", "its history, too");
	(void)queue_job_get(f.q, born, &j, &f.err);
	is_int(j.rev, rev + 1, "nodes see that something was taken away");
	job_release(&j);
	is_int(queue_verdict(f.q, r, 3, 77, &f.err), 0, "the same call again");
	ok(r[0].answer && r[0].stopped, "gives the same answer");
	buf_clear(&events);
	(void)queue_events(f.q, born, 0, has_stopped, &events, &f.err);
	is_str(events.p, "1: three failed alike", "and stops nothing twice");
	is_int(finish(&f, "A", &c[3], 0), 0, "what ends now is refused");
	is_int(move(&f, born, JOB_EV_KILL, false), 0, "a user's kill finds it under way");
	while (more)
		if (queue_kill(f.other, born, NULL, 2, id_u64(), &count, &more, &f.err) < 0)
			break;
	is_int(job_state(&f, born), JOB_OVER, "anyone may go on with it");
	is_str(counts(&f, born), "complete(code=3): 2, killed: 7", "what had ended stands");
	is_int(reset_states(&f, born, 1U << TASK_KILLED, NULL), 7, "it may be run again");
	is_str(stopped(&f, born), "(no)", "and is stopped no more");
	buf_release(&events);
	fix_close(&f, "stopping");
}

static void stops_that_are_none(void)
{
	struct fix f;
	struct claimed c[4];
	struct verdict_row r;
	int64_t killed, last;

	fix_open(&f);
	(void)node(&f, "A");
	killed = submit(&f, (struct spec){ .id = "j", .n = 2 });
	last = submit(&f, (struct spec){ .id = "k", .n = 1 });
	(void)claim(&f, "A", 2, c);
	(void)claim(&f, "A", 1, c + 2);
	fail(&f, &c[0], 3, "x");
	is_int(kill_all(&f, killed), 2, "a user kills the job");
	r = verdict_of(&c[0], TASK_EV_COMPLETE);
	r.stop = true;
	r.note = "too late";
	is_int(verdict(&f, r), 0, "which wins over any verdict");
	is_str(stopped(&f, killed), "(no)", "and is no stop");
	fail(&f, &c[2], 3, "x");
	r = verdict_of(&c[2], TASK_EV_COMPLETE);
	r.stop = true;
	r.note = "it was the last";
	is_int(queue_verdict(f.q, &r, 1, id_u64(), &f.err), 0, "a stop at the last task");
	ok(r.answer && r.over && !r.stopped, "ends the job as any verdict does");
	is_str(stopped(&f, last), "(no)", "nothing had to be stopped");
	fix_close(&f, "no stops");
}

/* A node that registered at this time. */
static void node_since(struct fix *f, const char *id, const char *cluster, int64_t t)
{
	struct node n = { .cluster = xstrdup(cluster), .cap = xstrdup("{}"),
			  .info = xstrdup("{}"), .t = t };

	snprintf(n.id, sizeof(n.id), "%s", id);
	is_int(queue_node_register(f->q, &n, false, id_u64(), &f->err), 1, "node %s registers", id);
	node_release(&n);
}

static void node_gone(struct fix *f, const char *id)
{
	(void)queue_node_move(f->q, id, 0, NODE_EV_LEAVE, id_u64(), &f->err);
	is_int(queue_node_delete(f->q, id, &f->err), 1, "node %s goes", id);
}

static int64_t node_time(struct fix *f, int64_t born, int64_t now)
{
	int64_t ms = -1;

	is_int(queue_node_time(f->other, born, now, &ms, &f->err), 0, "node time is told");
	return ms;
}

static bool about(int64_t got, int64_t want)
{
	bool near = llabs(got - want) < 60000; /* the test itself takes its time */

	if (!near)
		printf("# got %lld, want %lld\n", (long long)got, (long long)want);
	return near;
}

static void time_of_nodes(void)
{
	enum { HOUR = 3600 * 1000 };
	struct fix f;
	int64_t born, now = clock_wall_ms(), used;

	fix_open(&f);
	node_since(&f, "old", "local", now - 5 * HOUR);
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	ok(about(node_time(&f, born, now), 0), "what was before the submission does not count");
	node_since(&f, "A", "local", now);
	node_since(&f, "B", "local", now);
	node_since(&f, "C", "far", now);
	ok(about(node_time(&f, born, now + HOUR), 3 * HOUR),
	   "three nodes for an hour, none of another cluster");
	node_gone(&f, "old");
	node_gone(&f, "A");
	ok(about(node_time(&f, born, now + HOUR), HOUR),
	   "nodes that are gone count as long as they were there");
	node_since(&f, "D", "local", now - 2 * HOUR);
	ok(about(node_time(&f, born, now), 2 * HOUR), "one that came meanwhile, wholly");
	node_gone(&f, "D");
	ok(about(node_time(&f, born, now), 2 * HOUR), "and it stays so");
	is_int(kill_all(&f, born), 1, "the job ends");
	used = node_time(&f, born, now + 9 * HOUR);
	ok(about(used, 2 * HOUR), "what comes then does not count");
	node_since(&f, "E", "local", now - 7 * HOUR);
	is_int(node_time(&f, born, now + 9 * HOUR), used, "whoever comes");
	is_int(reset_states(&f, born, ENDED_STATES, NULL), 1, "it is opened again");
	ok(about(node_time(&f, born, now), used), "it goes on from there");
	ok(about(node_time(&f, born, now + HOUR), used + 2 * HOUR), "with two nodes");
	is_int(reset_states(&f, born, ENDED_STATES, NULL), 0, "a reset of an open job");
	ok(about(node_time(&f, born, now), used), "changes nothing");
	fix_close(&f, "time of nodes");
}

static int64_t since(struct fix *f, int64_t born, int64_t now)
{
	int64_t t = -1;

	is_int(queue_waiting_since(f->other, born, now, &t, &f->err), 0, "how long tasks wait");
	return t;
}

static void waiting(void)
{
	struct fix f;
	struct claimed c[2];
	struct verdict_row r;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 2, .classes = 2 });
	is_int(since(&f, born, 9000), 1000, "a new task since the submission");
	is_int(claim(&f, "A", 2, c), 2, "both are claimed");
	is_int(since(&f, born, 9000), 0, "none waits");
	fail(&f, &c[0], 3, "x");
	fail(&f, &c[1], 3, "x");
	r = verdict_of(&c[1], TASK_EV_RETRY);
	r.due = 20000;
	is_int(verdict(&f, r), 1, "one is tried again after a pause");
	is_int(since(&f, born, 9000), 0, "which is no waiting");
	is_int(since(&f, born, 30000), 20000, "until it is over");
	is_int(verdict(&f, verdict_of(&c[0], TASK_EV_RETRY)), 1, "the other at once");
	is_int(since(&f, born, 30000), 3000, "it waits since its attempt ended");
	is_int(kill_all(&f, born), 2, "killed");
	is_int(since(&f, born, 30000), 0, "nothing waits any more");
	fix_close(&f, "waiting");
}

int main(void)
{
	failures_alike();
	stopping();
	stops_that_are_none();
	time_of_nodes();
	waiting();
	return tap_done();
}
