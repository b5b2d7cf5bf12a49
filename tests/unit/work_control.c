/* work/control.h: kill, reset, end, removal and draining over the real queue. */
#include "tap.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "sys/bell.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/signals.h"
#include "work/control.h"
#include "work/results.h"

static char home[PATH_MAX];
static int top;
static struct err err;
static struct queue *q;
static struct control c;

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, err.text);
	exit(1);
}

/* A job of n tasks; its uid. */
static int64_t submit(const char *id, int64_t n)
{
	char *info = xasprintf("{\"results\":\"%s/results/%s\"}", home, id);
	struct job_new j = { .id = id, .user = "me", .cluster = "local", .classes = "[{}]",
			     .info = info, .secret = "{}", .policy = "", .t = 1 };
	struct bind b = { .n = n, .root = "r" };
	struct task_new *t = xcalloc((size_t)n, sizeof(*t));
	int64_t born;

	if (queue_submit_begin(q, &j, &born, &err) < 0 ||
	    queue_submit_add(q, born, 1, t, (size_t)n, &err) < 0)
		die("submit");
	b.born = born;
	b.op = id_u64();
	if (queue_submit_bind(q, &b, &err) != BIND_DONE)
		die("bind");
	free(t);
	free(info);
	return born;
}

static void add_node(const char *id)
{
	char cluster[] = "local", cap[] = "{}", info[] = "{}";
	struct node n = { .cluster = cluster, .cap = cap, .info = info, .t = 1 };

	(void)snprintf(n.id, sizeof(n.id), "%s", id);
	if (queue_node_register(q, &n, false, id_u64(), &err) != 1)
		die("register");
}

static size_t want_all(void *ctx, const struct job *job, int class, size_t left)
{
	(void)job;
	(void)class;
	return MIN(left, *(size_t *)ctx);
}

static size_t claim(const char *node, size_t max, struct claimed *out)
{
	struct claim_request r = { .node = node, .op = id_u64(), .max = max, .now = clock_wall_ms(),
				   .seq = -1, .ctx = &max, .want = want_all };
	struct claim_reply reply;
	int n = queue_claim(q, &r, out, &reply, &err);

	if (n < 0)
		die("claim");
	return (size_t)n;
}

/* Ends a claimed task: success, or with this label by the verdict. */
static void end_task(const char *node, const struct claimed *k, const char *label)
{
	struct outcome o = { .v = k->v, .success = !label };
	struct verdict_row v;

	o.a = (struct attempt){ .job = k->job, .n = k->n, .k = k->attempt,
				.exit_code = label ? 3 : 0,
				.cause = CAUSE_EXIT, .started = 1, .ended = 2 };
	(void)snprintf(o.a.node, sizeof(o.a.node), "%s", node);
	(void)snprintf(o.a.label, sizeof(o.a.label), "%s", label ? label : "complete(code=0)");
	if (queue_finish(q, node, &o, 1, -1, id_u64(), &err) < 0 || o.answer != ANSWER_ACCEPTED)
		die("finish");
	if (!label)
		return;
	v = (struct verdict_row){ .job = k->job, .n = k->n, .v = o.v, .label = label,
				  .event = str_starts(label,
						      "failed") ? TASK_EV_FAIL : TASK_EV_COMPLETE };
	if (queue_verdict(q, &v, 1, id_u64(), &err) < 0 || v.answer != ANSWER_ACCEPTED)
		die("verdict");
}

static int add_count(void *ctx, const char *label, int64_t count)
{
	if (count)
		buf_addf(ctx, "%s %lld,", label, (long long)count);
	return 0;
}

static const char *counts(int64_t born)
{
	static struct buf b = BUF_INIT;

	buf_clear(&b);
	if (queue_counts(q, born, add_count, &b, &err) < 0)
		die("counts");
	return b.p;
}

static int state(int64_t born)
{
	struct job j = { .born = 0 };
	int found = queue_job_get(q, born, &j, &err), s = (int)j.state;

	job_release(&j);
	return found == 1 ? s : -1;
}

static void test_kill(void)
{
	const struct ranges some = { (struct range[]){ { 2, 3 } }, 1 };
	int64_t born = submit("killed", 5000), count;
	struct bell node = BELL_INIT, watcher = BELL_INIT;
	struct claimed t[4];
	char name[64];
	int bells = bell_dir(top, &err);

	(void)snprintf(name, sizeof(name), "w.%lld.x", (long long)born);
	if (bell_open(&node, bells, "n.one", &err) < 0 ||
	    bell_open(&watcher, bells, name, &err) < 0)
		die("bells");
	add_node("one");
	claim("one", 4, t);
	end_task("one", &t[0], NULL);
	is_int(control_kill(&c, born, &some, &count, &err), 0, "some tasks of a job are killed");
	is_int(count, 2, "as many as there were");
	ok(bell_wait(&node, 0) == BELL_RANG && bell_wait(&watcher, 0) == BELL_RANG,
	   "nodes and watchers are told");
	is_int(state(born), JOB_OPEN, "the job goes on");
	is_str(counts(born), "claimed 1,complete(code=0) 1,killed 2,pending 4996,",
	       "and the rest of it");
	is_int(control_kill(&c, born, NULL, &count, &err), 0, "the whole job is killed");
	is_int(count, 4997, "all that was open");
	is_int(state(born), JOB_OVER, "it is over then");
	is_str(counts(born), "complete(code=0) 1,killed 4999,", "what had ended stands");
	ok(control_kill(&c, born, NULL, &count, &err) == 0 && count == 0, "twice is no error");
	ok(control_kill(&c, 99999, NULL, &count, &err) < 0 && err.code == ERR_NOT_FOUND,
	   "a job that is not there is one");

	born = submit("halfway", 10);
	if (queue_job_move(q, born, JOB_EV_KILL, false, id_u64(), &err) != 1)
		die("kill");
	ok(control_finish_kill(&c, born, &count, &err) == 0 && count == 10 &&
	   state(born) == JOB_OVER,
	   "whoever finds a kill begun ends it");
	ok(control_finish_kill(&c, born, &count, &err) == 0 && count == 0, "once");
	bell_close(&node);
	bell_close(&watcher);
	close(bells);
}

static void test_reset(void)
{
	int64_t born = submit("again", 6), count;
	struct control_reset r = { .born = born, .what = CONTROL_FAILED | CONTROL_KILLED };
	struct claimed t[6];

	add_node("two");
	is_int(claim("two", 6, t), 6, "six tasks are claimed");
	end_task("two", &t[0], NULL);
	end_task("two", &t[1], "complete(code=3)");
	end_task("two", &t[2], "failed(timeout)");
	end_task("two", &t[3], "failed(memory)");
	is_int(control_reset(&c, &r, &count, &err), 0, "reset");
	is_int(count, 2, "takes what failed, and not what ended with a code");
	is_str(counts(born), "claimed 2,complete(code=0) 1,complete(code=3) 1,pending 2,",
	       "as it says");
	r.what = CONTROL_COMPLETE;
	ok(control_reset(&c, &r, &count, &err) == 0 && count == 1, "which can be had by itself");
	r.what = CONTROL_SUCCEEDED;
	ok(control_reset(&c, &r, &count, &err) == 0 && count == 1, "as can what succeeded");
	r.what = CONTROL_FAILED;
	r.owner = "two";
	ok(control_reset(&c, &r, &count, &err) == 0 && count == 2, "and what a node holds");
	is_str(counts(born), "pending 6,", "all wait again");
	r.owner = NULL;
	claim("two", 2, t);
	end_task("two", &t[0], "failed(x)");
	end_task("two", &t[1], "failed(x)");
	r.ranges = (struct ranges){ (struct range[]){ { t[1].n, t[1].n } }, 1 };
	ok(control_reset(&c, &r, &count, &err) == 0 && count == 1, "only those that are named");
	control_kill(&c, born, NULL, &count, &err);
	r.what = CONTROL_KILLED;
	r.ranges.n = 0;
	ok(control_reset(&c, &r, &count, &err) == 0 && count == 5 && state(born) == JOB_OPEN,
	   "a job that was over is open again");
	control_kill(&c, born, NULL, &count, &err);
	ok(control_reset_word("failed") == CONTROL_FAILED && control_reset_word("x") == 0, "words");
}

static void test_nodes(void)
{
	int64_t born, count;
	bool woken;

	is_int(control_drain(&c, "one", &err), 1, "a node is told to leave");
	is_int(control_drain(&c, "nobody", &err), 0, "one that is not there is not");
	born = submit("work", 1);
	is_int(control_release_nodes(&c, "local", &woken, &err), 0, "with work open, nodes stay");
	control_kill(&c, born, NULL, &count, &err);
	is_int(control_release_nodes(&c, "local", &woken, &err), 1, "without, idle ones are told");
	ok(!woken, "and nobody needs one");
	is_int(control_release_nodes(&c, "local", &woken, &err), 0, "all are leaving now");
}

/* Claims of a node that is dead (its lock file is there and nobody holds it) are taken away. */
static void test_dead(void)
{
	int64_t born = submit("dead", 3), count;
	struct control_reset r = { .born = born, .what = CONTROL_CLAIMED };
	struct lock l = LOCK_INIT;
	struct claimed t[2];
	int nodes = -1;

	if (file_mkdirs(top, "nodes", 0700, &err) < 0 ||
	    (nodes = file_open_dir(top, "nodes", &err)) < 0 ||
	    lock_take(&l, nodes, "four.lock", false, 0, &err) != 1)
		die("nodes");
	add_node("four");
	claim("four", 2, t);
	ok(control_reset(&c, &r, &count, &err) == 0 && count == 0,
	   "what a living node holds is left to it");
	lock_drop(&l);
	is_int(control_reset(&c, &r, &count, &err), 0, "what a dead one holds");
	is_int(count, 2, "is pending again");
	is_str(counts(born), "pending 3,", "at once");
	control_kill(&c, born, NULL, &count, &err);
	close(nodes);
}

/* A staged attempt with its result.json, as a node that died would leave it. */
static void stage(struct results *r, int64_t n, int64_t k, int64_t born)
{
	char *json = xasprintf("{\"name\":\"%lld.%lld.three\"}\n", (long long)born, (long long)k);
	int fd = results_stage_make(r, n, k, &err);

	if (fd < 0 || file_write(fd, "result.json", json, strlen(json), 0600, false, &err) < 0)
		die("stage");
	close(fd);
	free(json);
}

static bool exists(const char *path)
{
	return faccessat(top, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_remove(void)
{
	char *dir = xasprintf("%s/results/gone", home);
	int64_t born = submit("gone", 3), count, other;
	struct results_id id = { queue_uuid(q), born, "gone" };
	struct results *r = NULL;
	struct claimed t[3];

	add_node("three");
	claim("three", 2, t);
	end_task("three", &t[0], NULL);
	if (file_mkdirs(top, "results", 0700, &err) < 0 ||
	    results_open(dir, &id, 077, &r, &err) != 1)
		die("results");
	stage(r, t[0].n, t[0].attempt, born);
	stage(r, t[1].n, t[1].attempt, born);
	ok(control_remove(&c, born, true, false, &err) < 0 && err.code == ERR_CONFLICT &&
	   strstr(err.text, "kubeque kill gone"), "a job with running tasks is not forgotten");
	end_task("three", &t[1], "failed(x)");
	ok(control_remove(&c, born, false, false, &err) < 0 && err.code == ERR_CONFLICT &&
	   strstr(err.text, "--force"), "one with waiting tasks neither");
	is_int(state(born), JOB_OPEN, "and nothing has happened to it");
	is_int(control_remove(&c, born, true, false, &err), 0, "unless that is asked for");
	is_int(state(born), -1, "then it is gone");
	ok(exists("results/gone/1/result.json"), "what had succeeded is published first");
	ok(!exists("results/gone/.attempts") && !exists("results/gone/2"),
	   "what counts for nothing goes");
	ok(control_remove(&c, born, true, false, &err) < 0 && err.code == ERR_NOT_FOUND,
	   "it is gone for good");
	results_close(r);

	other = submit("gone2", 1);
	id = (struct results_id){ queue_uuid(q), other, "gone2" };
	free(dir);
	dir = xasprintf("%s/results/gone2", home);
	control_kill(&c, other, NULL, &count, &err);
	if (results_open(dir, &id, 077, &r, &err) != 1 || !exists("results/gone2/.kubeque"))
		die("results");
	results_close(r);
	/* Somebody marked it and died. */
	if (queue_job_move(q, other, JOB_EV_REMOVE, false, id_u64(), &err) != 1)
		die("remove");
	is_int(control_remove(&c, other, false, true, &err), 0,
	       "a removal that was begun is ended");
	ok(state(other) == -1 && !exists("results/gone2"), "results too, if that is asked for");
	free(dir);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct queue_sqlite_options o = { .create = true };
	char *path;

	(void)snprintf(home, sizeof(home), "%s/kq-control-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(home) || (top = file_open_dir(AT_FDCWD, home, &err)) < 0)
		return 1;
	(void)signal(SIGPIPE, SIG_IGN);
	path = xasprintf("%s/queue.db", home);
	o.path = path;
	q = queue_sqlite_open(&o, &err);
	if (!q)
		die("queue");
	c = (struct control){ .queue = q, .home = home };
	test_kill();
	test_reset();
	test_nodes();
	test_dead();
	test_remove();
	queue_close(q);
	free(path);
	close(top);
	file_rmtree(AT_FDCWD, home, &err);
	return tap_done();
}
