/* --clean and --rerun: what is replaced, what is kept, and where results go. */
#include "submit_fixture.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/id.h"
#include "sys/hash.h"
#include "work/results.h"

static void begin_rerun(enum submit_mode mode)
{
	begin();
	spec.id = "j";
	spec.mode = mode;
	params("p.csv");
	command("sh", "^s.sh", "{n}");
}

static int submit_said(void)
{
	int ret = submit();

	if (ret < 0)
		printf("# %s\n", err.text);
	return ret;
}

/* ---- a node that does nothing ---------------------------------------------------------------- */

static int64_t claims;

static size_t want(void *ctx, const struct job *job, int class, size_t left)
{
	(void)ctx;
	(void)job;
	(void)class;
	return left;
}

static void took(void *ctx, const struct job *job, int class, size_t count)
{
	(void)ctx;
	(void)job;
	(void)class;
	(void)count;
}

static void add_node(void)
{
	char cluster[] = "local", cap[] = "{\"cpu\":64,\"memory\":0}", info[] = "{}";
	struct node n = { .id = "n-1", .cluster = cluster, .cap = cap, .info = info };

	is_int(queue_node_register(queue, &n, false, id_u64(), &err), 1, "a node");
}

static size_t claim_all(struct claimed *out, size_t max)
{
	struct claim_request r = { .node = "n-1", .op = id_u64(), .seq = claims, .max = max,
				   .now = clock_wall_ms(), .want = want, .took = took };
	struct claim_reply reply;
	int n = queue_claim(queue, &r, out, &reply, &err);

	if (n < 0)
		printf("# %s\n", err.text);
	if (n > 0)
		claims++;
	return n > 0 ? (size_t)n : 0;
}

static void publish(const struct claimed *c, struct attempt *a)
{
	struct results_id id = { queue_uuid(queue), c->job, "j" };
	struct results *r = NULL;
	struct buf text = BUF_INIT;
	char *dir = xasprintf("%s/j", top);
	int fd;

	if (results_open(dir, &id, 022, &r, &err) <= 0) {
		printf("# cannot open results: %s\n", err.text);
		free(dir);
		return;
	}
	fd = results_stage_make(r, c->n, c->attempt, &err);
	buf_addf(&text, "{\"name\":\"%lld.%lld.n-1\",\"job\":\"j\",\"task\":%lld,\"files\":[]}\n",
		 (long long)c->job, (long long)c->attempt, (long long)c->n);
	file_write(fd, "stdout.txt", "out\n", 4, 0644, false, &err);
	file_write(fd, "result.json", text.p, text.n, 0644, false, &err);
	close(fd);
	hash_mem(text.p, text.n, a->result_sha256);
	a->result_bytes = (int64_t)text.n;
	if (results_publish(r, c->n, c->attempt, &err) <= 0)
		printf("# cannot publish: %s\n", err.text);
	results_close(r);
	buf_release(&text);
	free(dir);
}

/* All claimed tasks succeed, but those of number `bad`. */
static void run_tasks(const struct claimed *c, size_t n, int64_t bad)
{
	for (size_t i = 0; i < n; i++) {
		bool good = c[i].n != bad;
		struct outcome o = { .v = c[i].v, .success = good };
		struct verdict_row v = { .job = c[i].job, .n = c[i].n, .event = TASK_EV_COMPLETE,
					 .label = "complete(code=1)", .reason = "" };

		o.a = (struct attempt){ .job = c[i].job, .n = c[i].n, .k = c[i].attempt,
					.node = "n-1", .cause = CAUSE_EXIT,
					.exit_code = good ? 0 : 1 };
		label_complete(o.a.label, o.a.exit_code, 0);
		publish(&c[i], &o.a);
		if (queue_finish(queue, "n-1", &o, 1, -1, id_u64(), &err) < 0)
			printf("# %s\n", err.text);
		v.v = o.v;
		if (!good && queue_verdict(queue, &v, 1, id_u64(), &err) < 0)
			printf("# %s\n", err.text);
	}
}

static size_t run_all(int64_t bad)
{
	struct claimed c[32];
	size_t n = claim_all(c, 32);

	run_tasks(c, n, bad);
	return n;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static enum task_state state_of(int64_t n)
{
	struct task t = { .state = TASK_PENDING };

	if (queue_task_get(queue, result.born, n, &t, &err) <= 0)
		return (enum task_state)-1;
	return t.state;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void keeps_what_succeeded(void)
{
	struct attempt a;

	write_file("s.sh", "echo\n", 0644);
	write_file("p.csv", "n\n1\n2\n3\n", 0644);
	begin_rerun(SUBMIT_NEW);
	is_int(submit_said(), 0, "three tasks");
	is_int((long long)run_all(2), 3, "run");
	ok(is_there("j/1/stdout.txt") && is_there("j/3/result.json"), "and leave results");
	write_file("p.csv", "n\n4\n3\n2\n1\n", 0644);
	utimensat(AT_FDCWD, "s.sh", (struct timespec[2]){ { .tv_sec = 5 }, { .tv_sec = 5 } }, 0);
	begin_rerun(SUBMIT_RERUN);
	is_int(submit_said(), 0, "--rerun with one row more, in another order");
	is_int(result.kept, 2, "keeps the two that succeeded, though an input was touched");
	is_int(state_of(1), TASK_PENDING, "a new row runs");
	is_int(state_of(2), TASK_SUCCEEDED, "3 is kept");
	is_int(state_of(3), TASK_PENDING, "2 failed: it runs again");
	is_int(state_of(4), TASK_SUCCEEDED, "1 is kept");
	ok(is_there("j/2/stdout.txt") && is_there("j/4/stdout.txt") && !is_there("j/1"),
	   "results go with the rows");
	is_int(queue_attempt_get(queue, result.born, 4, 1, &a, &err), 1, "so do attempts");
	is_int(a.exit_code, 0, "as they were");
	attempt_release(&a);
	is_int((long long)run_all(0), 2, "the other two run");
}

static void changed(void)
{
	struct attempt a;

	begin_rerun(SUBMIT_RERUN);
	is_int(submit_said(), 0, "--rerun of what is complete");
	is_int(result.kept, 4, "keeps all");
	is_int((long long)run_all(0), 0, "and nothing runs");
	ok(is_there("j/1/result.json"), "results are in place");
	write_file("s.sh", "echo new\n", 0644);
	begin_rerun(SUBMIT_RERUN_ANY);
	is_int(submit_said(), 0, "--rerun=any with another input");
	is_int(result.kept, 4, "keeps all");
	begin_rerun(SUBMIT_RERUN_ANY);
	is_int(submit_said(), 0, "again");
	is_int(result.kept, 4, "keeps all");
	is_int(queue_attempt_get(queue, result.born, 2, 1, &a, &err), 1, "with attempts");
	ok(strstr(a.verdict, "made by another command"), "that say so");
	attempt_release(&a);
	begin_rerun(SUBMIT_RERUN);
	is_int(submit_said(), 0, "--rerun with what the manifest says by now");
	is_int(result.kept, 0, "does not take these for unchanged");
	is_int((long long)run_all(0), 4, "all run");
	begin_rerun(SUBMIT_RERUN);
	spec.common.env = (struct pairs){ (struct pair[]){ { STR("A"), STR("b") } }, 1 };
	is_int(submit_said(), 0, "--rerun with another environment");
	is_int(result.kept, 0, "keeps none");
	is_int((long long)run_all(0), 4, "all run");
	begin_rerun(SUBMIT_RERUN);
	spec.common.env = (struct pairs){ (struct pair[]){ { STR("A"), STR("b") } }, 1 };
	write_file("p.csv", "n\n1\n1\n1\n", 0644);
	is_int(submit_said(), 0, "--rerun with equal rows");
	is_int(result.kept, 1, "a result is given away once");
	is_int((long long)run_all(0), 2, "the others run");
}

static void running(void)
{
	struct claimed c[8];
	size_t n;

	begin_rerun(SUBMIT_CLEAN);
	is_int(submit_said(), 0, "--clean");
	n = claim_all(c, 1);
	is_int((long long)n, 1, "one task runs");
	begin_rerun(SUBMIT_RERUN);
	is_int(submit(), -1, "--rerun of a running job");
	ok(err.code == ERR_CONFLICT && strstr(err.text, "running"), "is refused");
	begin_rerun(SUBMIT_CLEAN);
	is_int(submit(), -1, "so is --clean");
	run_tasks(c, n, 0);
	begin_rerun(SUBMIT_CLEAN);
	is_int(submit_said(), 0, "not any more");
	is_int(result.kept, 0, "--clean keeps nothing");
}

static void interrupted_rerun(void)
{
	struct job j;
	int64_t born = result.born;

	run_all(0);
	begin_rerun(SUBMIT_RERUN);
	write_file("p.csv", "n\n1\n{\n", 0644);
	spec.format = PARAMS_JSONL;
	ok(submit() < 0, "a --rerun that is refused");
	is_int(queue_job_by_id(queue, "j", &j, &err), 1, "leaves the job");
	is_int(j.born, born, "that was there");
	job_release(&j);
}

static void tests(void)
{
	add_node();
	keeps_what_succeeded();
	changed();
	running();
	interrupted_rerun();
}

int main(void)
{
	return run_tests(tests);
}
