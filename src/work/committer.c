#include "work/committer.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "sys/bell.h"
#include "work/committer_impl.h"

enum {
	TICK_MS = 1000,
	PAUSE_FIRST_MS = 20,
	PAUSE_MAX_MS = 1000,
	FINISH_JOBS_MS = 30 * 1000,
};

static void wake_main(struct committer *c)
{
	const uint64_t one = 1;

	(void)!write(c->opt.wake_fd, &one, sizeof(one));
}

static void tick(struct committer *c)
{
	if (c->opt.tick)
		atomic_fetch_add(c->opt.tick, 1);
}

/* Under the lock; at most so long. */
static void wait_on(struct committer *c, pthread_cond_t *cond, int64_t ms)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(cond, &c->lock, &t);
}

/* ---- notes, from the thread to the news ---- */

void committer_note_due(struct committer *c, int64_t due_ms)
{
	pthread_mutex_lock(&c->lock);
	c->news.next_due = MIN(c->news.next_due, due_ms);
	c->news.look_again = true;
	pthread_mutex_unlock(&c->lock);
	wake_main(c);
}

void committer_note_trouble(struct committer *c, const struct err *why)
{
	pthread_mutex_lock(&c->lock);
	(void)snprintf(c->news.trouble, sizeof(c->news.trouble), "%.*s", REASON_SIZE - 1,
		       why->text);
	c->news.nospace |= why->code == ERR_NOSPACE;
	pthread_mutex_unlock(&c->lock);
	wake_main(c);
}

bool committer_pause(struct committer *c, int64_t *pause_ms, const struct err *why)
{
	struct timespec t;
	bool stop;

	if (!*pause_ms)
		log_warn("The queue cannot be written, trying again: %s", why->text);
	if (why->code == ERR_NOSPACE)
		committer_note_trouble(c, why);
	*pause_ms = *pause_ms ? MIN(*pause_ms * 2, PAUSE_MAX_MS) : PAUSE_FIRST_MS;
	t.tv_sec = *pause_ms / 1000;
	t.tv_nsec = *pause_ms % 1000 * 1000000;
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	tick(c);
	pthread_mutex_lock(&c->lock);
	stop = c->stop || c->abandon;
	if (c->abandon)
		*pause_ms = PAUSE_MAX_MS;
	pthread_mutex_unlock(&c->lock);
	/* told to leave: a few more attempts, then whoever reaps this node goes on */
	if (stop && *pause_ms >= PAUSE_MAX_MS)
		return false;
	return true;
}

/* ---- requests that are waited for ---- */

static void answer(struct committer *c, enum request what)
{
	enum committer_leave result;

	result = leave_store(c, what == REQUEST_LEAVE_DRAINED);
	pthread_mutex_lock(&c->lock);
	c->answer = result;
	c->request = REQUEST_NONE;
	pthread_cond_broadcast(&c->answered);
	pthread_mutex_unlock(&c->lock);
}

static enum committer_leave ask(struct committer *c, enum request what)
{
	enum committer_leave result;

	pthread_mutex_lock(&c->lock);
	c->request = what;
	pthread_cond_signal(&c->more);
	while (c->request != REQUEST_NONE) {
		wait_on(c, &c->answered, TICK_MS);
		atomic_fetch_add(c->opt.main_tick, 1); /* it waits, it is not stuck */
	}
	result = c->answer;
	pthread_mutex_unlock(&c->lock);
	return result;
}

enum committer_leave committer_leave(struct committer *c, bool drained)
{
	return ask(c, drained ? REQUEST_LEAVE_DRAINED : REQUEST_LEAVE);
}

void committer_drain(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	c->drain = true;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}

void committer_abandon(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	c->abandon = true;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}

/* ---- what is done now and then ---- */

static void look_around(struct committer *c)
{
	int64_t now = clock_mono_ns(), next_ms = 0;
	struct err err = ERR_INIT;
	int ret;

	if (now >= c->look_ns) {
		ret = reaper_look(c->reaper, c->q, false, &next_ms, &err);
		if (ret < 0)
			log_debug("look: %s", err.text);
		c->look_ns = clock_mono_ns() + MAX(next_ms, 100) * 1000000;
		if (ret > 0)
			committer_note_due(c, 1); /* their tasks are back */
		scaler_look(c->scaler, c->q);
	}
	if (c->unpublished.n && now >= c->publish_ns) {
		publish_again(c);
		c->publish_ns = clock_mono_ns() + (int64_t)TICK_MS * 1000000;
	}
	if (now >= c->finish_jobs_ns) {
		if (reaper_finish_jobs(c->reaper, c->q, &err) < 0)
			log_debug("jobs: %s", err.text);
		c->finish_jobs_ns = clock_mono_ns() + (int64_t)FINISH_JOBS_MS * 1000000;
	}
	if (now >= c->change_ns) {
		int64_t change = queue_change(c->q);

		c->change_ns = now + (int64_t)TICK_MS * 1000000;
		if (change != c->change) {
			pthread_mutex_lock(&c->lock);
			c->news.look_again = true;
			pthread_mutex_unlock(&c->lock);
			wake_main(c);
		}
		c->change = change;
	}
}

static void store_message(struct committer *c, char *text)
{
	struct buf info = BUF_INIT;
	struct err err = ERR_INIT;

	node_info_json(&info, c->opt.o, c->node, text);
	if (queue_node_info(c->q, c->node, info.p, &err) < 0)
		log_debug("node's message: %s", err.text);
	buf_release(&info);
	free(text);
}

/* ---- the thread ---- */

/* How long it may sleep, ms; 0: there is something to do. Under the lock. */
static int64_t idle_ms(struct committer *c)
{
	int64_t now = clock_mono_ns(), ms = TICK_MS, age;

	if (c->stop || c->want || c->request || c->drain || c->message_new ||
	    c->n_put >= COMMIT_GROUP ||
	    (c->n_put && c->flush))
		return 0;
	if (c->n_put) {
		age = (now - c->first_put_ns) / 1000000;
		ms = age >= COMMIT_WAIT_MS ? 0 : COMMIT_WAIT_MS - age;
	}
	ms = MIN(ms, MAX((c->look_ns - now) / 1000000 + 1, 0));
	ms = MIN(ms, MAX((c->change_ns - now) / 1000000 + 1, 0));
	if (c->events_ns != INT64_MAX)
		ms = MIN(ms, MAX((c->events_ns - now) / 1000000 + 1, 0));
	return MIN(ms, watch_due(c));
}

static struct run *take_group(struct committer *c)
{
	struct run *group = c->put;

	c->put = NULL;
	c->put_tail = &c->put;
	c->committing = c->n_put;
	c->n_put = 0;
	c->flush = false;
	return group;
}

static void group_done(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	c->committing = 0;
	pthread_mutex_unlock(&c->lock);
	wake_main(c);
}

static void *work(void *arg)
{
	struct committer *c = arg;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		enum request request;
		struct claim_room room;
		struct run *group;
		char *message = NULL;
		bool want, stop, news, draining;
		int64_t ms;

		while ((ms = idle_ms(c)) > 0)
			wait_on(c, &c->more, ms);
		tick(c);
		group = take_group(c);
		want = c->want;
		room = c->room;
		c->want = false;
		request = c->request;
		draining = c->drain;
		c->drain = false;
		stop = c->stop;
		news = c->message_new;
		if (news)
			message = c->message;
		c->message_new = false;
		c->message = NULL;
		pthread_mutex_unlock(&c->lock);
		if (group) {
			commit_group(c, group);
			group_done(c);
		}
		if (want && !stop) {
			/* who asked waits for an answer before he leaves */
			if (draining)
				claim_none(c);
			else
				claim_some(c, &room);
			wake_main(c);
		}
		if (news)
			store_message(c, message);
		if (draining)
			leave_drain(c);
		if (request)
			answer(c, request);
		if (stop)
			break;
		look_around(c);
		tell_step(c);
		pthread_mutex_lock(&c->lock);
	}
	return NULL;
}

struct policy *committer_policy(struct committer *c)
{
	return c->policy.inner ? &c->policy.base : NULL;
}

struct committer *committer_new(const struct committer_options *o)
{
	struct reaper_options ro = {
		.home = o->o->home, .cluster = o->o->cluster, .self = o->node,
		.lease_ms = o->o->lease_ms,
	};
	struct events_options eo = { .home = o->o->home, .program = o->o->program,
				     .log_fd = STDERR_FILENO };
	struct scaler_options so = { .home = o->o->home, .cluster = o->o->cluster, .node = o->node,
				     .program = o->o->program, .log_fd = STDERR_FILENO };
	struct committer *c = xcalloc(1, sizeof(*c));
	pthread_condattr_t attr;

	c->opt = *o;
	watched_policy_init(&c->policy, o->o->policy, o->asking, o->tick);
	(void)snprintf(c->node, sizeof(c->node), "%s", o->node);
	c->q = o->queue;
	c->put_tail = &c->put;
	c->news.next_due = INT64_MAX;
	c->claimed_tail = &c->news.claimed;
	c->jobs = jobctx_cache_new(o->o->home, JOBCTX_RUN);
	eo.policy = ro.policy = so.policy = committer_policy(c);
	c->events = events_new(&eo);
	c->events_ns = INT64_MAX;
	ro.events = c->events;
	c->scaler = scaler_new(&so);
	c->reaper = reaper_new(&ro);
	/* whoever starts after a crash finds the dead at once */
	c->look_ns = clock_mono_ns();
	c->finish_jobs_ns = c->look_ns + (int64_t)TICK_MS * 1000000;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->more, &attr);
	pthread_cond_init(&c->answered, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&c->thread, NULL, work, c) != 0) {
		log_error("Cannot start a thread");
		abort();
	}
	return c;
}

void committer_free(struct committer *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	for (struct run *r = c->news.claimed, *next; r; r = next) {
		next = r->next;
		run_free(r);
	}
	for (size_t i = 0; i < c->needs.n; i++) {
		free(c->needs.p[i]->classes);
		free(c->needs.p[i]);
	}
	vec_release(&c->needs);
	vec_release(&c->watched);
	vec_release(&c->others);
	for (size_t i = 0; i < c->unpublished.n; i++)
		jobctx_unref(c->unpublished.p[i].ctx);
	vec_release(&c->unpublished);
	jobctx_cache_free(c->jobs);
	reaper_free(c->reaper);
	events_free(c->events);
	scaler_free(c->scaler);
	queue_close(c->q);
	pthread_cond_destroy(&c->more);
	pthread_cond_destroy(&c->answered);
	pthread_mutex_destroy(&c->lock);
	free(c->message);
	free(c);
}

/* ---- the main thread's side ---- */

void committer_claim(struct committer *c, const struct claim_room *room)
{
	pthread_mutex_lock(&c->lock);
	c->room = *room;
	c->want = true;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}

void committer_put(struct committer *c, struct run *r)
{
	r->next = NULL;
	pthread_mutex_lock(&c->lock);
	*c->put_tail = r;
	c->put_tail = &r->next;
	/* it wakes by itself after COMMIT_WAIT_MS once it knows of the first one */
	if (++c->n_put == 1)
		c->first_put_ns = clock_mono_ns();
	if (c->n_put == 1 || c->n_put == COMMIT_GROUP)
		pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}

void committer_flush(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->n_put) {
		c->flush = true;
		pthread_cond_signal(&c->more);
	}
	pthread_mutex_unlock(&c->lock);
}

void committer_news(struct committer *c, struct committer_news *out)
{
	pthread_mutex_lock(&c->lock);
	*out = c->news;
	out->open = c->n_put + c->committing;
	c->news = (struct committer_news){ .next_due = INT64_MAX };
	c->claimed_tail = &c->news.claimed;
	pthread_mutex_unlock(&c->lock);
}

void committer_message(struct committer *c, const char *text)
{
	pthread_mutex_lock(&c->lock);
	free(c->message);
	c->message = text ? xstrdup(text) : NULL;
	c->message_new = true;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}
