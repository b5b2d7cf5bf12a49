/* Nodes as processes of this machine. A node is alive exactly as long as its lock file is held. */
#include "nodes/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "base/vec.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/proc.h"

enum {
	ID_HEX = 12,
	STOP_MS = 3000, /* what a node gets to give its tasks back before it is killed */
};

struct nodes_local {
	struct nodes base;
	char *home;
	char **args; /* NULL-terminated, owned */
};

static struct nodes_local *self_of(struct nodes *p)
{
	return container_of(p, struct nodes_local, base);
}

/* <home>/nodes, made if missing. */
static int open_dir(const struct nodes_local *p, bool create, struct err *err)
{
	int home = create ? file_open_private_dir(AT_FDCWD, p->home, geteuid(), true, err)
			  : file_open_dir(AT_FDCWD, p->home, err);
	int fd;

	if (home < 0)
		return -1;
	if (create && file_mkdirs(home, "nodes", 0700, err) < 0)
		fd = -1;
	else
		fd = file_open_dir(home, "nodes", err);
	close(home);
	return fd;
}

/* ---- start ------------------------------------------------------------------------------ */

/* "<host, cut>-<12 hex>" of letters, digits, "_" and "-". */
static void make_id(char *out)
{
	char host[256] = "";
	size_t n;

	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		(void)snprintf(host, sizeof(host), "node");
	n = MIN(strcspn(host, "."), (size_t)(NODE_ID_SIZE - 2 - ID_HEX));
	for (size_t i = 0; i < n; i++) {
		char c = host[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9');

		out[i] = plain ? c : '-';
	}
	if (n == 0 || out[0] == '-')
		out[0] = 'n';
	n = MAX(n, (size_t)1);
	out[n] = '-';
	id_hex(out + n + 1, ID_HEX / 2);
}

static int start_one(struct nodes_local *p, int dirfd, const char *binary, const char **env,
		     char *id, struct err *err)
{
	struct proc_spec spec = PROC_SPEC_INIT;
	VEC(const char *) argv = { 0 };
	struct proc_failure why;
	char name[NODE_ID_SIZE + 8];
	int log, ret;
	pid_t pid;

	make_id(id);
	(void)snprintf(name, sizeof(name), "%s.log", id);
	log = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		return err_sys(err, "cannot make %s/nodes/%s", p->home, name);
	*vec_push(&argv) = binary;
	*vec_push(&argv) = "consume";
	for (char **a = p->args; *a; a++)
		*vec_push(&argv) = *a;
	*vec_push(&argv) = "--node-id";
	*vec_push(&argv) = id;
	*vec_push(&argv) = NULL;
	spec.argv = argv.p;
	spec.env = env;
	spec.cwd = "/";
	spec.out_fd = log;
	spec.umask = 077;
	ret = proc_daemon(&spec, &pid, &why, err);
	if (ret == 0) {
		errno = why.sys;
		ret = err_sys(err, "cannot start a node from %s", binary);
	}
	if (ret < 0)
		unlinkat(dirfd, name, 0);
	close(log);
	vec_release(&argv);
	return ret;
}

static int report(const struct nodes_local *p, const char *id, const char *state,
		  provider_node_fn fn, void *ctx)
{
	struct provider_node node = { .id = id, .state = state };
	char *log = xasprintf("%s/nodes/%s.log", p->home, id);
	int ret;

	node.log = log;
	ret = fn ? fn(ctx, &node) : 0;
	free(log);
	return ret;
}

static int local_add(struct nodes *base, const struct nodes_request *r, provider_node_fn fn,
		     void *ctx, struct err *err)
{
	struct nodes_local *p = self_of(base);
	int dirfd = open_dir(p, true, err), count = 0, ret = 0;
	char binary[4096], id[NODE_ID_SIZE];
	const char **env;

	if (dirfd < 0)
		return -1;
	proc_own_binary(binary, sizeof(binary));
	env = proc_own_env(); /* a node that a task's `sub` starts is not part of the task */
	while (count < r->count && ret == 0) {
		if (start_one(p, dirfd, binary, env, id, err) < 0) {
			ret = -1;
			break;
		}
		count++;
		ret = report(p, id, "STARTING", fn, ctx);
	}
	free(env);
	close(dirfd);
	return ret < 0 ? -1 : count;
}

/* ---- look ------------------------------------------------------------------------------- */

struct listing {
	struct nodes_local *p;
	provider_node_fn fn;
	void *ctx;
};

static int list_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	struct listing *l = ctx;
	size_t n = strlen(e->name);
	char id[NODE_ID_SIZE];
	int held;

	if (e->depth == 0)
		return WALK_GO_ON;
	if (e->type != DT_REG || !str_ends(e->name, ".lock") || n <= 5 ||
	    n - 5 >= sizeof(id))
		return e->type == DT_DIR ? WALK_SKIP : WALK_GO_ON;
	memcpy(id, e->name, n - 5);
	id[n - 5] = '\0';
	held = lock_probe(e->dirfd, e->name, err);
	if (held <= 0)
		return held;
	return report(l->p, id, "RUNNING", l->fn, l->ctx);
}

/* All that run here: a lock file does not tell the cluster, the queue's node rows do. */
static int local_list(struct nodes *base, const char *cluster, provider_node_fn fn, void *ctx,
		      struct err *err)
{
	struct listing l = { self_of(base), fn, ctx };
	int dirfd = open_dir(l.p, false, err), ret;

	(void)cluster;
	if (dirfd < 0)
		return err->sys == ENOENT ? 0 : -1;
	ret = file_walk(dirfd, ".", WALK_SORT | WALK_NO_STAT, list_entry, &l, err);
	close(dirfd);
	return ret;
}

/* ---- stop ------------------------------------------------------------------------------- */

/* Twice told to stop, a node gives its tasks back; one that does not get there is killed. */
static void stop_now(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t end = clock_mono_ms() + STOP_MS, left;

	(void)proc_pidfd_kill(pidfd, SIGTERM);
	(void)proc_pidfd_kill(pidfd, SIGINT);
	(void)proc_pidfd_kill(pidfd, SIGCONT);
	while ((left = end - clock_mono_ms()) > 0)
		if (poll(&p, 1, (int)left) > 0)
			return;
	(void)proc_pidfd_kill(pidfd, SIGKILL);
	(void)poll(&p, 1, STOP_MS);
}

static int local_remove(struct nodes *base, const char *id, bool force, struct err *err)
{
	int dirfd, pidfd = -1, found = 0;
	char name[NODE_ID_SIZE + 8];
	pid_t pid;

	if (!file_name_is_clean(id) ||
	    snprintf(name, sizeof(name), "%s.lock", id) >= (int)sizeof(name))
		return 0;
	dirfd = open_dir(self_of(base), false, err);
	if (dirfd < 0)
		return err->sys == ENOENT ? 0 : -1;
	found = lock_probe(dirfd, name, err);
	pid = found > 0 ? lock_holder(dirfd, name) : 0;
	if (pid > 1)
		pidfd = proc_pidfd_open(pid);
	/* Still the holder, so the descriptor is of the node and not of a later process. */
	if (pidfd >= 0 && lock_holder(dirfd, name) == pid) {
		if (force)
			stop_now(pidfd);
		else if (proc_pidfd_kill(pidfd, SIGTERM) < 0)
			found = err_sys(err, "cannot signal node %s", id);
	} else if (found > 0 && lock_probe(dirfd, name, err) > 0) {
		found = err_set(err, ERR_IO, "cannot tell which process is node %s", id);
	}
	if (pidfd >= 0)
		close(pidfd);
	close(dirfd);
	return found;
}

static void local_close(struct nodes *base)
{
	struct nodes_local *p = self_of(base);

	for (char **a = p->args; *a; a++)
		free(*a);
	free(p->args);
	free(p->home);
	free(p);
}

static const struct nodes_ops local_ops = {
	.name = "local",
	.list = local_list,
	.add = local_add,
	.remove = local_remove,
	.close = local_close,
};

struct nodes *nodes_local_new(const char *home, const char *const *args)
{
	struct nodes_local *p = xcalloc(1, sizeof(*p));
	size_t n = 0;

	while (args && args[n])
		n++;
	p->base.ops = &local_ops;
	p->home = xstrdup(home);
	p->args = xcalloc(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++)
		p->args[i] = xstrdup(args[i]);
	return &p->base;
}
