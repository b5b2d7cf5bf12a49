/* From running to stored. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/file.h"
#include "work/consumer_impl.h"

/* ---- by pid ---- */

static struct run **bucket(struct consumer *c, pid_t pid)
{
	return &c->running[(unsigned)pid % RUNNING_SLOTS];
}

static struct run *find(struct consumer *c, pid_t pid)
{
	struct run *r = *bucket(c, pid);

	while (r && r->pid != pid)
		r = r->next;
	return r;
}

static void unlink_run(struct consumer *c, struct run *r)
{
	struct run **at = bucket(c, r->pid);

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	c->n_running--;
	c->n_limited -= r->memory_limit > 0;
	c->n_cut -= r->ctx->root.common.max_stdout > 0;
}

void ending_running(struct consumer *c, struct run *r)
{
	struct run **at = bucket(c, r->pid);

	r->next = *at;
	*at = r;
	c->n_running++;
	c->n_limited += r->memory_limit > 0;
	c->n_cut += r->ctx->root.common.max_stdout > 0;
	c->deadline_ns = MIN(c->deadline_ns, r->deadline_ns);
}

/* ---- the end ---- */

/* For prefetching: what the last tasks of the job took, all in all. */
static void learn(struct run *r)
{
	int64_t us = MAX(r->out.a.elapsed_us, 1), mean = atomic_load(&r->ctx->mean_us);

	atomic_store(&r->ctx->mean_us, mean ? mean + (us - mean) / 8 : us);
}

static void done(struct consumer *c, struct run *r)
{
	if (r->state == RUN_DONE && c->troubled) {
		c->troubled = false;
		committer_message(c->committer, NULL);
	}
	hand_over(c, r);
}

void ending_collect(struct consumer *c, struct run *r)
{
	resources_add(&c->free, &r->need, 1);
	c->room_moved = true;
	r->state = RUN_COLLECTING;
	bool quick = run_is_quick(r, &c->env);
	if (quick || !r->slot) {
		run_collect(r, &c->env, quick);
		done(c, r);
		return;
	}
	r->collecting = true;
	c->n_collecting++;
	workers_put(c->workers, r);
}

/*
 * Whoever ends a whole machine or the job of a batch system sends SIGTERM to everybody, in any
 * order: to a task before its node. That is no fault of the task's, so one that ends by a SIGTERM
 * of others waits a moment for the node's own.
 */
static bool may_be_everybodys(const struct run *r, const struct proc_end *end)
{
	return (end->signal == SIGTERM || end->exit_code == 128 + SIGTERM) && !r->termed &&
	       !r->killed;
}

void ending_reap(struct consumer *c)
{
	struct proc_end end;

	while (proc_reap(&end) > 0) {
		struct run *r = find(c, end.pid);

		if (!r) /* an orphan of a task that came to us */
			continue;
		unlink_run(c, r);
		r->term_ns = may_be_everybodys(r, &end) ? clock_mono_ns() : 0;
		if (run_ended(r, &end)) {
			run_list_add(&c->leftovers, r);
			continue;
		}
		learn(r);
		if (r->term_ns)
			run_list_add(&c->terminated, r);
		else
			ending_collect(c, r);
	}
}

/* True: it is known by now whose SIGTERM that was. */
static bool term_is_clear(struct consumer *c, struct run *r, int64_t now)
{
	if (c->told_to_leave && r->stop == STOP_NONE)
		r->stop = STOP_LEAVE;
	return c->told_to_leave || now - r->term_ns >= (int64_t)TERM_MS * 1000000;
}

static void check_terminated(struct consumer *c, int64_t now)
{
	struct run_list rest;
	struct run *r;

	run_list_init(&rest);
	while ((r = run_list_pop(&c->terminated))) {
		if (term_is_clear(c, r, now))
			ending_collect(c, r);
		else
			run_list_add(&rest, r);
	}
	while ((r = run_list_pop(&rest)))
		run_list_add(&c->terminated, r);
}

/* ---- deadlines ---- */

static void check_leftovers(struct consumer *c, int64_t now)
{
	struct run_list rest;
	struct run *r;

	run_list_init(&rest);
	while ((r = run_list_pop(&c->leftovers))) {
		bool alive = proc_group_kill(r->pid, 0);

		if (alive && now >= r->deadline_ns && !r->killed) {
			run_stop(r, STOP_NONE, true);
			r->deadline_ns = now + (int64_t)LEFTOVERS_KILLED_MS * 1000000;
		} else if (alive && r->killed && r->deadline_ns == INT64_MAX) {
			r->deadline_ns = now + (int64_t)LEFTOVERS_KILLED_MS * 1000000;
		} else if (alive && r->killed && now >= r->deadline_ns) {
			alive = false;
		}
		if (alive)
			run_list_add(&rest, r);
		else if (r->term_ns)
			run_list_add(&c->terminated, r);
		else
			ending_collect(c, r);
	}
	while ((r = run_list_pop(&rest)))
		run_list_add(&c->leftovers, r);
}

static void check_timeouts(struct consumer *c, int64_t now)
{
	c->deadline_ns = INT64_MAX;
	for (size_t i = 0; i < RUNNING_SLOTS; i++) {
		for (struct run *r = c->running[i]; r; r = r->next) {
			if (now >= r->deadline_ns)
				run_stop(r, STOP_TIMEOUT, false);
			c->deadline_ns = MIN(c->deadline_ns, r->deadline_ns);
		}
	}
}

/* ---- limits that are looked at ---- */

static int64_t resident(pid_t pid)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t pages = 0;
	char path[48], *second;

	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (file_read(AT_FDCWD, path, 4096, &text, &err) > 0 && (second = strchr(text.p, ' ')))
		pages = strtoll(second, NULL, 10);
	buf_release(&text);
	return pages * sysconf(_SC_PAGESIZE);
}

static int add_memory(void *ctx, const struct proc_info *p)
{
	struct run *r = find(ctx, p->pgrp);

	if (r && r->memory_limit > 0)
		r->memory_now += resident(p->pid);
	return 0;
}

static void check_memory(struct consumer *c)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < RUNNING_SLOTS; i++)
		for (struct run *r = c->running[i]; r; r = r->next)
			r->memory_now = 0;
	if (proc_each(add_memory, c, &err) < 0)
		return;
	for (size_t i = 0; i < RUNNING_SLOTS; i++)
		for (struct run *r = c->running[i]; r; r = r->next)
			if (r->memory_limit > 0 && r->memory_now > r->memory_limit)
				run_stop(r, STOP_MEMORY, true);
}

/* A task that goes on writing shall not fill the disk before it ends. */
static void check_stdout(struct consumer *c)
{
	for (size_t i = 0; i < RUNNING_SLOTS; i++) {
		for (struct run *r = c->running[i]; r; r = r->next) {
			int64_t max = r->ctx->root.common.max_stdout;
			struct stat st;

			if (max > 0 && fstat(r->out_fd, &st) == 0 && st.st_size > max + 1)
				/* one byte more tells at the end that something was cut */
				(void)!ftruncate(r->out_fd, (off_t)max + 1);
		}
	}
}

void ending_deadlines(struct consumer *c, int64_t now)
{
	if (c->leftovers.n)
		check_leftovers(c, now);
	if (c->terminated.n)
		check_terminated(c, now);
	if (now >= c->deadline_ns)
		check_timeouts(c, now);
	if (c->n_limited && now >= c->memory_ns) {
		check_memory(c);
		c->memory_ns = now + (int64_t)MEMORY_MS * 1000000;
	}
	if (c->n_cut && now >= c->stdout_ns) {
		check_stdout(c);
		c->stdout_ns = now + (int64_t)STDOUT_MS * 1000000;
	}
}

/* ---- taken away ---- */

static int by_task(const void *a, const void *b)
{
	const struct held_task *x = a, *y = b;

	if (x->job != y->job)
		return x->job < y->job ? -1 : 1;
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return x->attempt < y->attempt ? -1 : x->attempt > y->attempt;
}

static bool is_taken(const struct run *r, const struct lease_news *news)
{
	const struct held_task key = { r->c.job, r->c.n, r->c.attempt };

	/* what was claimed after the question is not in the answer */
	if (r->born_ns >= news->asked_ns)
		return false;
	return !news->n_held ||
	       !bsearch(&key, news->held, news->n_held, sizeof(key), by_task);
}

static void drop_taken(struct consumer *c, struct run_list *l, const struct lease_news *news)
{
	struct run_list rest;
	struct run *r;

	run_list_init(&rest);
	while ((r = run_list_pop(l))) {
		if (!is_taken(r, news)) {
			run_list_add(&rest, r);
			continue;
		}
		resources_sub(&c->reserved, &r->need, 1);
		if (r->slot)
			workdir_clear(&r->slot->dir, &c->work);
		r->state = RUN_GONE;
		hand_over(c, r);
	}
	while ((r = run_list_pop(&rest)))
		run_list_add(l, r);
}

void ending_held(struct consumer *c, const struct lease_news *news)
{
	if (!news->held_known)
		return;
	if (news->n_held)
		qsort(news->held, news->n_held, sizeof(*news->held), by_task);
	drop_taken(c, &c->ready, news);
	drop_taken(c, &c->staged, news);
	for (size_t i = 0; i < RUNNING_SLOTS; i++) {
		for (struct run *r = c->running[i]; r; r = r->next) {
			if (!r->termed && !r->killed && is_taken(r, news)) {
				run_stop(r, STOP_TAKEN, false);
				c->deadline_ns = MIN(c->deadline_ns, r->deadline_ns);
			}
		}
	}
}

void ending_stop_all(struct consumer *c, enum run_stop why, bool hard)
{
	for (size_t i = 0; i < RUNNING_SLOTS; i++) {
		for (struct run *r = c->running[i]; r; r = r->next) {
			run_stop(r, why, hard);
			c->deadline_ns = MIN(c->deadline_ns, r->deadline_ns);
		}
	}
}
