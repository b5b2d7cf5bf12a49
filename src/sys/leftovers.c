/* Ending what a dead node left running: found by its environment, ended through pidfds. */
#include "sys/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/vec.h"

struct hunt {
	const char *node;
	pid_t self, own_group;
	VEC(struct proc_info) all;
	VEC(pid_t) groups; /* that hold a process of the node */
	VEC(struct pollfd) found;
};

static bool is_of_node(const struct hunt *h, pid_t pid)
{
	struct buf value = BUF_INIT;
	bool same;

	same = proc_environ(pid, "KQ_NODE", &value) && strcmp(value.p, h->node) == 0;
	buf_release(&value);
	return same;
}

static int collect(void *ctx, const struct proc_info *p)
{
	struct hunt *h = ctx;

	if (p->pid != h->self && p->pgrp != h->own_group && p->pid > 1)
		*vec_push(&h->all) = *p;
	return 0;
}

static bool in_groups(const struct hunt *h, pid_t pgrp)
{
	for (size_t i = 0; i < h->groups.n; i++)
		if (h->groups.p[i] == pgrp)
			return true;
	return false;
}

/* One look; signals whom it finds. Their pidfds are in h->found. */
static int round_of(struct hunt *h, int sig, struct err *err)
{
	h->all.n = h->groups.n = 0;
	if (proc_each(collect, h, err) < 0)
		return -1;
	for (size_t i = 0; i < h->all.n; i++)
		if (!in_groups(h, h->all.p[i].pgrp) && is_of_node(h, h->all.p[i].pid))
			*vec_push(&h->groups) = h->all.p[i].pgrp;
	for (size_t i = 0; i < h->all.n; i++) {
		const struct proc_info *p = &h->all.p[i];
		struct proc_info now;
		int fd;

		if (!in_groups(h, p->pgrp))
			continue;
		fd = proc_pidfd_open(p->pid);
		if (fd < 0)
			continue;
		/* The number may have gone to somebody else since we read it. */
		if (proc_info(p->pid, &now) && now.start == p->start && now.pgrp == p->pgrp &&
		    proc_pidfd_kill(fd, sig) == 0) {
			(void)proc_pidfd_kill(fd, SIGCONT);
			*vec_push(&h->found) = (struct pollfd){ .fd = fd, .events = POLLIN };
		} else {
			close(fd);
		}
	}
	return 0;
}

static void wait_and_close(struct hunt *h, int64_t until_ms)
{
	size_t left = h->found.n;

	while (left) {
		int64_t ms = until_ms - clock_mono_ms();

		if (ms <= 0 || (poll(h->found.p, (nfds_t)h->found.n, (int)MIN(ms, 1000)) < 0 &&
				errno != EINTR))
			break;
		left = 0;
		for (size_t i = 0; i < h->found.n; i++) {
			struct pollfd *p = &h->found.p[i];

			if (p->fd >= 0 && (p->revents & POLLIN)) {
				close(p->fd);
				p->fd = -1;
			}
			left += p->fd >= 0;
		}
	}
	for (size_t i = 0; i < h->found.n; i++)
		if (h->found.p[i].fd >= 0)
			close(h->found.p[i].fd);
	h->found.n = 0;
}

int proc_kill_leftovers(const char *node, int64_t grace_ms, int64_t limit_ms, struct err *err)
{
	struct hunt h = { .node = node, .self = getpid(), .own_group = getpgrp() };
	int64_t begin = clock_mono_ms();
	int ret = 0;

	for (;;) {
		int64_t now = clock_mono_ms() - begin;
		bool hard = now >= grace_ms;

		if (round_of(&h, hard ? SIGKILL : SIGTERM, err) < 0) {
			ret = -1;
			break;
		}
		if (!h.found.n)
			break;
		ret = MAX(ret, (int)h.found.n);
		if (now >= limit_ms && hard) {
			ret = err_set(err, ERR_TIMEOUT, "%zu processes of node %s do not end",
				      h.found.n, node);
			break;
		}
		/* While TERM has time left, wait for those that were told; a new look then. */
		wait_and_close(&h, begin + (hard ? now + 200 : grace_ms));
	}
	wait_and_close(&h, 0);
	vec_release(&h.all);
	vec_release(&h.groups);
	vec_release(&h.found);
	return ret;
}
