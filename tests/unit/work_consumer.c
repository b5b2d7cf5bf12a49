/*
 * A node from registration to leaving, on real jobs: what runs, what is stored, what is published;
 * killed, stopped and drained nodes; what a reaper makes of them.
 */
#include "work/consumer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "cas/cas.h"
#include "sys/bell.h"
#include "sys/db.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "tap.h"
#include "work/control.h"
#include "work/reaper.h"
#include "work/recover.h"
#include "work/results.h"
#include "work/submit.h"

enum { WAIT_MS = 30000 };

static char top[256];
static struct queue *queue;
static struct cas *cas;
static struct submit_spec spec;
static struct submit_result result;
static const char *words[8];
static int bells_fd;

/* ---- helpers ---- */

/* What this program does when it is started again as a node: queue handles survive no fork. */
static int be_node(char **argv)
{
	struct consumer_options o = CONSUMER_OPTIONS_INIT;
	struct err err = ERR_INIT;
	int64_t lease = 0;

	if (!getenv("KQ_TEST_LOG"))
		log_set_level(LOG_LEVEL_ERROR);
	o.home = argv[2];
	o.node_id = argv[3];
	(void)str_to_i64(argv[4], -1, INT64_MAX, &o.linger_ms);
	(void)str_to_i64(argv[5], 1, INT64_MAX, &lease);
	o.lease_ms = lease;
	o.heartbeat_ms = MAX(lease / 5, 20);
	o.work_dir = getenv("KQ_TEST_WORK");
	o.cap = "{\"cpu\":2,\"memory\":1000000000}";
	o.grace_ms = 300;
	if (consumer_run(&o, &err) == 0)
		return 0;
	(void)!fprintf(stderr, "# %s\n", err.text);
	return 1;
}

static pid_t node(const char *id, int linger_ms, int lease_ms)
{
	char linger[16], lease[16];
	pid_t pid;

	(void)snprintf(linger, sizeof(linger), "%d", linger_ms);
	(void)snprintf(lease, sizeof(lease), "%d", lease_ms);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)execl("/proc/self/exe", "node", "node", top, id, linger, lease, NULL);
		_exit(1);
	}
	return pid;
}

static int ended(pid_t pid)
{
	int status = -1;

	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The command of the job being made, with the place of the store in it. */
__attribute__((format(printf, 1, 2))) static void command(const char *fmt, ...)
{
	static char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	words[0] = line;
}

static void begin(const char *id, const char *a, const char *b, const char *c)
{
	spec = (struct submit_spec){ .id = id, .user = "me", .cluster = "local", .prefix = top,
				     .umask = 022, .secret = "{\"env\":[\"PATH=/usr/bin:/bin\"]}" };
	common_init(&spec.common);
	spec.common.image = STR("none");
	spec.common.resources.cpu = 1000;
	words[0] = a;
	words[1] = b;
	words[2] = c;
	spec.words = words;
	spec.n_words = c ? 3 : b ? 2 : 1;
}

static void seq(int64_t count)
{
	spec.rows = SUBMIT_SEQ;
	spec.seq = (struct seq){ .first = 1, .step = 1, .count = count };
}

static int64_t submit(void)
{
	const struct submit_target to = { .queue = queue, .cas = cas, .home = top };
	struct err err = ERR_INIT;

	if (submit_run(&to, &spec, &result, &err) < 0) {
		printf("# submit: %s\n", err.text);
		return 0;
	}
	return result.born;
}

static bool is_over(int64_t born)
{
	struct job j = { 0 };
	struct err err = ERR_INIT;
	bool over = queue_job_get(queue, born, &j, &err) > 0 && j.state == JOB_OVER;

	job_release(&j);
	return over;
}

/* Sleeps on the job's bell until it is over. */
static bool wait_over(int64_t born)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct bell bell = BELL_INIT;
	struct err err = ERR_INIT;
	char prefix[40];
	bool over;

	(void)snprintf(prefix, sizeof(prefix), "w.%lld.", (long long)born);
	if (bell_open_random(&bell, bells_fd, prefix, &err) < 0)
		printf("# %s\n", err.text);
	while (!(over = is_over(born)) && clock_mono_ms() < until)
		(void)bell_wait(&bell, 1000);
	bell_close(&bell);
	return over;
}

static void task(int64_t born, int64_t n, struct task *t)
{
	struct err err = ERR_INIT;

	if (queue_task_get(queue, born, n, t, &err) <= 0)
		*t = (struct task){ 0 };
}

static const char *label(int64_t born, int64_t n)
{
	static struct task t;

	task(born, n, &t);
	return t.label;
}

static bool has(const char *job, const char *rest, const char *text)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	char *path = xasprintf("%s/%s/%s", top, job, rest);
	bool same = file_read(AT_FDCWD, path, 1 << 20, &b, &err) > 0 && strcmp(b.p, text) == 0;

	if (!same)
		printf("# %s: \"%.200s\"\n", path, b.p);
	buf_release(&b);
	free(path);
	return same;
}

static bool mentions(const char *job, const char *rest, const char *word)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	char *path = xasprintf("%s/%s/%s", top, job, rest);
	bool found = file_read(AT_FDCWD, path, 1 << 20, &b, &err) > 0 && strstr(b.p, word);

	if (!found)
		printf("# %s: \"%.900s\"\n", path, b.p);
	buf_release(&b);
	free(path);
	return found;
}

static bool exists(const char *job, const char *rest)
{
	char *path = xasprintf("%s/%s/%s", top, job, rest);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static bool wait_file(const char *job, const char *rest)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct timespec t = { .tv_nsec = 2000000 };

	while (!exists(job, rest) && clock_mono_ms() < until)
		(void)nanosleep(&t, NULL);
	return exists(job, rest);
}

static int count_node(void *ctx, const struct node *n)
{
	(void)n;
	++*(int *)ctx;
	return 0;
}

static int nodes(void)
{
	struct err err = ERR_INIT;
	int n = 0;

	(void)queue_nodes(queue, NULL, count_node, &n, &err);
	return n;
}

/* ---- tests ---- */

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

/* A node that dies at once, and one that is stopped past its lease and comes back. */
static void test_lost(void)
{
	const struct reaper_options ro = { .home = top, .lease_ms = 300 };
	struct reaper *r = reaper_new(&ro);
	struct err err = ERR_INIT;
	struct timespec pause = { .tv_nsec = 40000000 };
	int64_t a, next, until;
	struct task t;
	pid_t pid, other;

	begin("dies", "x", NULL, NULL);
	command("echo $KQ_ATTEMPT >>%s/ran; [ $KQ_ATTEMPT = 1 ] && sleep 61; echo $KQ_ATTEMPT",
			     top);
	a = submit();
	pid = node("n5", -1, 10000);
	ok(wait_file(".", "ran"), "it runs");
	(void)kill(pid, SIGKILL);
	is_int(ended(pid), 128 + SIGKILL, "its node is killed");
	is_int(reaper_look(r, queue, true, &next, &err), 1, "a looker finds it dead by its lock");
	task(a, 1, &t);
	ok(t.state == TASK_PENDING && t.lost == 1, "the task is pending again");
	is_int(nodes(), 0, "the node's row is gone");
	ok(!exists("dies", ".attempts/1.1"), "its stage too");
	pid = node("n6", -1, 300);
	ok(wait_over(a), "another node runs it");
	ok(has("dies", "1/stdout.txt", "2\n"), "at the second attempt");

	begin("stops", "x", NULL, NULL);
	command("touch %s/s$KQ_ATTEMPT; [ $KQ_ATTEMPT = 1 ] && sleep 61; echo $KQ_ATTEMPT", top);
	a = submit();
	ok(wait_file(".", "s1"), "a task runs");
	(void)kill(pid, SIGSTOP);
	until = clock_mono_ms() + WAIT_MS;
	task(a, 1, &t);
	while (t.state == TASK_CLAIMED && clock_mono_ms() < until) {
		if (reaper_look(r, queue, true, &next, &err) < 0)
			printf("# %s\n", err.text);
		(void)nanosleep(&pause, NULL);
		task(a, 1, &t);
	}
	ok(t.state == TASK_PENDING && t.lost == 1, "a silent node is given up after its lease");
	other = node("n7", 0, 10000);
	ok(wait_over(a), "another one runs its task");
	(void)kill(pid, SIGCONT);
	(void)kill(pid, SIGTERM);
	is_int(ended(pid), 0, "the one that comes back leaves");
	is_int(ended(other), 0, "as does the other");
	ok(has("stops", "1/stdout.txt", "2\n"), "and has changed nothing");
	until = clock_mono_ms() + WAIT_MS;
	while (nodes() && clock_mono_ms() < until) {
		(void)reaper_look(r, queue, true, &next, &err);
		(void)nanosleep(&pause, NULL);
	}
	is_int(nodes(), 0, "its old row is swept");
	reaper_free(r);
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

static void test_recover(void)
{
	struct err err = ERR_INIT;
	struct task t;
	int64_t a;
	pid_t pid;
	char *path;

	begin("crash", "echo data >f", NULL, NULL);
	seq(3);
	a = submit();
	pid = node("n10", 0, 10000);
	ok(wait_over(a), "a job ends");
	is_int(ended(pid), 0, "and its node leaves");
	is_int(recover_check(top, queue, &err), 0, "in the same boot nothing is looked at");
	path = xasprintf("%s/crash/2/f", top);
	(void)!truncate(path, 0);
	free(path);
	path = xasprintf("%s/boot", top);
	(void)file_write(AT_FDCWD, path, "another\n", 8, 0600, false, &err);
	free(path);
	is_int(recover_check(top, queue, &err), 1, "after another boot the damaged one is found");
	task(a, 2, &t);
	is_int(t.state, TASK_PENDING, "it is pending again");
	task(a, 3, &t);
	is_int(t.state, TASK_SUCCEEDED, "the others are as they were");
	is_int(recover_check(top, queue, &err), 0, "once");
	pid = node("n11", 0, 10000);
	ok(wait_over(a), "it is run again");
	is_int(ended(pid), 0, "the node leaves");
	ok(has("crash", "2/f", "data\n"), "and whole again");
}

static void make(const char *name)
{
	char *path = xasprintf("%s/%s", top, name);

	(void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	free(path);
}

/* Somebody removes the results directory of a job that runs. */
static void test_results_removed(void)
{
	struct err err = ERR_INIT;
	char *path;
	int64_t a;
	pid_t pid;

	begin("removed", "x", NULL, NULL);
	command("touch %s/r$KQ_TASK; while [ ! -e %s/go2 ]; do sleep 0.02; done; echo $KQ_TASK",
		top, top);
	seq(3);
	spec.max_running = 1;
	a = submit();
	pid = node("n15", -1, 10000);
	ok(wait_file(".", "r1"), "a task runs");
	path = xasprintf("%s/removed", top);
	is_int(file_rmtree(AT_FDCWD, path, &err), 1, "its results directory is removed");
	free(path);
	make("go2");
	ok(wait_over(a), "the job ends");
	is_str(label(a, 1), "complete(code=0)", "what ran while it was removed ran again");
	ok(has("removed", "1/stdout.txt", "1\n") && has("removed", "3/stdout.txt", "3\n"),
	   "the directory was made anew");
	(void)kill(pid, SIGTERM);
	is_int(ended(pid), 0, "the node leaves");
}

/* The work directory may be anywhere: whoever finds its node dead removes it. */
static void test_work_dir(void)
{
	const struct reaper_options ro = { .home = top, .lease_ms = 300 };
	struct reaper *r = reaper_new(&ro);
	char *work = xasprintf("%s/elsewhere", top);
	struct err err = ERR_INIT;
	int64_t a, next;
	pid_t pid;

	begin("elsewhere-job", "x", NULL, NULL);
	command("touch %s/w$KQ_ATTEMPT; [ $KQ_ATTEMPT = 1 ] && sleep 61; echo $KQ_ATTEMPT", top);
	a = submit();
	(void)setenv("KQ_TEST_WORK", work, 1);
	pid = node("n16", -1, 10000);
	ok(wait_file(".", "w1"), "a task runs in a work directory of its node's choice");
	ok(exists("elsewhere", "n16"), "which is there");
	(void)kill(pid, SIGKILL);
	is_int(ended(pid), 128 + SIGKILL, "its node is killed");
	is_int(reaper_look(r, queue, true, &next, &err), 1, "and found dead");
	ok(!exists("elsewhere", "n16") && exists("elsewhere", "."), "only its directory is gone");
	pid = node("n17", 0, 10000);
	ok(wait_over(a), "another one runs its task");
	is_int(ended(pid), 0, "and leaves");
	(void)unsetenv("KQ_TEST_WORK");
	reaper_free(r);
	free(work);
}

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

/* Logs of nodes do not pile up. */
static void test_logs(void)
{
	const struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	struct err err = ERR_INIT;
	char *nodes = xasprintf("%s/nodes", top);
	int fd = open(nodes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lock lock = LOCK_INIT;
	int64_t a;
	pid_t pid;

	make("nodes/gone.log");
	make("nodes/lives.log");
	make("nodes/young.log");
	(void)utimensat(fd, "gone.log", old, 0);
	(void)utimensat(fd, "lives.log", old, 0);
	is_int(lock_take(&lock, fd, "lives.lock", false, 0, &err), 1, "a node with an old log");
	begin("logs", "true", NULL, NULL);
	a = submit();
	pid = node("n19", 0, 10000);
	ok(wait_over(a), "a node comes");
	is_int(ended(pid), 0, "and leaves");
	ok(!exists("nodes", "gone.log"), "the old log of a node that is gone is removed");
	ok(exists("nodes", "lives.log"), "not that of one that lives");
	ok(exists("nodes", "young.log"), "and not a young one");
	lock_remove(&lock, fd, "lives.lock");
	close(fd);
	free(nodes);
}

static size_t want_all(void *ctx, const struct job *job, int class, size_t left)
{
	(void)ctx;
	(void)job;
	(void)class;
	return left;
}

/* An ended task whose asker died, and nobody can be asked because the manifest is gone: it and
 * its neighbours are not left as they are. */
static void test_no_manifest(void)
{
	const struct reaper_options ro = { .home = top, .lease_ms = 300 };
	struct reaper *r = reaper_new(&ro);
	struct claim_reply reply;
	struct claimed got[4];
	struct claim_request req = { .node = "n18", .op = 77, .seq = -1, .max = 4,
				     .now = clock_wall_ms(), .want = want_all };
	struct outcome o = { .v = 0 };
	struct node n = { .id = "n18" };
	char key[CAS_KEY_SIZE], cluster[] = "local", empty[] = "{}", *path;
	struct job j = { 0 };
	struct err err = ERR_INIT;
	int64_t a, next;

	begin("no-manifest", "true", NULL, NULL);
	seq(3);
	a = submit();
	n.cluster = cluster;
	n.cap = n.info = empty;
	is_int(queue_node_register(queue, &n, false, 76, &err), 1, "a node comes");
	is_int(queue_claim(queue, &req, got, &reply, &err), 3, "takes three tasks");
	o.v = got[0].v;
	o.a = (struct attempt){ .job = a, .n = 1, .k = 1, .cause = CAUSE_EXIT, .exit_code = 3 };
	(void)snprintf(o.a.label, sizeof(o.a.label), "complete(code=3)");
	(void)snprintf(o.a.node, sizeof(o.a.node), "n18");
	is_int(queue_finish(queue, "n18", &o, 1, -1, 78, &err), 0, "ends the first and dies");
	is_int(queue_job_get(queue, a, &j, &err), 1, "its job");
	cas_key(key, j.root);
	job_release(&j);
	path = xasprintf("%s/CAS/%s", top, key);
	is_int(unlink(path), 0, "whose manifest is removed");
	free(path);
	is_int(reaper_look(r, queue, true, &next, &err), 1, "a looker deals with it");
	is_str(label(a, 1), "complete(code=3)", "the first is as it ended");
	struct task t;
	task(a, 2, &t);
	is_int(t.state, TASK_PENDING, "the second is pending again");
	is_int(nodes(), 0, "the node is gone");
	(void)control_remove(&(struct control){ .queue = queue, .home = top }, a, true, false,
			     &err);
	reaper_free(r);
}

/* A kill whose client died is brought to its end, however many jobs came after it. */
static void test_old_kill(void)
{
	const struct reaper_options ro = { .home = top, .lease_ms = 300 };
	struct reaper *r = reaper_new(&ro);
	struct err err = ERR_INIT;
	int64_t first, last = 0;
	char id[32];

	begin("old-kill", "true", NULL, NULL);
	first = submit();
	is_int(queue_job_move(queue, first, JOB_EV_KILL, false, 79, &err), 1, "a kill begins");
	for (int i = 0; i < 210; i++) {
		(void)snprintf(id, sizeof(id), "later%d", i);
		begin(id, "true", NULL, NULL);
		last = submit();
		if (queue_job_move(queue, last, JOB_EV_KILL, false, 1000 + (uint64_t)i, &err) < 0)
			printf("# %s\n", err.text);
	}
	is_int(reaper_finish_jobs(r, queue, &err), 0, "a looker goes on with what is half done");
	ok(is_over(last), "the last of many jobs");
	ok(is_over(first), "and the first");
	reaper_free(r);
}

static void test_missing_input(void)
{
	char key[CAS_KEY_SIZE], hex[SHA256_HEX_SIZE], *path;
	struct err err = ERR_INIT;
	static const char *push[1];
	int64_t a;
	pid_t pid;

	path = xasprintf("%s/in.txt", top);
	(void)file_write(AT_FDCWD, path, "input\n", 6, 0644, false, &err);
	begin("input", "cat in.txt; echo more >>in.txt", NULL, NULL);
	push[0] = path;
	spec.push = push;
	spec.n_push = 1;
	a = submit();
	pid = node("n12", 0, 10000);
	ok(wait_over(a), "a task with an input ends");
	is_int(ended(pid), 0, "the node leaves");
	ok(has("input", "1/stdout.txt", "input\n"), "it saw the input");
	ok(has("input", "1/in.txt", "input\nmore\n"), "the changed input is an output");
	spec.id = "input2";
	words[0] = "cat in.txt; touch in.txt";
	a = submit();
	pid = node("n13", 0, 10000);
	ok(wait_over(a), "another one ends");
	is_int(ended(pid), 0, "the node leaves");
	ok(!exists("input2", "1/in.txt"), "an input that was only touched is none");
	spec.id = "input3";
	a = submit();
	if (cas_put_bytes(cas, "input\n", 6, hex, &err) < 0)
		printf("# %s\n", err.text);
	cas_key(key, hex);
	free(path);
	path = xasprintf("%s/CAS/%s", top, key);
	(void)unlink(path);
	pid = node("n14", 0, 10000);
	ok(wait_over(a), "a task whose input is gone ends");
	is_int(ended(pid), 0, "the node leaves");
	is_str(label(a, 1), "failed(missing input in.txt)", "and says which");
	free(path);
}

int main(int argc, char **argv)
{
	if (argc == 6)
		return be_node(argv);

	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;
	struct queue_sqlite_options qo = { .create = true, .fast = true };
	char path[320];
	int home_fd;

	(void)snprintf(top, sizeof(top), "%s/kq-consumer-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top))
		return 1;
	if (!getenv("KQ_TEST_LOG"))
		log_set_level(LOG_LEVEL_ERROR);
	(void)snprintf(path, sizeof(path), "%s/queue.db", top);
	qo.path = path;
	queue = queue_sqlite_open(&qo, &err);
	(void)snprintf(path, sizeof(path), "%s/CAS", top);
	cas = cas_open_dir(path, true, &err);
	home_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bells_fd = bell_dir(home_fd, &err);
	if (!queue || !cas || bells_fd < 0) {
		printf("Bail out! %s\n", err.text);
		return 1;
	}
	test_runs();
	test_limits();
	test_retry();
	test_kill_task();
	test_lost();
	test_drain();
	test_results_removed();
	test_work_dir();
	test_logs();
	test_drain_while_claiming();
	test_no_manifest();
	test_old_kill();
	test_missing_input();
	test_recover();
	queue_close(queue);
	cas_close(cas);
	close(home_fd);
	close(bells_fd);
	(void)file_rmtree(AT_FDCWD, top, &err);
	return tap_done();
}
