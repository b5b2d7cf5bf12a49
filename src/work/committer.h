#ifndef WORK_COMMITTER_H
#define WORK_COMMITTER_H
/*
 * The thread of a node that owns the queue handle and the policy: it claims, stores outcomes in
 * groups, asks for verdicts, publishes, rings whoever watches, and looks after other nodes. The
 * main thread never waits for the disk.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/class.h"
#include "work/consumer.h"
#include "work/task_run.h"

enum {
	COMMIT_GROUP = 64,      /* outcomes that are stored at once ... */
	COMMIT_WAIT_MS = 20,    /* ... or after so long, or when nothing runs */
	CLAIM_MAX = 192,        /* tasks a claim */
	PREFETCH_MAX = 160,
	PREFETCH_MS = 250,      /* work of so long is claimed ahead ... */
	PREFETCH_TASK_MS = 2000, /* ... of tasks that take no longer than this */
};

struct committer_options {
	const struct consumer_options *o;
	const char *node;
	struct queue *queue;         /* owned from now on */
	int bells_fd;                /* borrowed */
	int wake_fd;                 /* eventfd of the main thread */
	struct resources cap;
	atomic_uint *tick;           /* moved while it is alive and well */
	atomic_uint *main_tick;      /* moved for the main thread while that waits for an answer */
	atomic_int *asking;          /* above 0 while a policy is being asked */
};

struct committer;
struct committer *committer_new(const struct committer_options *o);
/* Stores what it has (as long as the queue answers), ends the thread, frees. */
void committer_free(struct committer *c);
/* Is something being delivered that policies wanted? It goes on without us, but not if the machine
 * is switched off. */
bool committer_delivers(struct committer *c);

/* What there is room for; claims soon. `unstarted` of tasks are claimed but not running. */
struct claim_room {
	struct resources free;
	size_t unstarted;
};
void committer_claim(struct committer *c, const struct claim_room *room);
/* A run in RUN_DONE, RUN_GIVEN_BACK or RUN_GONE; owned from now on. */
void committer_put(struct committer *c, struct run *r);
/* What was put shall be stored now: nothing runs. */
void committer_flush(struct committer *c);

/* News for the main thread, since the last call. */
struct committer_news {
	struct run *claimed;      /* linked by next, in RUN_CLAIMED */
	bool claim_done;          /* a claim came back ... */
	size_t claim_count;       /* ... with so many ... */
	size_t claim_dropped;     /* ... of which so many cannot be run here ... */
	bool pending_left;        /* ... and there are more that did not fit */
	int64_t next_due;         /* wall ms of the earliest delayed task; INT64_MAX: none */
	bool look_again;          /* something changed in the queue: a claim may find work */
	bool refused;             /* the node's row is not live any more */
	char trouble[REASON_SIZE]; /* why this node should claim nothing for a while; "" */
	bool nospace;             /* it is a full disk */
	size_t open;              /* runs put and not yet stored */
};
void committer_news(struct committer *c, struct committer_news *out);

enum committer_leave { LEAVE_DONE, LEAVE_STAY, LEAVE_FAILED };
/* Blocking, for the ends of a node's life: nothing may be running or unstored. */
enum committer_leave committer_leave(struct committer *c, bool drained);
/* Node row to draining, soon. */
void committer_drain(struct committer *c);
/* The store is gone: nothing is tried again. */
void committer_abandon(struct committer *c);
/* The message in the node's row (for `nodes` and `explain`); NULL: none. Copied; not blocking. */
void committer_message(struct committer *c, const char *text);

/* The node's info as stored in its row. */
void node_info_json(struct buf *out, const struct consumer_options *o, const char *node,
		    const char *message);

#endif
