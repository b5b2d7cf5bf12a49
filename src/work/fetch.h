#ifndef WORK_FETCH_H
#define WORK_FETCH_H
/*
 * Results into a directory of the user: DIR/<n>/ with stdout.txt, result.json and the outputs, and
 * DIR/tasks.csv; or, flat, all outputs of all tasks beside each other.
 *
 * Everything that can be refused is refused before the first byte is written. A new DIR/<n> appears
 * whole by a rename; in one that is there files are replaced one by one, by rename, result.json
 * last; what is equal is left alone. A fetch that was stopped leaves hidden `.*.part` names in DIR,
 * which the next one goes on with. Fetched files are the user's own copies.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/ranges.h"
#include "queue/queue.h"

struct fetch_options {
	const char *home;        /* $KUBEQUE_HOME */
	const char *dest;        /* DIR, made if missing */
	bool flat;
	bool force;              /* replace a DIR/<n> that is not this job's */
	const char *const *only; /* globs over output paths, NULL-terminated, or NULL. result.json
				  * comes always: it says whose directory it is */
	struct ranges ranges;    /* empty: all tasks */
	/* After each file, may be NULL: what was copied so far. Non-zero stops: ERR_INTERRUPTED. */
	int (*progress)(void *ctx, int64_t files, int64_t bytes);
	void *ctx;
};

struct fetch_result {
	int64_t tasks;   /* whose results were there */
	int64_t files;   /* copied */
	int64_t bytes;
	int64_t skipped; /* files that were in DIR already */
	int64_t pending; /* tasks that have not ended */
	int64_t lost;    /* tasks that ended with results which are not there any more */
};

/* ERR_USAGE: DIR is in the way (see above; `force` and another DIR are offered), or two flat
 * files collide. ERR_NOSPACE: it cannot fit. ERR_BUSY: another fetch writes into DIR. */
int fetch_run(struct queue *q, int64_t born, const struct fetch_options *o,
	      struct fetch_result *out, struct err *err);

#endif
