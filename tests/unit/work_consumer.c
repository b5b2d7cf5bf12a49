/*
 * A node from registration to leaving, on real jobs: what runs, what is stored, what is published;
 * tasks that are killed, nodes that are told to leave.
 */
#include "node_fixture.h"

#include "sys/db.h"
#include "work/control.h"

/* Like ended(), but not for ever. */
static int ended_soon(pid_t pid)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct timespec pause = { .tv_nsec = 10000000 };
	int status = -1;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_mono_ms() > until)
			(void)kill(pid, SIGKILL);
		(void)nanosleep(&pause, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_runs(void)
{
	pid_t pid;
	int64_t a, b, c, d;

	begin("plain", "echo", "hello", "{index}");
	seq(300);
	a = submit();
	begin("shell", "echo $KQ_TASK $KQ_PARAM_index; pwd >w; exit 3", NULL, NULL);
	seq(2);
	b = submit();
	begin("none", "no-such-program", NULL, NULL);
	c = submit();
	begin("out", "echo x >a.txt; mkdir d; echo y >d/b; ln -s a.txt l; ln -s /etc/passwd o; "
		     "echo mine >result.json; mkfifo f; chmod 4755 d/b", NULL, NULL);
	d = submit();
	pid = node("n1", 0, 10000);
	ok(wait_over(a) && wait_over(b) && wait_over(c) && wait_over(d), "four jobs end");
	is_str(label(a, 300), "complete(code=0)", "a plain task succeeds");
	ok(has("plain", "300/stdout.txt", "hello 300\n"), "its output is published");
	is_str(label(b, 2), "complete(code=3)", "an exit code is kept");
	ok(has("shell", "2/stdout.txt", "2 2\n"), "the environment names task and parameters");
	ok(mentions("shell", "2/w", "/work/n1/"), "it ran in a directory of its node");
	is_str(label(c, 1), "complete(code=127)", "a missing program is code 127");
	ok(mentions("none", "1/stdout.txt", "no-such-program"), "with a line that names it");
	ok(has("out", "1/a.txt", "x\n") && has("out", "1/d/b", "y\n"), "outputs keep their paths");
	ok(has("out", "1/l", "x\n"), "a link to a file inside is its content");
	ok(!exists("out", "1/o") && mentions("out", "1/result.json", "leads outside"),
	   "one that leads outside is listed as skipped");
	ok(has("out", "1/task.result.json", "mine\n"), "the task's own result.json is renamed");
	ok(mentions("out", "1/result.json", "\"reason\":\"FIFO\""), "a FIFO is skipped");
	is_int(ended(pid), 0, "the node leaves when nothing is left");
	is_int(nodes(), 0, "and its row is gone");
	ok(!exists("work", "n1"), "its work directory as well");
	ok(!exists("nodes", "n1.lock"), "and its lock");
	ok(!exists("plain", ".attempts/1.1"), "no stage is left");
}

static void test_limits(void)
{
	pid_t pid;
	int64_t a, b, c, d;

	begin("slow", "trap '' TERM; echo before; sleep 60", NULL, NULL);
	spec.common.timeout_ms = 200;
	spec.common.grace_ms = 200;
	a = submit();
	begin("bg", "(trap '' TERM; sleep 60) & echo done >f", NULL, NULL);
	spec.common.grace_ms = 100;
	b = submit();
	begin("wreck", "mv \"$KQ_WORK\" \"$KQ_WORK.moved\"; chmod 0 .", NULL, NULL);
	c = submit();
	begin("after", "ls -a", NULL, NULL);
	d = submit();
	pid = node("n2", 0, 10000);
	ok(wait_over(a) && wait_over(b) && wait_over(c) && wait_over(d), "they all end");
	is_str(label(a, 1), "failed(timeout)", "a timeout wins over what the program says");
	ok(has("slow", "1/stdout.txt", "before\n"), "its output is published");
	is_str(label(b, 1), "complete(code=0)", "what is left in the group does not matter");
	ok(has("bg", "1/f", "done\n"), "and the outputs are collected after its end");
	is_str(label(c, 1), "complete(code=0)", "a task may wreck its directory");
	ok(has("after", "1/stdout.txt", ".\n..\n"), "the next one finds a fresh one");
	is_int(ended(pid), 0, "the node lives on, then leaves");
}

static void test_retry(void)
{
	struct task t;
	int64_t a;
	pid_t pid;

	begin("again", "echo try $KQ_ATTEMPT; [ $KQ_ATTEMPT = 2 ]", NULL, NULL);
	spec.common.retries = 3;
	a = submit();
	pid = node("n3", 0, 10000);
	ok(wait_over(a), "a task that is tried again ends");
	task(a, 1, &t);
	ok(t.state == TASK_SUCCEEDED && t.acc == 2 && t.tries == 1, "at its second attempt");
	ok(has("again", "1/stdout.txt", "try 2\n"), "which is published");
	ok(has("again", ".attempts/1.1.log", "try 1\n"), "the first one's output is kept");
	is_int(ended(pid), 0, "the node waited for the retry");
}

static void test_kill_task(void)
{
	const struct control ctl = { .queue = queue, .home = top };
	struct err err = ERR_INIT;
	int64_t a, since, count = 0;
	pid_t pid;

	begin("killed", "x", NULL, NULL);
	command("echo begun; echo x >out; touch %s/begun; sleep 60", top);
	a = submit();
	pid = node("n4", 0, 2000);
	ok(wait_file(".", "begun"), "it runs");
	since = clock_mono_ms();
	is_int(control_kill(&ctl, a, NULL, &count, &err), 0, "somebody kills the job");
	is_int(count, 1, "which has one open task");
	ok(wait_over(a), "it is over");
	is_int(ended(pid), 0, "the node stops the task and leaves");
	ok(clock_mono_ms() - since < 5000, "at once");
	is_str(label(a, 1), "killed", "the task is killed");
	ok(has("killed", "1/stdout.txt", "begun\n"), "what it said is published");
	ok(mentions("killed", "1/result.json", "\"state\":\"killed\"") &&
	   !exists("killed", "1/out"),
	   "with a result.json and nothing else");
}

static void test_drain(void)
{
	int64_t a;
	pid_t pid;
	char *go;

	begin("drain", "x", NULL, NULL);
	command("touch %s/d$KQ_TASK; while [ ! -e %s/go ]; do sleep 0.02; done; echo $KQ_TASK",
			     top, top);
	seq(6);
	a = submit();
	pid = node("n8", -1, 10000);
	ok(wait_file(".", "d1") && wait_file(".", "d2"), "two of six run");
	(void)kill(pid, SIGTERM);
	go = xasprintf("%s/go", top);
	(void)close(open(go, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	free(go);
	is_int(ended(pid), 0, "a node that gets SIGTERM ends what runs and leaves");
	is_str(label(a, 1), "complete(code=0)", "what ran is complete");
	is_int(nodes(), 0, "nothing of the node is left");
	pid = node("n9", 0, 10000);
	ok(wait_over(a), "another one does the rest");
	is_int(ended(pid), 0, "and leaves");
}

/* Told to leave while a claim waits behind outcomes that cannot be stored just now. */
static void test_drain_while_claiming(void)
{
	char *path = xasprintf("%s/queue.db", top);
	const struct db_options o = { .path = path };
	struct timespec pause = { .tv_nsec = 150000000 };
	struct err err = ERR_INIT;
	struct db *db = db_open(&o, &err);
	int64_t a;
	pid_t pid;

	begin("drain2", "x", NULL, NULL);
	command("touch %s/e$KQ_TASK; while [ ! -e %s/go3 ]; do sleep 0.02; done; touch %s/f$KQ_TASK",
		top, top, top);
	seq(2);
	a = submit();
	pid = node("n20", -1, 10000);
	ok(wait_file(".", "e1") && wait_file(".", "e2"), "two tasks run");
	is_int(db_begin(db, false, &err), 0, "the queue is locked");
	make("go3");
	ok(wait_file(".", "f1") && wait_file(".", "f2"), "they end, which cannot be stored now");
	(void)nanosleep(&pause, NULL);
	is_int(bell_ring(bells_fd, "n.n20"), 1, "somebody rings: there may be more to claim");
	(void)nanosleep(&pause, NULL);
	(void)kill(pid, SIGTERM);
	(void)nanosleep(&pause, NULL);
	db_rollback(db);
	is_int(ended_soon(pid), 0, "a node that is told to leave then leaves");
	ok(is_over(a), "and has stored them");
	db_close(db);
	free(path);
}

static void tests(void)
{
	test_runs();
	test_limits();
	test_retry();
	test_kill_task();
	test_drain();
	test_drain_while_claiming();
}

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
