/* Conformance of queue.h: killing, resetting, removing, listing the tasks of jobs. */
#include "contract/queue_fixture.h"

static void killing(void)
{
	struct fix f;
	struct claimed c[4];
	struct verdict_row r;
	int64_t born, count, v;
	bool more;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 100 });
	(void)claim(&f, "A", 4, c);
	(void)finish(&f, "A", &c[0], 0);
	(void)finish(&f, "A", &c[1], 1);
	r = verdict_of(&c[1], TASK_EV_RETRY);
	r.due = 5000;
	(void)verdict(&f, r);
	(void)finish(&f, "A", &c[2], 1);
	is_int(queue_kill(f.q, born, NULL, 10, 1, &count, &more, &f.err), 0, "an open job's tasks");
	ok(count == 0 && !more, "are not killed before the job is killing");
	is_int(move(&f, born, JOB_EV_KILL, false), 1, "the job is to be killed");
	is_int(move(&f, born, JOB_EV_KILL, false), 0, "which is done once");
	is_int(claim(&f, "A", 1, &c[0]), 0, "nothing of it is claimed any more");
	is_int(finish(&f, "A", &c[3], 0), 0, "outcomes are refused");
	is_int(verdict(&f, verdict_of(&c[2], TASK_EV_COMPLETE)), 0, "verdicts, too");
	is_int(reset_states(&f, born, ENDED_STATES, NULL), -1, "it cannot be reset");
	is_int(f.err.code, ERR_CONFLICT, "which is a conflict");
	is_int(move(&f, born, JOB_EV_REMOVE, true), 0, "nor removed");
	is_int(queue_kill(f.q, born, NULL, 10, 2, &count, &more, &f.err), 0, "a batch is killed");
	ok(count == 10 && more, "as large as asked for");
	is_int(queue_kill(f.q, born, NULL, 10, 2, &count, &more, &f.err), 0, "repeated");
	ok(count == 10 && more, "it says the same");
	is_str(counts(&f, born), "complete(code=0): 1, killed: 10, pending: 89",
	       "claimed and ended ones come first, nothing twice");
	v = task(&f, born, 50).v;
	is_int(queue_kill(f.q, born, NULL, 1000, 3, &count, &more, &f.err), 0, "the rest");
	ok(count == 89 && !more, "is killed");
	ok(task(&f, born, 50).v > v, "each row's version moved");
	is_str(counts(&f, born), "complete(code=0): 1, killed: 99", "what ended before stands");
	is_int(job_state(&f, born), JOB_OVER, "the job is over with its last open task");
	is_int(queue_kill(f.q, born, NULL, 1000, 4, &count, &more, &f.err), 0, "nothing is left");
	ok(count == 0 && !more, "to kill");
	fix_close(&f, "killing");
}

static void killing_some(void)
{
	struct fix f;
	struct range p[2] = { { 3, 5 }, { 8, INT64_MAX } };
	struct ranges r = { .p = p, .n = 2 };
	struct claimed c[20];
	int64_t born, count;
	bool more;
	struct job j;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 10, .classes = 2 });
	(void)claim(&f, "A", 2, c); /* 1 and 3 */
	is_int(queue_kill(f.q, born, &r, 4, 1, &count, &more, &f.err), 0, "some tasks");
	ok(count == 4 && more, "are killed in batches, too");
	is_int(queue_kill(f.q, born, &r, 4, 2, &count, &more, &f.err), 0, "until none is left");
	ok(count == 2 && !more, "of them");
	is_str(counts(&f, born), "claimed: 1, killed: 6, pending: 3", "the others go on");
	is_int(queue_job_get(f.q, born, &j, &f.err), 1, "the job");
	ok(j.state == JOB_OPEN && j.rev >= 3, "stays open, its rev moves");
	job_release(&j);
	is_int(finish(&f, "A", &c[1], 0), 0, "the outcome of a killed task is refused");
	is_int(finish(&f, "A", &c[0], 0), 1, "that of another is not");
	is_int(claim(&f, "A", 20, c), 3, "what is pending is claimed");
	ok(c[0].n == 7 && c[1].n == 2 && c[2].n == 6, "and only that");
	is_int(reset_states(&f, born, 1U << TASK_KILLED, NULL), 6, "killed ones are reset");
	is_int(claim(&f, "A", 20, c + 3), 6, "and claimed");
	p[0] = (struct range){ 1, 10 };
	r.n = 1;
	(void)queue_kill(f.q, born, &r, 100, 3, &count, &more, &f.err);
	is_int(count, 9, "all that is open may be killed this way");
	is_int(job_state(&f, born), JOB_OVER, "then the job is over");
	fix_close(&f, "killing some");
}

static void resetting(void)
{
	struct fix f;
	struct claimed c[6];
	struct reset_request r;
	struct range p = { 2, 3 };
	struct task t;
	int64_t born;
	struct job j;

	fix_open(&f);
	(void)node(&f, "A");
	(void)node(&f, "B");
	born = submit(&f, (struct spec){ .id = "j", .n = 6 });
	(void)claim(&f, "A", 4, c);
	(void)claim(&f, "B", 2, c + 4);
	(void)finish(&f, "A", &c[0], 0);
	(void)finish(&f, "A", &c[1], 1);
	(void)verdict(&f, verdict_of(&c[1], TASK_EV_COMPLETE));
	(void)finish(&f, "A", &c[2], 1); /* ended, no verdict */
	is_int(reset_states(&f, born, 1U << TASK_FAILED, NULL), 1, "failed ones are reset");
	t = task(&f, born, 2);
	ok(t.state == TASK_PENDING && t.acc == 0 && t.attempt == 1 && t.v > c[1].v,
	   "pending again, nothing accepted, the attempt's number stays");
	is_int(reset_states(&f, born, 0, "A"), 2, "the tasks of an owner are taken away");
	is_int(finish(&f, "A", &c[3], 0), 0, "its outcome is refused");
	is_int(verdict(&f, verdict_of(&c[2], TASK_EV_COMPLETE)), 0, "so is its verdict");
	is_int(finish(&f, "B", &c[4], 0), 1, "another node's is not");
	is_str(counts(&f, born), "claimed: 1, complete(code=0): 2, pending: 3", "all is counted");
	(void)finish(&f, "B", &c[5], 0);
	for (int n; (n = claim(&f, "B", 6, c)) > 0;) {
		for (int i = 0; i < n; i++)
			(void)finish(&f, "B", &c[i], 0);
	}
	is_int(job_state(&f, born), JOB_OVER, "the job ends");
	is_int(queue_job_told(f.q, born, 9, &f.err), 0, "which is told");
	is_int(queue_job_get(f.q, born, &j, &f.err), 1, "the job");
	ok(j.told && j.ended > 0, "says so");
	job_release(&j);

	r = (struct reset_request){ .job = born, .states = ENDED_STATES, .op = 20, .limit = 4,
				    .class = "{\"cpu\":3}" };
	is_int(queue_reset(f.q, &r, &f.err), 0, "a job that is over is reset");
	ok(r.count == 4 && r.more && r.after == 4, "in batches");
	r.after = 0;
	is_int(queue_reset(f.q, &r, &f.err), 0, "repeated");
	ok(r.count == 4 && r.more && r.after == 4, "it says the same");
	is_str(counts(&f, born), "complete(code=0): 2, pending: 4", "and does nothing more");
	is_int(queue_job_get(f.q, born, &j, &f.err), 1, "the job");
	ok(j.state == JOB_OPEN && !j.told && j.ended == 0, "is open again, and not told");
	job_release(&j);
	is_int(queue_job_told(f.q, born, 9, &f.err), 0, "a late duplicate of told");
	r.op = 21;
	is_int(queue_reset(f.q, &r, &f.err), 0, "the next batch");
	ok(r.count == 2 && !r.more, "is the last");
	is_int(claim(&f, "B", 6, c), 6, "all are claimed again");
	ok(c[0].class == 2 && c[0].tries == 0 && c[0].lost == 0, "in the new class, counted anew");
	for (int i = 0; i < 6; i++)
		(void)finish(&f, "B", &c[i], 0);
	is_int(queue_job_get(f.q, born, &j, &f.err), 1, "the job");
	ok(j.state == JOB_OVER && !j.told, "its second end is not told yet");
	job_release(&j);
	r = (struct reset_request){ .job = born, .states = ENDED_STATES, .op = 22, .limit = 10,
				    .ranges = { .p = &p, .n = 1 } };
	is_int(queue_reset(f.q, &r, &f.err), 0, "some of them");
	ok(r.count == 2 && !r.more, "by range");
	is_str(counts(&f, born), "complete(code=0): 4, pending: 2", "and no other");
	r = (struct reset_request){ .job = 4711, .states = ENDED_STATES, .op = 23, .limit = 10 };
	is_int(queue_reset(f.q, &r, &f.err), -1, "a job that is not there cannot be reset");
	fix_close(&f, "resetting");
}

static void removing(void)
{
	struct fix f;
	struct claimed c[2];
	struct job j;
	int64_t born;
	bool more;
	int calls = 0;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 50 });
	(void)claim(&f, "A", 2, c);
	is_int(move(&f, born, JOB_EV_REMOVE, true), 0, "a job with claims is not removed");
	(void)finish(&f, "A", &c[0], 0);
	(void)finish(&f, "A", &c[1], 1);
	is_int(move(&f, born, JOB_EV_REMOVE, true), 0, "nor one with an open verdict");
	(void)verdict(&f, verdict_of(&c[1], TASK_EV_COMPLETE));
	is_int(move(&f, born, JOB_EV_REMOVE, false), 0,
	       "nor one with pending tasks, without force");
	is_int(queue_job_delete(f.q, born, 10, &more, &f.err), -1, "its rows are not deleted");
	is_int(queue_job_move(f.q, born, JOB_EV_REMOVE, true, 5, &f.err), 1, "with force it is");
	is_int(queue_job_move(f.q, born, JOB_EV_REMOVE, true, 5, &f.err), 1, "repeated: the same");
	is_int(move(&f, born, JOB_EV_REMOVE, true), 0, "once is enough");
	is_int(claim(&f, "A", 1, c), 0, "nothing of it is claimed");
	is_int(queue_job_by_id(f.q, "j", &j, &f.err), 0, "nobody sees it");
	is_int(reset_states(&f, born, ENDED_STATES, NULL), -1, "it cannot be reset");
	ok(submit(&f, (struct spec){ .id = "j", .n = 1 }) > born, "its id may be used again");
	do {
		is_int(queue_job_delete(f.q, born, 20, &more, &f.err), 0, "rows are deleted");
	} while (more && ++calls < 10);
	ok(calls >= 2 && calls < 10, "in batches");
	is_int(job_state(&f, born), -1, "until nothing is left");
	is_int(queue_job_delete(f.q, born, 20, &more, &f.err), 0, "which may be repeated");
	is_int((int)task(&f, born, 1).state, -1, "no task");
	is_int(queue_attempt_get(f.q, born, 2, 1, &(struct attempt){ 0 }, &f.err), 0, "no attempt");
	is_str(counts(&f, born), "", "no count");
	fix_close(&f, "removing");
}

static void job_ends_once(void)
{
	struct fix f;
	struct claimed c[2];
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	is_int(move(&f, born, JOB_EV_END, false), 0, "a job with a pending task does not end");
	(void)claim(&f, "A", 1, c);
	is_int(move(&f, born, JOB_EV_END, false), 0, "nor one with a claimed task");
	(void)finish(&f, "A", c, 1);
	is_int(move(&f, born, JOB_EV_END, false), 0, "nor one whose verdict is open");
	(void)verdict(&f, verdict_of(c, TASK_EV_COMPLETE));
	is_int(job_state(&f, born), JOB_OVER, "the last verdict ends it");
	is_int(move(&f, born, JOB_EV_END, false), 0, "a detector finds nothing to do");
	is_int(move(&f, born, JOB_EV_KILL, false), 0, "a job that is over cannot be killed");
	is_int(move(&f, born, JOB_EV_BIND, false), 0, "nor bound");
	is_int(move(&f, born, JOB_EV_RESET, false), 0, "nor opened without a task");
	is_int(move(&f, 4711, JOB_EV_KILL, false), 0, "nor one that is not there");
	fix_close(&f, "end of job");
}

static int note(void *ctx, const struct task *t)
{
	buf_addf(ctx, "%lld ", (long long)t->n);
	return 0;
}

static const char *listed(struct fix *f, int64_t born, struct task_filter filter)
{
	static char text[200];
	struct buf b = BUF_INIT;

	(void)queue_tasks(f->q, born, &filter, note, &b, &f->err);
	snprintf(text, sizeof(text), "%s", b.p);
	buf_release(&b);
	return text;
}

static void listing(void)
{
	struct fix f;
	struct range p[2] = { { 2, 3 }, { 6, INT64_MAX } };
	struct claimed c[3];
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	(void)submit(&f, (struct spec){ .id = "before", .n = 2, .priority = -1 });
	born = submit(&f, (struct spec){ .id = "j", .n = 8 });
	(void)submit(&f, (struct spec){ .id = "after", .n = 2, .priority = -1 });
	(void)claim(&f, "A", 3, c);
	(void)finish(&f, "A", &c[0], 0);
	(void)finish(&f, "A", &c[1], 1);
	is_str(listed(&f, born, (struct task_filter){ 0 }), "1 2 3 4 5 6 7 8 ",
	       "all tasks in order");
	is_str(listed(&f, born, (struct task_filter){ .limit = 3 }), "1 2 3 ", "a page");
	is_str(listed(&f, born, (struct task_filter){ .limit = 3, .after = 3 }), "4 5 6 ",
	       "the next");
	is_str(listed(&f, born, (struct task_filter){ .ranges = { p, 2 } }), "2 3 6 7 8 ",
	       "ranges");
	is_str(listed(&f, born, (struct task_filter){ .ranges = { p, 2 }, .after = 2, .limit = 2 }),
	       "3 6 ", "paged");
	is_str(listed(&f, born,
		      (struct task_filter){ .states = 1U << TASK_CLAIMED | 1U << TASK_ENDED }),
	       "2 3 ", "by state");
	is_str(listed(&f, born, (struct task_filter){ .label = "claimed" }), "2 3 ", "by label");
	is_str(listed(&f, born, (struct task_filter){ .label = "complete(code=0)" }), "1 ",
	       "also that of an attempt");
	is_int((int)task(&f, born, 0).state, -1, "there is no task 0");
	is_int((int)task(&f, born, 9).state, -1, "nor one behind the last");
	is_int((int)task(&f, born, ((int64_t)1 << 32) + 1).state, -1, "nor one far behind it");
	fix_close(&f, "listing");
}

static int note_event(void *ctx, const struct event *e)
{
	buf_addf(ctx, "%s ", e->kind);
	return 0;
}

static void events(void)
{
	struct fix f;
	struct buf b = BUF_INIT;
	const struct event e = { .job = 1, .n = 1, .kind = "policy_error", .text = "it broke" };
	struct claimed c[1];
	int64_t born;

	fix_open(&f);
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	is_int(queue_event_add(f.q, &e, &f.err), 0, "an event is noted");
	(void)node(&f, "A");
	(void)claim(&f, "A", 1, c);
	(void)finish(&f, "A", c, 0);
	is_int(queue_events(f.other, born, 0, note_event, &b, &f.err), 0, "the history of a job");
	is_str(b.p, "submitted policy_error over ", "is in order");
	buf_release(&b);
	fix_close(&f, "events");
}

static void many_killed_and_reset(void)
{
	struct fix f;
	int64_t born, total = 0;
	struct reset_request r;

	fix_open(&f);
	born = submit(&f, (struct spec){ .id = "j", .n = 20000, .classes = 3 });
	is_int(kill_all(&f, born), 20000, "20,000 tasks are killed in batches");
	is_str(counts(&f, born), "killed: 20000", "all of them");
	r = (struct reset_request){ .job = born, .states = ENDED_STATES, .limit = 3000 };
	do {
		r.op = id_u64();
		if (queue_reset(f.q, &r, &f.err) < 0)
			break;
		total += r.count;
	} while (r.more);
	is_int(total, 20000, "and reset in batches");
	is_int(kill_all(&f, born), 20000, "and killed again");
	fix_close(&f, "many");
}

int main(void)
{
	killing();
	killing_some();
	resetting();
	removing();
	job_ends_once();
	listing();
	events();
	many_killed_and_reset();
	return tap_done();
}
