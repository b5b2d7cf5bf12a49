/* What a node needs before its loop begins. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "sys/file.h"
#include "sys/machine.h"
#include "work/consumer_impl.h"

enum { QUEUE_BUSY_MS = 2000, LOCK_WAIT_MS = 500, WATCH_MS = 1000 };

int begin_capacity(struct consumer *c, struct err *err)
{
	struct machine m;

	if (c->o->cap)
		return resources_parse_json(c->o->cap, &c->cap, NULL, err);
	machine_get(&m);
	c->cap.cpu = (int64_t)(m.cpus * 1000 + 0.5);
	c->cap.memory = m.memory;
	return 0;
}

struct queue *begin_queue(struct consumer *c, struct err *err)
{
	char *path = xasprintf("%s/queue.db", c->o->home);
	const struct queue_sqlite_options qo = {
		.path = path, .busy_ms = QUEUE_BUSY_MS, .lease_ms = c->o->lease_ms,
	};
	struct queue *q = queue_sqlite_open(&qo, err);

	free(path);
	return q;
}

/* 1 registered, 0 another first node lives. */
int begin_register(struct consumer *c, struct queue *q, struct err *err)
{
	struct buf cap = BUF_INIT, info = BUF_INIT;
	struct node n = { .t = clock_wall_ms() };
	uint64_t op = id_u64();
	int64_t until = clock_mono_ms() + 30000;
	int ret;

	resources_add_json(&cap, &c->cap);
	node_info_json(&info, c->o, c->node, NULL);
	(void)snprintf(n.id, sizeof(n.id), "%s", c->node);
	n.cluster = xstrdup(c->o->cluster);
	n.cap = cap.p;
	n.info = info.p;
	do
		ret = queue_node_register(q, &n, c->o->first, op, err);
	while (ret < 0 && err->code == ERR_BUSY && clock_mono_ms() < until);
	free(n.cluster);
	buf_release(&cap);
	buf_release(&info);
	return ret;
}

static int watch(struct consumer *c, int fd, struct err *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(c->ep_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_sys(err, "epoll_ctl");
	return 0;
}

int begin_files(struct consumer *c, struct err *err)
{
	char name[NODE_ID_SIZE + 8];
	char *work;
	int ret;

	if (file_mkdirs(c->home_fd, "nodes", 0700, err) < 0)
		return -1;
	c->nodes_fd = file_open_dir(c->home_fd, "nodes", err);
	if (c->nodes_fd < 0)
		return -1;
	(void)snprintf(name, sizeof(name), "%s.lock", c->node);
	/* whoever clears up may have it for a moment */
	ret = lock_take(&c->lock, c->nodes_fd, name, false, LOCK_WAIT_MS, err);
	if (ret <= 0)
		return ret < 0 ? -1 : err_set(err, ERR_CONFLICT, "node %s runs already", c->node);
	c->bells_fd = bell_dir(c->home_fd, err);
	if (c->bells_fd < 0)
		return -1;
	(void)snprintf(name, sizeof(name), "n.%s", c->node);
	if (bell_open(&c->bell, c->bells_fd, name, err) < 0)
		return -1;
	c->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->ep_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->null_fd < 0 || c->wake_fd < 0 || c->ep_fd < 0)
		return err_sys(err, "cannot open what a node needs");
	if (watch(c, c->sig_fd, err) < 0 || watch(c, c->wake_fd, err) < 0 ||
	    watch(c, c->bell.fd, err) < 0)
		return -1;
	work = c->o->work_dir ? xstrdup(c->o->work_dir) : xasprintf("%s/work", c->o->home);
	ret = workroot_open(&c->work, work, c->node, err);
	free(work);
	return ret;
}

void begin_threads(struct consumer *c, struct queue *q, struct queue *lease_q)
{
	const struct committer_options co = {
		.o = c->o, .node = c->node, .queue = q, .bells_fd = c->bells_fd,
		.wake_fd = c->wake_fd, .cap = c->cap, .tick = &c->commit_tick,
		.main_tick = &c->main_tick, .asking = &c->asking,
	};
	const struct lease_options lo = {
		.queue = lease_q, .node = c->node, .heartbeat_ms = c->o->heartbeat_ms,
		.lease_ms = c->o->lease_ms, .wake_fd = c->wake_fd, .main_tick = &c->main_tick,
		.watch_ms = c->o->watch_ms > 0 ? c->o->watch_ms : WATCH_MS,
		.commit_tick = &c->commit_tick, .asking = &c->asking,
	};

	c->env = (struct run_env){ .node = c->node, .work = &c->work, .null_fd = c->null_fd,
				   .grace_ms = c->o->grace_ms };
	c->committer = committer_new(&co);
	c->lease = lease_new(&lo);
	c->workers = workers_new(MAX(2, machine_threads()), &c->env, c->wake_fd);
}
