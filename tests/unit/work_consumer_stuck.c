/*
 * A hook that never comes back: the watchdog ends the node, which holds no lock and has stored what
 * it knew. Whoever comes next asks once more, and then decides without the hook. No task is lost.
 */
#include "node_fixture.h"

#include <sys/stat.h>

#include "work/policy.h"

/* Of a job whose name begins with "stuck"; one that begins with "slow" takes half a second. */
static int never(struct policy *p, const struct policy_view *v, struct policy_verdict *out,
		 struct err *err)
{
	struct timespec t = { .tv_nsec = 10000000 };

	(void)p;
	(void)err;
	if (strncmp(v->job->id, "slow", 4) == 0)
		for (int i = 0; i < 50; i++)
			(void)nanosleep(&t, NULL);
	while (strncmp(v->job->id, "stuck", 5) == 0)
		(void)nanosleep(&t, NULL);
	*out = (struct policy_verdict){ .action = POLICY_COMPLETE };
	return 0;
}

/* Waits until so many bytes are in that file. */
static bool wait_size(const char *name, off_t size)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct timespec t = { .tv_nsec = 2000000 };
	char *path = xasprintf("%s/%s", top, name);
	struct stat st = { 0 };

	while ((stat(path, &st) < 0 || st.st_size < size) && clock_mono_ms() < until)
		(void)nanosleep(&t, NULL);
	free(path);
	return st.st_size >= size;
}

static int ends_by_abort(pid_t pid)
{
	return ended(pid) == 128 + SIGABRT;
}

/* Eight hooks in one commit take longer than the watchdog waits for one. */
static void test_slow(void)
{
	int64_t a;
	pid_t pid;

	begin("slow", "x", NULL, NULL);
	command("echo >>%s/up; while ! [ -e %s/go ]; do sleep 0.01; done; exit 3", top, top);
	spec.common.resources.cpu = 250;
	seq(8);
	a = submit();
	pid = node("n0", 0, 10000);
	ok(wait_size("up", 8), "eight tasks run");
	make("go");
	ok(wait_over(a), "they end together, and each is asked about");
	is_int(ended(pid), 0, "many hooks that are slow are no hook that is stuck");
}

static void tests(void)
{
	int64_t a, b;
	struct task t;
	pid_t pid;

	test_slow();
	begin("stuck", "exit 3", NULL, NULL);
	a = submit();
	begin("other", "x", NULL, NULL);
	command("echo >>%s/ran; [ $KQ_NODE = n3 ] || sleep 60; echo done", top);
	b = submit();
	pid = node("n1", -1, 10000);
	ok(wait_file(".", "ran"), "another job's task runs beside it");
	ok(ends_by_abort(pid), "the node whose hook is stuck is ended");
	task(a, 1, &t);
	ok(t.state == TASK_ENDED && t.asks == 1, "the outcome is stored, the verdict open");
	pid = node("n2", -1, 10000);
	ok(ends_by_abort(pid), "the next one asks again, and is ended");
	task(a, 1, &t);
	ok(t.state == TASK_ENDED && t.asks == 2, "the task was asked about twice");
	pid = node("n3", 0, 10000);
	is_int(ended(pid), 0, "the third does not ask any more, and leaves when all is done");
	ok(is_over(a) && is_over(b), "both jobs are over");
	is_str(label(a, 1), "complete(code=3)", "by the stock verdict");
	task(b, 1, &t);
	is_str(t.label, "complete(code=0)", "the task beside it has run");
	ok(t.lost >= 1 && t.attempt == t.lost + 1, "after %d nodes went with it", t.lost);
	ok(has("other", "1/stdout.txt", "done\n"), "and its result is there");
}

int main(int argc, char **argv)
{
	static const struct policy_ops ops = { .name = "never", .task_failed = never };
	static struct policy policy = { &ops };

	node_policy = &policy;
	node_watch_ms = 50;
	return run_tests(argc, argv, tests);
}
