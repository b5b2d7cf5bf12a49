/* Conformance of queue.h: outcomes, verdicts, lost tasks. */
#include "contract/queue_fixture.h"

static void success(void)
{
	struct fix f;
	struct claimed c[2];
	struct outcome o;
	struct attempt a;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 2 });
	(void)claim(&f, "A", 2, c);
	o = outcome_of("A", &c[0], 0);
	is_int(queue_finish(f.q, "A", &o, 1, -1, 5, &f.err), 0, "a success is stored");
	ok(o.answer == ANSWER_ACCEPTED && o.v == c[0].v + 1, "accepted, with the new version");
	ok(!o.over, "the job goes on");
	is_int(task(&f, born, 1).state, TASK_SUCCEEDED, "the task succeeded");
	is_int(task(&f, born, 1).acc, 1, "the attempt is the accepted one");
	is_str(task(&f, born, 1).node, "A", "the node is remembered");
	is_int(queue_attempt_get(f.other, born, 1, 0, &a, &f.err), 1, "its record is found");
	ok(a.k == 1 && a.exit_code == 0 && a.started == 2000 && a.ended == 3000 &&
	   a.elapsed_us == 1000 && a.user_us == 7 && a.system_us == 8 && a.max_memory == 9 &&
	   a.block_in == 10 && a.block_out == 11 && a.result_bytes == 12 && a.tail == NULL,
	   "with all numbers");
	is_str(a.label, "complete(code=0)", "with its label");
	attempt_release(&a);
	o.v = c[0].v;
	is_int(queue_finish(f.q, "A", &o, 1, -1, 5, &f.err), 0, "the same call again");
	ok(o.answer == ANSWER_ACCEPTED && o.v == c[0].v + 1, "gives the same answer");
	o.v = c[0].v;
	(void)queue_finish(f.q, "A", &o, 1, -1, 6, &f.err);
	is_int(o.answer, ANSWER_REFUSED, "another op of the old version is refused");
	is_str(counts(&f, born), "claimed: 1, complete(code=0): 1", "nothing is counted twice");
	o = outcome_of("A", &c[1], 0);
	(void)queue_finish(f.q, "A", &o, 1, -1, 7, &f.err);
	ok(o.over, "the last task ends the job, and the call says so");
	is_int(job_state(&f, born), JOB_OVER, "the job is over");
	fix_close(&f, "success");
}

static void each_by_itself(void)
{
	struct fix f;
	struct claimed c[3];
	struct outcome o[3];
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 3 });
	(void)claim(&f, "A", 3, c);
	for (int i = 0; i < 3; i++)
		o[i] = outcome_of("A", &c[i], 0);
	o[1].v++;
	is_int(queue_finish(f.q, "A", o, 3, -1, 5, &f.err), 0, "a batch with a moved version");
	ok(o[0].answer && !o[1].answer && o[2].answer, "is refused for that one only");
	is_str(counts(&f, born), "claimed: 1, complete(code=0): 2", "the others are stored");
	for (int i = 0; i < 3; i++)
		o[i].v = c[i].v + (i == 1);
	is_int(queue_finish(f.q, "A", o, 3, -1, 5, &f.err), 0, "repeated");
	ok(o[0].answer && !o[1].answer && o[2].answer, "it says the same");
	is_int(reset_states(&f, born, ENDED_STATES, NULL), 2, "two are reset");
	o[0].v = c[0].v;
	(void)queue_finish(f.q, "A", o, 1, -1, 5, &f.err);
	is_int(o[0].answer, ANSWER_ACCEPTED, "the first answer stands even then");
	is_str(counts(&f, born), "claimed: 1, pending: 2", "and changes nothing");
	o[1] = outcome_of("A", &c[1], 0);
	o[1].a.k = 2;
	(void)queue_finish(f.q, "A", &o[1], 1, -1, 8, &f.err);
	is_int(o[1].answer, ANSWER_REFUSED, "an attempt the task does not have is refused");
	o[1] = outcome_of("B", &c[1], 0);
	(void)queue_finish(f.q, "B", &o[1], 1, -1, 9, &f.err);
	is_int(o[1].answer, ANSWER_REFUSED, "so is one of another node");
	o[1].a.n = 99;
	(void)queue_finish(f.q, "A", &o[1], 1, -1, 10, &f.err);
	is_int(o[1].answer, ANSWER_REFUSED, "and a task that is not there");
	fix_close(&f, "each by itself");
}

/* The simulator found it: the second one was told "accepted", because the row bore its op. */
static void one_task_twice(void)
{
	struct fix f;
	struct claimed old[1], new[1];
	struct outcome o[2];
	struct verdict_row v[2];
	struct release r[2];
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	(void)claim(&f, "A", 1, old);
	(void)reset_states(&f, born, 0, "A");
	(void)claim(&f, "A", 1, new);
	o[0] = outcome_of("A", new, 3);
	o[1] = outcome_of("A", old, 3);
	is_int(queue_finish(f.q, "A", o, 2, -1, 1, &f.err), 0,
	       "a batch with two attempts of a task");
	ok(o[0].answer && !o[1].answer, "accepts the one that counts, it alone");
	v[0] = verdict_of(new, TASK_EV_RETRY);
	v[0].v = o[0].v;
	v[1] = verdict_of(old, TASK_EV_RETRY);
	is_int(queue_verdict(f.q, v, 2, 2, &f.err), 0, "so do verdicts");
	ok(v[0].answer && !v[1].answer, "of both");
	(void)claim(&f, "A", 1, new);
	is_int(queue_verdict(f.q, v, 2, 2, &f.err), 0, "repeated when the task moved on");
	ok(v[0].answer && !v[1].answer, "they say the same");
	r[0] = (struct release){ .job = born, .n = 1, .v = new->v };
	r[1] = (struct release){ .job = born, .n = 1, .v = old->v };
	is_int(queue_release(f.q, "A", CAUSE_RELEASED, r, 2, -1, 3, &f.err), 0, "so do releases");
	ok(r[0].answer && !r[1].answer, "of both");
	fix_close(&f, "one task twice");
}

static void ended_then_verdict(void)
{
	struct fix f;
	struct claimed c[4], old;
	struct verdict_row r;
	struct attempt a;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 4 });
	(void)claim(&f, "A", 4, c);
	old = c[0];
	is_int(finish(&f, "A", &c[0], 3), 1, "a failure is stored");
	is_int(task(&f, born, 1).state, TASK_ENDED, "its verdict is open");
	is_int(task(&f, born, 1).asks, 1, "the hook was asked once");
	is_str(task(&f, born, 1).label, "claimed", "it is shown as claimed");
	is_int(verdict(&f, verdict_of(&old, TASK_EV_COMPLETE)), 0,
	       "a verdict on an old version is refused");
	is_int(verdict(&f, verdict_of(&c[0], TASK_EV_LOSE)), 0, "an ended task cannot be lost");
	r = verdict_of(&c[0], TASK_EV_COMPLETE);
	r.note = "exit code 3 will not improve";
	is_int(queue_verdict(f.q, &r, 1, 44, &f.err), 0, "a verdict");
	is_int(r.answer, ANSWER_ACCEPTED, "on its version is accepted");
	is_int(queue_verdict(f.q, &r, 1, 44, &f.err), 0, "repeated");
	is_int(r.answer, ANSWER_ACCEPTED, "it says the same");
	ok(task(&f, born, 1).state == TASK_FAILED && task(&f, born, 1).acc == 1,
	   "complete accepts the attempt");
	is_str(task(&f, born, 1).label, "complete(code=3)", "its label is the attempt's");
	is_int(queue_attempt_get(f.q, born, 1, 1, &a, &f.err), 1, "the record");
	is_str(a.verdict, "exit code 3 will not improve", "keeps the policy's words");
	attempt_release(&a);

	(void)finish(&f, "A", &c[1], 1);
	r = verdict_of(&c[1], TASK_EV_COMPLETE);
	r.success = true;
	(void)verdict(&f, r);
	is_int(task(&f, born, 2).state, TASK_SUCCEEDED, "a policy may call it a success");

	(void)finish(&f, "A", &c[2], 1);
	r = verdict_of(&c[2], TASK_EV_FAIL);
	r.label = "failed(timeout)";
	r.reason = "ran longer than 5 s";
	(void)verdict(&f, r);
	ok(task(&f, born, 3).state == TASK_FAILED && task(&f, born, 3).acc == 1,
	   "fail publishes what was staged");
	is_str(task(&f, born, 3).label, "failed(timeout)", "under the verdict's label");
	is_str(task(&f, born, 3).reason, "ran longer than 5 s", "with the reason");

	(void)finish(&f, "A", &c[3], 1);
	r = verdict_of(&c[3], TASK_EV_RETRY);
	r.free = true;
	r.class = "{\"cpu\":2}";
	is_int(verdict(&f, r), ANSWER_ACCEPTED, "a free retry in another class");
	ok(task(&f, born, 4).state == TASK_PENDING && task(&f, born, 4).free == 1 &&
	   task(&f, born, 4).tries == 0 && task(&f, born, 4).class == 1, "is counted as free");
	(void)claim(&f, "A", 1, c);
	(void)finish(&f, "A", c, 1);
	r = verdict_of(c, TASK_EV_RETRY);
	r.class = "{\"cpu\":2.5}";
	(void)queue_verdict(f.q, &r, 1, 45, &f.err);
	is_int(r.answer, ANSWER_ACCEPTED, "a retry in a class that is new");
	ok(task(&f, born, 4).tries == 1 && task(&f, born, 4).class == 3, "appends it");
	(void)claim(&f, "A", 1, c);
	(void)queue_verdict(f.q, &r, 1, 45, &f.err);
	is_int(r.answer, ANSWER_ACCEPTED,
	       "the verdict's first answer stands when the task moved on");
	is_int(task(&f, born, 4).state, TASK_CLAIMED, "and changes nothing");
	is_str(counts(&f, born), "claimed: 1, complete(code=1): 1, complete(code=3): 1, "
	       "failed(timeout): 1", "all is counted");
	fix_close(&f, "verdicts");
}

static void no_result_staged(void)
{
	struct fix f;
	struct claimed c[1];
	struct outcome o;
	struct verdict_row r;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	(void)claim(&f, "A", 1, c);
	o = outcome_of("A", c, 1);
	o.a.result_sha256[0] = '\0';
	(void)queue_finish(f.q, "A", &o, 1, -1, 1, &f.err);
	c[0].v = o.v;
	r = verdict_of(c, TASK_EV_FAIL);
	r.label = "failed(missing input x)";
	(void)queue_verdict(f.q, &r, 1, 2, &f.err);
	ok(r.answer == ANSWER_ACCEPTED && r.over, "a failure without a result ends the job");
	is_int(task(&f, born, 1).acc, 0, "and accepts no attempt");
	fix_close(&f, "no result");
}

static void asking_again(void)
{
	struct fix f;
	struct claimed c[1];
	int64_t born, v, first;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	(void)claim(&f, "A", 1, c);
	v = c[0].v;
	is_int(queue_ask_again(f.q, born, 1, &v, 1, &f.err), 0,
	       "a claimed task has nothing to ask");
	(void)finish(&f, "A", c, 1);
	v = first = c[0].v;
	is_int(queue_ask_again(f.q, born, 1, &v, 2, &f.err), 1, "an ended one is asked again");
	is_int(v, first + 1, "its version moves");
	v = first;
	is_int(queue_ask_again(f.q, born, 1, &v, 2, &f.err), 1, "repeated it says the same");
	is_int(v, first + 1, "with the same version");
	is_int(verdict(&f, verdict_of(c, TASK_EV_RETRY)), 0,
	       "the first asker's verdict is refused");
	is_int(queue_ask_again(f.q, born, 1, &v, 3, &f.err), 0, "no hook is asked a third time");
	c[0].v = v;
	is_int(verdict(&f, verdict_of(c, TASK_EV_COMPLETE)), 1, "the second asker's verdict holds");
	is_int(queue_ask_again(f.q, born, 1, &v, 4, &f.err), 0, "then nothing is left to ask");
	fix_close(&f, "asking again");
}

static void losing(void)
{
	struct fix f;
	struct claimed c[1];
	struct verdict_row r;
	struct attempt a;
	char id[16];
	int64_t born;

	fix_open(&f);
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	for (int i = 0; i < LOST_MAX; i++) {
		snprintf(id, sizeof(id), "N%d", i);
		(void)node(&f, id);
		is_int(claim(&f, id, 1, c), 1, "claimed for the time %d", i + 1);
		is_int(c[0].lost, i, "lost so often before");
		r = verdict_of(c, TASK_EV_LOSE);
		is_int(verdict(&f, r), 0, "a living node loses nothing");
		(void)queue_node_move(f.q, id, 0, NODE_EV_LOSE, id_u64(), &f.err);
		is_int(finish(&f, id, &(struct claimed){ .job = born, .n = 1, .v = c[0].v - 1,
							 .attempt = c[0].attempt }, 0), 0,
		       "an older version is refused");
		is_int(queue_node_delete(f.q, id, &f.err), 0,
		       "a lost node that holds a task stays");
		r.note = "node is gone";
		is_int(verdict(&f, r), 1, "a lost node does");
		is_int(queue_node_delete(f.q, id, &f.err), 1, "then its row can go");
		is_int(finish(&f, id, c, 0), 0, "its late outcome is refused");
	}
	is_int(task(&f, born, 1).state, TASK_FAILED, "the fifth loss is the last");
	is_str(task(&f, born, 1).label, "failed(lost)", "with its label");
	is_int(task(&f, born, 1).acc, 0, "no attempt is accepted");
	is_int(job_state(&f, born), JOB_OVER, "the job is over");
	is_int(queue_attempt_get(f.q, born, 1, 2, &a, &f.err), 1, "each lost attempt has a record");
	ok(a.cause == CAUSE_LOST && strcmp(a.node, "N1") == 0, "with its node");
	is_str(a.verdict, "node is gone", "and the reason");
	attempt_release(&a);
	fix_close(&f, "losing");
}

static int note_asked(void *ctx, int64_t k, const char *text)
{
	buf_addf(ctx, "%lld:%s ", (long long)k, text);
	return 0;
}

static void what_was_asked(void)
{
	struct fix f;
	struct claimed c[1];
	struct verdict_row r;
	struct buf b = BUF_INIT;
	bool more = true;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 2 });
	for (int i = 0; i < 3; i++) {
		(void)claim(&f, "A", 1, c);
		(void)finish(&f, "A", c, 1);
		r = verdict_of(c, i < 2 ? TASK_EV_RETRY : TASK_EV_FAIL);
		r.asked = i == 0 ? "first" : i == 2 ? "third" : NULL;
		r.v++;
		is_int(verdict(&f, r), 0, "a verdict that is refused");
		r.v--;
		is_int(verdict(&f, r), 1, "and one that is not");
		r.asked = "late";
		(void)verdict(&f, r);
	}
	is_int(queue_asked(f.other, born, 1, note_asked, &b, &f.err), 0, "what was asked is read");
	is_str(b.p, "1:first 3:third ", "of the verdicts that hold, by attempt");
	buf_clear(&b);
	is_int(queue_asked(f.other, born, 2, note_asked, &b, &f.err), 0, "of another task");
	is_int((int)b.n, 0, "there is none");
	(void)queue_job_move(f.q, born, JOB_EV_REMOVE, true, id_u64(), &f.err);
	while (more && queue_job_delete(f.q, born, 2, &more, &f.err) == 0)
		;
	is_int(queue_asked(f.q, born, 1, note_asked, &b, &f.err), 0, "of a job that is removed");
	is_int((int)b.n, 0, "nothing is left");
	buf_release(&b);
	fix_close(&f, "asked");
}

static void losing_changes_the_class(void)
{
	struct fix f;
	struct claimed c[1];
	struct verdict_row r;
	struct job j;

	fix_open(&f);
	(void)node(&f, "A");
	(void)submit(&f, (struct spec){ .id = "j", .n = 1 });
	(void)claim(&f, "A", 1, c);
	(void)queue_node_move(f.q, "A", 0, NODE_EV_LOSE, id_u64(), &f.err);
	r = verdict_of(c, TASK_EV_LOSE);
	r.class = "{\"cpu\":1,\"lasting\":1}";
	is_int(verdict(&f, r), 1, "a lost task may be given other resources");
	is_int(queue_job_by_id(f.q, "j", &j, &f.err), 1, "the job");
	ok(task(&f, c[0].job, 1).class > 0 && strstr(j.classes, "lasting"),
	   "it is of that class: %s", j.classes);
	job_release(&j);
	is_int(task(&f, c[0].job, 1).tries, 0, "and nothing is counted against its retries");
	fix_close(&f, "lost to another class");
}

static void a_lost_node_may_finish_first(void)
{
	struct fix f;
	struct claimed c[2];
	struct verdict_row r;

	fix_open(&f);
	(void)node(&f, "A");
	(void)submit(&f, (struct spec){ .id = "j", .n = 2 });
	(void)claim(&f, "A", 2, c);
	(void)queue_node_move(f.q, "A", 0, NODE_EV_LOSE, id_u64(), &f.err);
	is_int(finish(&f, "A", &c[0], 0), 1, "a finish that comes before the sweep stands");
	is_int(verdict(&f, verdict_of(&c[0], TASK_EV_LOSE)), 0, "the sweep is refused then");
	r = verdict_of(&c[1], TASK_EV_LOSE_FAIL);
	r.label = "failed(policy)";
	r.reason = "no more";
	is_int(verdict(&f, r), 1, "a hook may fail a lost task");
	is_str(task(&f, c[1].job, 2).label, "failed(policy)", "in its own words");
	fix_close(&f, "late finish");
}

static int note_k(void *ctx, const struct attempt *a)
{
	buf_addf(ctx, "%lld.%lld ", (long long)a->n, (long long)a->k);
	return 0;
}

static void recent_and_attempts(void)
{
	struct fix f;
	struct claimed c[3];
	struct outcome o;
	struct buf b = BUF_INIT;
	struct attempt a;

	fix_open(&f);
	(void)node(&f, "A");
	(void)submit(&f, (struct spec){ .id = "j", .n = 3 });
	(void)claim(&f, "A", 3, c);
	for (int i = 0; i < 3; i++) {
		o = outcome_of("A", &c[i], 0);
		o.a.ended = 100000 + 30000 * i;
		o.a.tail = i == 2 ? xstrdup("last words") : NULL;
		(void)queue_finish(f.q, "A", &o, 1, -1, id_u64(), &f.err);
		free(o.a.tail);
	}
	is_int(queue_recent(f.q, 45000, note_k, &b, &f.err), 0, "attempts of the last while");
	is_str(b.p, "2.1 3.1 ", "before the newest end");
	buf_clear(&b);
	is_int(queue_attempts(f.q, c[0].job, 3, note_k, &b, &f.err), 0, "attempts of a task");
	is_str(b.p, "3.1 ", "are listed");
	is_int(queue_attempt_get(f.q, c[0].job, 3, 1, &a, &f.err), 1, "one by its number");
	is_str(a.tail, "last words", "with the end of its output");
	attempt_release(&a);
	is_int(queue_attempt_get(f.q, c[0].job, 3, 2, &a, &f.err), 0, "another is not there");
	buf_release(&b);
	fix_close(&f, "recent");
}

int main(void)
{
	success();
	each_by_itself();
	one_task_twice();
	ended_then_verdict();
	no_result_staged();
	asking_again();
	losing();
	losing_changes_the_class();
	what_was_asked();
	a_lost_node_may_finish_first();
	recent_and_attempts();
	return tap_done();
}
