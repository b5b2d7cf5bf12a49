#ifndef WORK_LEASE_H
#define WORK_LEASE_H
/*
 * The lease thread of a node: beats (only while the main loop moves), notices that the node was
 * told to drain or given up for lost, that tasks were taken away, and ends the process when the
 * main loop or the committer is stuck. It runs no policy and has a queue handle of its own.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"

struct lease_options {
	struct queue *queue;      /* owned from now on */
	const char *node;
	int64_t heartbeat_ms, lease_ms;
	int64_t watch_ms;         /* between looks of the watchdog */
	int wake_fd;              /* eventfd of the main thread */
	atomic_uint *main_tick;   /* moved by the main loop */
	atomic_uint *commit_tick; /* and by the committer */
	atomic_int *asking;       /* above 0 while a policy is being asked */
};

struct lease;
struct lease *lease_new(const struct lease_options *o);
void lease_free(struct lease *l);

/* Somebody rang: look at the node's row and at what it holds, now. */
void lease_poke(struct lease *l);
/* Has a beat been answered less than half a lease ago (own clock)? If not, one is tried now; the
 * main thread is woken when it was answered. */
bool lease_is_fresh(struct lease *l);

struct held_task {
	int64_t job, n, attempt;
};
struct lease_news {
	bool draining, lost;
	/* What the queue said this node holds (owned by the caller; free), asked at asked_ns of
	 * the monotonic clock; NULL: not asked since. */
	bool held_known;
	struct held_task *held;
	size_t n_held;
	int64_t asked_ns;
};
void lease_news(struct lease *l, struct lease_news *out);

#endif
