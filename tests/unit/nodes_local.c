/* nodes/nodes.h: nodes as processes of this machine. This program is the node as well. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "nodes/nodes.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include "sys/signals.h"

static char dir[PATH_MAX];
static int top;
static struct err err;

/* Holds the lock until it is told to stop: "polite" at the first signal, "slow" at the second,
 * "deaf" never. */
static int be_node(int argc, char **argv)
{
	const char *home = "", *id = "", *temper = "polite";
	struct lock l = LOCK_INIT;
	struct err e = ERR_INIT;
	char name[64];
	int fd, nodes, left, stdin_tty = isatty(0);

	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--home") == 0)
			home = argv[i + 1];
		else if (strcmp(argv[i], "--node-id") == 0)
			id = argv[i + 1];
		else if (strcmp(argv[i], "--temper") == 0)
			temper = argv[i + 1];
	}
	fd = signals_node(&e);
	(void)snprintf(name, sizeof(name), "nodes/%s.lock", id);
	nodes = file_open_dir(AT_FDCWD, home, &e);
	if (fd < 0 || nodes < 0 || lock_take(&l, nodes, name, false, 5000, &e) != 1)
		return 1;
	printf("up sid=%d tty=%d KQ_NODE=%s X=%s\n", getsid(0) == getpid(), stdin_tty,
	       getenv("KQ_NODE") ? getenv("KQ_NODE") : "none", getenv("X") ? getenv("X") : "none");
	fflush(stdout);
	left = strcmp(temper, "polite") == 0 ? 1 : strcmp(temper, "slow") == 0 ? 2 : INT_MAX;
	alarm(120);
	while (left > 0) {
		if (signals_next(fd))
			left--;
		else
			usleep(2000);
	}
	return 0;
}

struct list {
	int n;
	char id[8][NODE_ID_SIZE];
	char log[8][PATH_MAX];
	char state[8][16];
};

static int add(void *ctx, const struct provider_node *p)
{
	struct list *l = ctx;

	if (l->n < 8) {
		(void)snprintf(l->id[l->n], NODE_ID_SIZE, "%s", p->id);
		(void)snprintf(l->log[l->n], PATH_MAX, "%s", p->log);
		(void)snprintf(l->state[l->n], 16, "%s", p->state);
		l->n++;
	}
	return 0;
}

/* Nodes that run now; waits until they are `want`. */
static struct list running(struct nodes *p, int want)
{
	int64_t end = clock_mono_ms() + 20000;
	static struct list l;

	do {
		l.n = 0;
		if (nodes_list(p, "local", add, &l, &err) < 0)
			break;
		if (l.n != want)
			signals_sleep_ms(2);
	} while (l.n != want && clock_mono_ms() < end);
	return l;
}

static struct nodes *provider(const char *temper)
{
	const char *const args[] = { "--home", dir, "--temper", temper, NULL };

	return nodes_local_new(dir, args);
}

int main(int argc, char **argv)
{
	const struct nodes_request two = { .cluster = "local", .count = 2 };
	const struct nodes_request one = { .cluster = "local", .count = 1 };
	const char *tmp = getenv("TMPDIR");
	static struct list started, now;
	struct buf log = BUF_INIT;
	struct nodes *p;

	if (argc > 1 && strcmp(argv[1], "consume") == 0)
		return be_node(argc, argv);
	(void)snprintf(dir, sizeof(dir), "%s/kq-nodes-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || (top = file_open_dir(AT_FDCWD, dir, &err)) < 0 ||
	    setenv("KQ_NODE", "outer-1", 1) < 0 || setenv("X", "kept", 1) < 0)
		return 1;
	p = provider("polite");
	is_int(nodes_list(p, "local", add, &now, &err), 0, "no directory, no nodes");
	is_int(nodes_remove(p, "nobody", false, &err), 0, "and none to stop");
	is_int(nodes_add(p, &two, add, &started, &err), 2, "two nodes are started");
	ok(started.n == 2 && strcmp(started.id[0], started.id[1]) != 0 &&
	   strcmp(started.state[0], "STARTING") == 0 && strstr(started.log[0], started.id[0]),
	   "each is named, with the place of its log");
	now = running(p, 2);
	is_int(now.n, 2, "both run");
	while (!strchr(log.p, '\n') && !signals_interrupted()) {
		buf_clear(&log);
		if (file_read(AT_FDCWD, started.log[0], 1 << 16, &log, &err) < 0)
			break;
	}
	is_str(log.p, "up sid=1 tty=0 KQ_NODE=none X=kept\n",
	       "in their own session, with our environment, as part of no task");
	is_int(nodes_remove(p, started.id[0], false, &err), 1, "one is asked to leave");
	now = running(p, 1);
	ok(now.n == 1 && strcmp(now.id[0], started.id[1]) == 0, "the other one stays");
	is_int(nodes_remove(p, started.id[0], false, &err), 0, "it is there no more");
	is_int(nodes_remove(p, "../x", true, &err), 0, "a strange name is nobody's");
	is_int(nodes_remove(p, started.id[1], true, &err), 1, "the other one at once");
	is_int(running(p, 0).n, 0, "none is left");
	nodes_close(p);

	p = provider("slow");
	started.n = 0;
	nodes_add(p, &one, add, &started, &err);
	running(p, 1);
	nodes_remove(p, started.id[0], false, &err);
	is_int(nodes_remove(p, started.id[0], true, &err), 1, "a node that was asked can be ended");
	is_int(running(p, 0).n, 0, "and ends");
	nodes_close(p);

	p = provider("deaf");
	started.n = 0;
	nodes_add(p, &one, add, &started, &err);
	running(p, 1);
	is_int(nodes_remove(p, started.id[0], true, &err), 1, "one that does not listen is killed");
	is_int(running(p, 0).n, 0, "and is gone when that returns");
	nodes_close(p);

	buf_release(&log);
	close(top);
	file_rmtree(AT_FDCWD, dir, &err);
	return tap_done();
}
