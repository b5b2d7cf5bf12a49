#ifndef TESTS_UNIT_NODE_FIXTURE_H
#define TESTS_UNIT_NODE_FIXTURE_H
/*
 * What tests of a node need: a store, jobs in few words, nodes as processes of their own (this
 * program, started again), and looks at what became of tasks and their files.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cas/cas.h"
#include "sys/bell.h"
#include "sys/file.h"
#include "tap.h"
#include "work/consumer.h"
#include "work/submit.h"

#define HELPER __attribute__((unused)) static

enum { WAIT_MS = 30000 };

HELPER char top[256]; /* the store */
HELPER struct queue *queue;
HELPER struct cas *cas;
HELPER struct submit_spec spec; /* of the job being made */
HELPER struct submit_result result;
HELPER const char *words[8];
HELPER int bells_fd;
HELPER struct policy *node_policy; /* of the nodes; NULL: stock */
HELPER int64_t node_watch_ms;

/* ---- helpers ---- */

/* What this program does when it is started again as a node: queue handles survive no fork. */
HELPER int be_node(char **argv)
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
	o.policy = node_policy;
	o.watch_ms = node_watch_ms;
	if (consumer_run(&o, &err) == 0)
		return 0;
	(void)!fprintf(stderr, "# %s\n", err.text);
	return 1;
}

HELPER pid_t node(const char *id, int linger_ms, int lease_ms)
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

HELPER int ended(pid_t pid)
{
	int status = -1;

	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The command of the job being made, with the place of the store in it. */
HELPER __attribute__((format(printf, 1, 2))) void command(const char *fmt, ...)
{
	static char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	words[0] = line;
}

HELPER void begin(const char *id, const char *a, const char *b, const char *c)
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

HELPER void seq(int64_t count)
{
	spec.rows = SUBMIT_SEQ;
	spec.seq = (struct seq){ .first = 1, .step = 1, .count = count };
}

HELPER int64_t submit(void)
{
	const struct submit_target to = { .queue = queue, .cas = cas, .home = top };
	struct err err = ERR_INIT;

	if (submit_run(&to, &spec, &result, &err) < 0) {
		printf("# submit: %s\n", err.text);
		return 0;
	}
	return result.born;
}

HELPER bool is_over(int64_t born)
{
	struct job j = { 0 };
	struct err err = ERR_INIT;
	bool over = queue_job_get(queue, born, &j, &err) > 0 && j.state == JOB_OVER;

	job_release(&j);
	return over;
}

/* Sleeps on the job's bell until it is over. */
HELPER bool wait_over(int64_t born)
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

HELPER void task(int64_t born, int64_t n, struct task *t)
{
	struct err err = ERR_INIT;

	if (queue_task_get(queue, born, n, t, &err) <= 0)
		*t = (struct task){ 0 };
}

HELPER const char *label(int64_t born, int64_t n)
{
	static struct task t;

	task(born, n, &t);
	return t.label;
}

HELPER bool has(const char *job, const char *rest, const char *text)
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

HELPER bool mentions(const char *job, const char *rest, const char *word)
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

HELPER bool exists(const char *job, const char *rest)
{
	char *path = xasprintf("%s/%s/%s", top, job, rest);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

HELPER bool wait_file(const char *job, const char *rest)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct timespec t = { .tv_nsec = 2000000 };

	while (!exists(job, rest) && clock_mono_ms() < until)
		(void)nanosleep(&t, NULL);
	return exists(job, rest);
}

HELPER int count_node(void *ctx, const struct node *n)
{
	(void)n;
	++*(int *)ctx;
	return 0;
}

HELPER int nodes(void)
{
	struct err err = ERR_INIT;
	int n = 0;

	(void)queue_nodes(queue, NULL, count_node, &n, &err);
	return n;
}

HELPER void make(const char *name)
{
	char *path = xasprintf("%s/%s", top, name);

	(void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	free(path);
}

/* ---- the program ---- */

/* Tests over a store of their own; or, when this program was started as a node, that. */
HELPER int run_tests(int argc, char **argv, void (*tests)(void))
{
	if (argc == 6)
		return be_node(argv);

	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;
	struct queue_sqlite_options qo = { .create = true, .fast = true };
	char path[320];
	int home_fd;

	(void)snprintf(top, sizeof(top), "%s/kq-node-XXXXXX", tmp ? tmp : "/tmp");
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
	tests();
	queue_close(queue);
	cas_close(cas);
	close(home_fd);
	close(bells_fd);
	(void)file_rmtree(AT_FDCWD, top, &err);
	return tap_done();
}

#endif
