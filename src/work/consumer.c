#include "work/consumer.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "sys/file.h"
#include "sys/machine.h"
#include "sys/signals.h"
#include "work/consumer_impl.h"
#include "work/recover.h"

void consumer_node_id(char *out)
{
	char host[256] = "", hex[13];
	size_t n = 0;

	(void)gethostname(host, sizeof(host) - 1);
	for (const char *p = host; *p && n < 24; p++) {
		bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			  (*p >= '0' && *p <= '9') || (*p == '-' && n);

		if (*p == '.')
			break;
		out[n++] = ok ? *p : '_';
	}
	if (!n)
		out[n++] = 'n';
	id_hex(hex, 6);
	(void)snprintf(out + n, NODE_ID_SIZE - n, "-%s", hex);
}

/* ---- the loop ---- */

static bool has_work(const struct consumer *c)
{
	return c->n_running || c->n_collecting || c->leftovers.n || c->terminated.n ||
	       c->n_stored || schedule_unstarted(c);
}

static bool is_busy(const struct consumer *c)
{
	return has_work(c) || c->claiming;
}

static void on_signal(struct consumer *c, int sig)
{
	if (sig != SIGTERM && sig != SIGINT)
		return;
	c->told_to_leave = true;
	if (c->phase == PHASE_RUN) {
		log_info("Node %s drains: it ends what it runs and claims nothing more", c->node);
		c->phase = PHASE_DRAIN;
		committer_drain(c->committer);
	} else if (c->phase == PHASE_DRAIN) {
		log_info("Node %s gives back what it runs and leaves", c->node);
		c->phase = PHASE_QUIT;
		ending_stop_all(c, STOP_LEAVE, false);
	}
}

static void take_signals(struct consumer *c)
{
	int sig;

	while ((sig = signals_next(c->sig_fd)) > 0)
		on_signal(c, sig);
}

static void take_workers(struct consumer *c)
{
	for (struct run *r = workers_take(c->workers), *next; r; r = next) {
		next = r->next;
		if (r->collecting) {
			c->n_collecting--;
			if (r->state == RUN_DONE && c->troubled) {
				c->troubled = false;
				committer_message(c->committer, NULL);
			}
			hand_over(c, r);
		} else {
			schedule_staged(c, r);
		}
	}
}

static void hold(struct consumer *c, const struct committer_news *news)
{
	c->hold_ns = clock_mono_ns() + (int64_t)HOLD_MS * 1000000;
	c->hint = c->room_moved = true;
	if (!c->troubled)
		log_warn("Node %s claims nothing for now: %s", c->node, news->trouble);
	c->troubled = true;
	committer_message(c->committer, news->trouble);
}

static void lost(struct consumer *c)
{
	if (c->phase == PHASE_LOST)
		return;
	log_warn("Node %s was given up for lost: its tasks are stopped", c->node);
	c->phase = PHASE_LOST;
	ending_stop_all(c, STOP_TAKEN, true);
}

static void take_committer(struct consumer *c)
{
	struct committer_news news;

	committer_news(c->committer, &news);
	c->n_stored = news.open;
	schedule_claimed(c, news.claimed);
	if (news.claim_done) {
		c->claiming = false;
		c->next_due = news.next_due;
		if (news.claim_count)
			c->low_water = schedule_unstarted(c) / 2;
		if (news.claim_dropped) /* their room is free still */
			c->room_moved = true;
		if (!news.claim_count && !news.pending_left)
			c->hint = false;
		if (!news.claim_count)
			c->low_water = 0;
	}
	c->next_due = MIN(c->next_due, news.next_due);
	if (news.look_again)
		c->hint = c->room_moved = true;
	if (*news.trouble)
		hold(c, &news);
	/* the lease thread knows whether it is draining or lost */
	if (news.refused)
		lease_poke(c->lease);
}

static void take_lease(struct consumer *c)
{
	struct lease_news news;

	lease_news(c->lease, &news);
	if (news.lost)
		lost(c);
	else if (news.draining && c->phase == PHASE_RUN)
		c->phase = PHASE_DRAIN;
	if (c->phase != PHASE_LOST)
		ending_held(c, &news);
	free(news.held);
}

/* Is this store still there, and do we still count as living in it? */
static void check_store(struct consumer *c, int64_t now)
{
	struct stat st;

	if (now < c->store_ns)
		return;
	c->store_ns = now + (int64_t)LOOP_MS * 1000000;
	if (c->vanished || fstat(c->lock.fd, &st) < 0 || st.st_nlink > 0)
		return;
	log_warn("The store of node %s was removed: the node ends", c->node);
	c->vanished = c->told_to_leave = true;
	lost(c);
	committer_abandon(c->committer);
}

static void check_due(struct consumer *c)
{
	if (c->next_due == INT64_MAX || clock_wall_ms() < c->next_due)
		return;
	c->next_due = INT64_MAX;
	c->hint = c->room_moved = true;
}

/* True: the node's time is over. */
static bool is_over(struct consumer *c, int64_t now)
{
	if (has_work(c))
		c->idle_ns = 0; /* looking for work in vain, now and then, is idling, too */
	if (is_busy(c))
		return false;
	if (c->phase == PHASE_LOST || c->vanished)
		return true;
	if (c->phase != PHASE_RUN) {
		(void)committer_leave(c->committer, true);
		return true;
	}
	if (c->hint && c->room_moved && now >= c->hold_ns)
		return false; /* a claim is about to be made */
	if (!c->idle_ns) {
		c->idle_ns = now;
		(void)malloc_trim(0); /* an idle node is small */
	}
	if (c->o->linger_ms < 0 || c->next_due != INT64_MAX ||
	    now - c->idle_ns < c->o->linger_ms * 1000000)
		return false;
	switch (committer_leave(c->committer, false)) {
	case LEAVE_DONE:
	case LEAVE_FAILED:
		return true;
	case LEAVE_STAY:
		break;
	}
	c->hint = c->room_moved = true;
	c->idle_ns = 0;
	return false;
}

static int until(int64_t when_ns, int64_t now, int ms)
{
	int64_t left = when_ns == INT64_MAX ? ms : (when_ns - now) / 1000000 + 1;

	return (int)MAX(0, MIN(left, ms));
}

static int timeout_ms(const struct consumer *c)
{
	int64_t now = clock_mono_ns();
	int ms = until(c->deadline_ns, now, LOOP_MS);

	if (c->leftovers.n || c->terminated.n)
		ms = MIN(ms, LEFTOVERS_MS);
	if (c->n_limited)
		ms = until(c->memory_ns, now, ms);
	if (c->n_cut)
		ms = until(c->stdout_ns, now, ms);
	if (now < c->hold_ns)
		ms = until(c->hold_ns, now, ms);
	if (c->next_due != INT64_MAX)
		ms = (int)MAX(0, MIN(c->next_due - clock_wall_ms(), ms));
	if (c->idle_ns && !c->claiming && c->o->linger_ms >= 0)
		ms = until(c->idle_ns + c->o->linger_ms * 1000000, now, ms);
	return ms;
}

static void sleep_and_drain(struct consumer *c)
{
	struct epoll_event ev[4];
	uint64_t count;
	int n = epoll_wait(c->ep_fd, ev, ARRAY_SIZE(ev), timeout_ms(c));

	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd == c->wake_fd) {
			(void)!read(c->wake_fd, &count, sizeof(count));
		} else if (ev[i].data.fd == c->bell.fd) {
			bell_drain(&c->bell);
			c->hint = c->room_moved = true;
			lease_poke(c->lease);
		} else {
			take_signals(c);
		}
	}
}

static void loop(struct consumer *c)
{
	for (;;) {
		int64_t now = clock_mono_ns();

		atomic_fetch_add(&c->main_tick, 1);
		ending_reap(c);
		take_workers(c);
		take_committer(c);
		take_lease(c);
		ending_deadlines(c, now);
		check_store(c, now);
		check_due(c);
		schedule(c);
		if (!c->n_running)
			committer_flush(c->committer);
		if (is_over(c, now))
			return;
		sleep_and_drain(c);
	}
}

/* Webhooks and commands that are under way, before the machine may be switched off: for a while,
 * and not when told twice to leave. */
static void wait_for_deliveries(struct consumer *c)
{
	int64_t end = clock_mono_ms() + DELIVER_MS;
	struct pollfd p = { .fd = c->sig_fd, .events = POLLIN };

	while (committer_delivers(c->committer) && !c->vanished && c->phase != PHASE_QUIT &&
	       c->phase != PHASE_LOST && clock_mono_ms() < end) {
		(void)poll(&p, 1, DELIVER_LOOK_MS);
		take_signals(c);
		ending_reap(c);
		atomic_fetch_add(&c->main_tick, 1);
	}
}

/* ---- one life ---- */

static void consumer_init(struct consumer *c, const struct consumer_options *o, int sig_fd)
{
	*c = (struct consumer){ .o = o, .sig_fd = sig_fd };
	c->home_fd = c->nodes_fd = c->bells_fd = c->wake_fd = c->ep_fd = c->null_fd = -1;
	c->bell = (struct bell)BELL_INIT;
	c->lock = (struct lock)LOCK_INIT;
	c->work = (struct workroot){ .fd = -1, .kept_fd = -1 };
	run_list_init(&c->ready);
	run_list_init(&c->staged);
	run_list_init(&c->leftovers);
	run_list_init(&c->terminated);
	c->hint = c->room_moved = true;
	c->next_due = c->deadline_ns = INT64_MAX;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void consumer_release(struct consumer *c)
{
	char name[NODE_ID_SIZE + 8];

	committer_free(c->committer);
	lease_free(c->lease);
	workers_free(c->workers);
	for (size_t i = 0; i < c->slots.n; i++) {
		workdir_release(&c->slots.p[i]->dir);
		stage_release(&c->slots.p[i]->stage);
		free(c->slots.p[i]);
	}
	vec_release(&c->slots);
	workroot_close(&c->work);
	bell_close(&c->bell);
	(void)snprintf(name, sizeof(name), "%s.lock", c->node);
	if (c->lock.fd >= 0)
		lock_remove(&c->lock, c->nodes_fd, name);
	close_fd(c->bells_fd);
	close_fd(c->nodes_fd);
	close_fd(c->home_fd);
	close_fd(c->wake_fd);
	close_fd(c->ep_fd);
	close_fd(c->null_fd);
}

/* 1: given up for lost, start over; 0: it left; -1. */
static int live(const struct consumer_options *o, const char *id, int sig_fd, struct err *err)
{
	struct consumer c;
	struct queue *q = NULL, *lease_q = NULL;
	int ret = -1;

	consumer_init(&c, o, sig_fd);
	(void)snprintf(c.node, sizeof(c.node), "%s", id);
	c.home_fd = open(o->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.home_fd < 0) {
		err_sys(err, "cannot open %s", o->home);
		goto out;
	}
	if (begin_capacity(&c, err) < 0 || begin_files(&c, err) < 0)
		goto out;
	c.free = c.cap;
	q = begin_queue(&c, err);
	if (!q)
		goto out;
	if (recover_check(o->home, q, err) < 0)
		log_warn("Results could not be checked after the last crash: %s", err->text);
	lease_q = begin_queue(&c, err);
	if (!lease_q)
		goto out;
	ret = begin_register(&c, q, err);
	if (ret <= 0) {
		if (!ret)
			log_info("Another first node of cluster %s is there: leaving", o->cluster);
		goto out;
	}
	begin_threads(&c, q, lease_q);
	q = lease_q = NULL;
	log_info("Node %s is ready", c.node);
	loop(&c);
	wait_for_deliveries(&c);
	node_logs_trim(c.nodes_fd);
	ret = c.phase == PHASE_LOST && !c.told_to_leave;
	log_info("Node %s leaves", c.node);
out:
	queue_close(lease_q);
	queue_close(q);
	consumer_release(&c);
	return ret;
}

/* Tasks get the limits of their submitter; the node itself holds a few files a task. */
static void more_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

int consumer_run(const struct consumer_options *given, struct err *err)
{
	struct consumer_options o = *given;
	char id[NODE_ID_SIZE];
	int sig_fd, ret;

	o.lease_ms = o.lease_ms > 0 ? o.lease_ms : 10000;
	o.heartbeat_ms = o.heartbeat_ms > 0 ? o.heartbeat_ms : 2000;
	o.heartbeat_ms = MIN(o.heartbeat_ms, MAX(o.lease_ms / 4, 50));
	o.grace_ms = o.grace_ms > 0 ? o.grace_ms : 10000;
	sig_fd = signals_node(err);
	if (sig_fd < 0)
		return -1;
	more_descriptors();
	umask(0); /* every mode is said where something is made */
	/* what daemons out of tasks leave behind comes to us, so that we see it end */
	proc_adopt();
	if (o.node_id)
		(void)snprintf(id, sizeof(id), "%s", o.node_id);
	else
		consumer_node_id(id);
	while ((ret = live(&o, id, sig_fd, err)) > 0)
		consumer_node_id(id);
	close(sig_fd);
	return ret;
}
