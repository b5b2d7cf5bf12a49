#include "work/lease.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/vec.h"

enum {
	BUSY_CHECKS = 900,  /* of a committer that asks no policy: removing files may take long */
	STUCK_CHECKS = 30,  /* so many checks without a move: the process is stuck */
	HELD_BEATS = 5,     /* every so many beats what it holds is looked at anyway */
};

struct held_list {
	VEC(struct held_task) v;
};

struct lease {
	struct lease_options opt;
	char node[NODE_ID_SIZE];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool stop, poked, beat_now;
	struct lease_news news;
	atomic_llong good_ns;     /* when a beat was last answered */
	/* the thread's own */
	unsigned main_seen, commit_seen, beat_tick;
	int main_still, commit_still, beats;
	int64_t beat_due_ns, checked_ns, change;
	bool beat_failing;
};

static void wake_main(struct lease *l)
{
	const uint64_t one = 1;

	(void)!write(l->opt.wake_fd, &one, sizeof(one));
}

/* ---- the watchdog ---- */

/* Checks are counted, not clocks: a process that was stopped as a whole was not stuck. */
static void watch_one(const struct lease *l, atomic_uint *tick, unsigned *seen, int *still,
		      int limit, const char *who)
{
	unsigned now = atomic_load(tick);

	*still = now == *seen ? *still + 1 : 0;
	*seen = now;
	if (*still < limit)
		return;
	log_error("The %s of this node is stuck for %.0f s: ending the process", who,
		  (double)(*still * l->opt.watch_ms) / 1000);
	abort();
}

/* ---- beating ---- */

static void say(struct lease *l, enum node_state state)
{
	bool news = false;

	pthread_mutex_lock(&l->lock);
	if (state == NODE_LOST && !l->news.lost)
		news = l->news.lost = true;
	if (state == NODE_DRAINING && !l->news.draining)
		news = l->news.draining = true;
	pthread_mutex_unlock(&l->lock);
	if (news)
		wake_main(l);
}

static void beat(struct lease *l)
{
	enum node_state state = NODE_LIVE;
	struct err err = ERR_INIT;
	int64_t asked = clock_mono_ns();
	bool late = asked - atomic_load(&l->good_ns) > l->opt.lease_ms * 500000;
	int ret;

	ret = queue_beat(l->opt.queue, l->node, id_u64(), &state, &err);
	if (ret < 0) {
		if (!l->beat_failing)
			log_warn("The queue cannot be written, the heartbeat waits: %s", err.text);
		l->beat_failing = true;
		return;
	}
	l->beat_failing = false;
	l->beats++;
	say(l, ret ? state : NODE_LOST);
	if (ret && state != NODE_LOST)
		atomic_store(&l->good_ns, asked);
	if (late)
		wake_main(l);
}

/* ---- what it holds ---- */

static int add_held(void *ctx, const struct task *t)
{
	struct held_list *h = ctx;

	*vec_push(&h->v) = (struct held_task){ t->job, t->n, t->attempt };
	return 0;
}

static void look_held(struct lease *l)
{
	struct held_list h = { 0 };
	struct err err = ERR_INIT;
	int64_t asked = clock_mono_ns();

	if (queue_held(l->opt.queue, l->node, add_held, &h, &err) < 0) {
		log_debug("held: %s", err.text);
		vec_release(&h.v);
		return;
	}
	pthread_mutex_lock(&l->lock);
	free(l->news.held);
	l->news.held = h.v.p;
	l->news.n_held = h.v.n;
	l->news.held_known = true;
	l->news.asked_ns = asked;
	pthread_mutex_unlock(&l->lock);
	wake_main(l);
}

/* ---- the thread ---- */

static void wait_ms(struct lease *l, int64_t ms)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&l->more, &l->lock, &t);
}

/* One round; `poked`: somebody rang. */
static void round_of(struct lease *l, bool poked, bool beat_now)
{
	int64_t now = clock_mono_ns(), change;
	unsigned tick = atomic_load(l->opt.main_tick);
	bool look = poked;

	if (now - l->checked_ns >= l->opt.watch_ms * 1000000) {
		l->checked_ns = now;
		watch_one(l, l->opt.main_tick, &l->main_seen, &l->main_still, STUCK_CHECKS,
			  "main loop");
		watch_one(l, l->opt.commit_tick, &l->commit_seen, &l->commit_still,
			  atomic_load(l->opt.asking) > 0 ? STUCK_CHECKS : BUSY_CHECKS, "committer");
	}
	/* a node whose main loop stands still must not look alive */
	if (poked || beat_now || (now >= l->beat_due_ns && tick != l->beat_tick)) {
		l->beat_tick = tick;
		l->beat_due_ns = now + l->opt.heartbeat_ms * 1000000;
		beat(l);
		look |= l->beats % HELD_BEATS == 0;
	}
	change = queue_change(l->opt.queue);
	if (change != l->change)
		look = true;
	l->change = change;
	if (look)
		look_held(l);
}

static void *work(void *arg)
{
	struct lease *l = arg;

	pthread_mutex_lock(&l->lock);
	while (!l->stop) {
		bool poked = l->poked, beat_now = l->beat_now;
		int64_t ms = MIN(l->opt.watch_ms, l->opt.heartbeat_ms);

		l->poked = l->beat_now = false;
		pthread_mutex_unlock(&l->lock);
		round_of(l, poked, beat_now);
		pthread_mutex_lock(&l->lock);
		if (!l->stop && !l->poked && !l->beat_now)
			wait_ms(l, ms);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

struct lease *lease_new(const struct lease_options *o)
{
	struct lease *l = xcalloc(1, sizeof(*l));
	pthread_condattr_t attr;

	l->opt = *o;
	(void)snprintf(l->node, sizeof(l->node), "%s", o->node);
	atomic_init(&l->good_ns, clock_mono_ns()); /* it was registered just now */
	l->beat_due_ns = clock_mono_ns() + o->heartbeat_ms * 1000000;
	l->beat_tick = atomic_load(o->main_tick);
	l->change = queue_change(o->queue);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->more, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&l->thread, NULL, work, l) != 0) {
		log_error("Cannot start a thread");
		abort();
	}
	return l;
}

void lease_free(struct lease *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	queue_close(l->opt.queue);
	pthread_cond_destroy(&l->more);
	pthread_mutex_destroy(&l->lock);
	free(l->news.held);
	free(l);
}

/* ---- the main thread's side ---- */

void lease_poke(struct lease *l)
{
	pthread_mutex_lock(&l->lock);
	l->poked = true;
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
}

bool lease_is_fresh(struct lease *l)
{
	if (clock_mono_ns() - atomic_load(&l->good_ns) <= l->opt.lease_ms * 500000)
		return true;
	pthread_mutex_lock(&l->lock);
	l->beat_now = true;
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
	return false;
}

void lease_news(struct lease *l, struct lease_news *out)
{
	pthread_mutex_lock(&l->lock);
	*out = l->news;
	l->news.held_known = false;
	l->news.held = NULL;
	l->news.n_held = 0;
	pthread_mutex_unlock(&l->lock);
}
