#ifndef WORK_CLEAN_H
#define WORK_CLEAN_H
/*
 * What is left behind and may go: CAS content nobody refers to, results of forgotten jobs, work
 * directories and locks of dead nodes, stages, half-done submissions, temporary files; and how
 * much room all of it takes.
 *
 * Nothing is removed but on evidence: a lock that can be taken, a row that says so, a marker of
 * this queue. Everything may be run twice, by two at once, or be killed and run again.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "queue/queue.h"

/* All borrowed. */
struct clean {
	struct queue *queue;
	const char *home;     /* $KUBEQUE_HOME */
	const char *prefix;   /* directory of results directories */
	const char *cas;      /* directory of the CAS */
	const char *work_dir; /* NULL: <home>/work */
	struct policy *policy;
};

struct clean_sum {
	int64_t files, bytes;
};

/*
 * Collects garbage of the CAS: what no job refers to and nobody used for older_ms (at least an
 * hour). ERR_CONFLICT when another queue uses this CAS; a manifest that cannot be read stops it,
 * naming the job. No CAS: nothing to do.
 */
int clean_cas(const struct clean *c, int64_t older_ms, bool dry_run, struct clean_sum *out,
	      struct err *err);

/* Results of a job by its id (or of one that was moved aside, by the name of its directory): how
 * much they are, and, unless dry_run, gone. A remembered job's are only counted: to delete them is
 * ERR_CONFLICT. Nothing there: sums of 0. */
int clean_results(const struct clean *c, const char *id, bool dry_run, struct clean_sum *out,
		  struct err *err);

/* Everything else that is left behind. What cannot be removed is logged and passed over. */
int clean_leftovers(const struct clean *c, struct err *err);

/* ---- du --------------------------------------------------------------------------------- */

struct du_row {
	const char *what; /* id of a job, or a name */
	const char *kind; /* "job", "forgotten", "other", "cas", "queue", "work", "logs" */
	const char *path;
	struct clean_sum sum;
};
typedef int (*du_fn)(void *ctx, const struct du_row *row); /* 0 goes on, else it stops */

/* Jobs newest first, results of forgotten jobs and of other queues, the CAS, the queue, work
 * directories, logs of nodes. */
int clean_du(const struct clean *c, du_fn fn, void *ctx, struct err *err);

#endif
