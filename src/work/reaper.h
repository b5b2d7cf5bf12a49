#ifndef WORK_REAPER_H
#define WORK_REAPER_H
/*
 * Look and lose (PROTOCOL.md): finds nodes that are gone and gives their tasks back. Called from
 * living nodes, waiting clients, reset and clean; each looker keeps its own series of looks.
 *
 * Certain evidence of this machine needs no waiting: the lock file of the node can be locked.
 * Otherwise silence is "the beat did not move" over answered looks that span a lease by the
 * looker's own monotonic clock.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "queue/queue.h"
#include "work/events.h"
#include "work/policy.h"

struct reaper;

struct reaper_options {
	const char *home;      /* nodes/<id>.lock and .run, work/<id> */
	const char *cluster;   /* NULL: all */
	const char *self;      /* own node id, never looked at; NULL: a client */
	int64_t lease_ms;      /* 0: 10,000 */
	struct policy *policy; /* borrowed; NULL: stock */
	struct events *events; /* borrowed; NULL: nobody is told */
};

struct reaper *reaper_new(const struct reaper_options *o);
void reaper_free(struct reaper *r);

/*
 * One look. Nodes found dead are marked lost, their leftover processes killed, their tasks given
 * back, their stages salvaged, their rows deleted; lost or leaving nodes that somebody left
 * half-way are finished. Returns how many nodes were dealt with; *next_ms is when to look again
 * (monotonic milliseconds from now). `all` looks at every node, else at the three next after self.
 */
int reaper_look(struct reaper *r, struct queue *q, bool all, int64_t *next_ms, struct err *err);
/* Is this node dead for certain (its lock can be taken)? Then it is dealt with: 1; 0: it lives,
 * or nobody can know at once. */
int reaper_node(struct reaper *r, struct queue *q, const char *node, struct err *err);

/* Tasks that nobody will end: jobs that are killing, over but untold, ended tasks whose asker
 * died. Idempotent; nodes call it now and then. */
int reaper_finish_jobs(struct reaper *r, struct queue *q, struct err *err);

#endif
