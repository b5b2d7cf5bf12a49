#ifndef WORK_CONTROL_H
#define WORK_CONTROL_H
/*
 * What users do to jobs and nodes: kill, reset, drain, forget. Each is a loop over queue.h by the
 * procedures of PROTOCOL.md ("look, CAS, until nothing is left"), correct when it is run twice, by
 * two at once, or continued by another after its process died. Bells are rung after the commits.
 *
 * A signal watched by signals_client() ends a loop between two batches with ERR_INTERRUPTED; what
 * was done stays, and the same call continues.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/ranges.h"
#include "queue/queue.h"

struct control {
	struct queue *queue;   /* borrowed */
	const char *home;      /* $KUBEQUE_HOME: bells/, nodes/, work/; borrowed */
	struct policy *policy; /* asked for tasks of dead nodes; NULL: stock; borrowed */
};

/* ---- kill -------------------------------------------------------------------------------- */

/* Every open task of the job (or of the ranges; NULL or n == 0: all) becomes killed; a finish that
 * came first stands. *count is how many by this call. A job that is over is not an error. Nodes
 * and watchers are told. ERR_NOT_FOUND: no such job. */
int control_kill(const struct control *c, int64_t born, const struct ranges *r, int64_t *count,
		 struct err *err);
/* Goes on with a job that somebody began to kill (state killing). 0 also when it is no longer. */
int control_finish_kill(const struct control *c, int64_t born, int64_t *count, struct err *err);
/* Nodes of the cluster that hold nothing are told to leave when no job of it has open work. *woken
 * is true when work came up in between and no live node is left to do it: then one is to be
 * started. Returns how many were told, or -1. */
int control_release_nodes(const struct control *c, const char *cluster, bool *woken,
			  struct err *err);

/* ---- reset ------------------------------------------------------------------------------- */

enum control_reset_what {
	CONTROL_FAILED = 1,    /* failed(...) */
	CONTROL_COMPLETE = 2,  /* complete(code != 0) */
	CONTROL_KILLED = 4,
	CONTROL_SUCCEEDED = 8,
	CONTROL_CLAIMED = 16,  /* held by nodes that are dead for certain */
};
struct control_reset {
	int64_t born;
	struct ranges ranges; /* n == 0: all */
	unsigned what;        /* enum control_reset_what */
	const char *owner;    /* also what this node holds, dead or not; NULL: none */
	const char *class;    /* JSON of the class to move to; NULL: keep */
};
/* "failed", "complete", "killed", "succeeded", "claimed"; 0 for any other word. */
unsigned control_reset_word(const char *word);
/* Makes ended tasks pending again, with fresh counts. *count is how many. A job that is being
 * killed or removed is refused (ERR_CONFLICT). Nodes and watchers are told. */
int control_reset(const struct control *c, const struct control_reset *r, int64_t *count,
		  struct err *err);

/* ---- end of job -------------------------------------------------------------------------- */

/* An open job none of whose tasks is open becomes over: 1 by this call, 0 it is not so. */
int control_end(const struct control *c, int64_t born, struct err *err);

/* ---- forget ------------------------------------------------------------------------------ */

/* Forgets a job: redoes publications, removes stages that count for nothing, deletes its rows.
 * Published results stay unless `results`. Refused (ERR_CONFLICT, saying what to do) while tasks
 * run, and while tasks wait unless `force`. Continues a removal that somebody began. */
int control_remove(const struct control *c, int64_t born, bool force, bool results,
		   struct err *err);

/* ---- nodes and bells --------------------------------------------------------------------- */

/* Tells a node to finish what it runs and leave. 1 told (or it is leaving already), 0 no such
 * node. */
int control_drain(const struct control *c, const char *node, struct err *err);
/* Wake everybody who may have something to do; never fail. `born` 0: all watchers. */
void control_ring_nodes(const struct control *c);
void control_ring_watchers(const struct control *c, int64_t born);

#endif
