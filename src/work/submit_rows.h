#ifndef WORK_SUBMIT_ROWS_H
#define WORK_SUBMIT_ROWS_H
/*
 * Where the tasks of a submission come from, as one stream of rows that can be read twice: one
 * task, a params file, a sequence, words, or the tasks of a job file.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/jobfile.h"
#include "model/params.h"
#include "work/row_source.h"
#include "work/submit.h"

struct row {
	const struct str *value;         /* one a column, valid until the next row */
	int64_t number;                  /* of the row, from 1, counting rows that --rows skips */
	const struct jobfile_task *task; /* of a job file, else NULL */
};

struct rows {
	/* private */
	const struct submit_spec *spec;
	struct row_source source;
	struct params *params;
	int64_t next;       /* SUBMIT_ONE, SUBMIT_JOBFILE: how many were given */
	struct arena arena; /* names of the columns */
	struct columns columns;
	struct strs names;  /* the same */
	/* of a job file */
	struct jobfile jobfile;
};

/* Opens the source (copies what can be read only once; `stop` ends that with ERR_INTERRUPTED) and
 * reads up to the first row. Released by rows_close(), also after an error. */
int rows_open(struct rows *r, const struct submit_spec *spec, bool (*stop)(void *), void *ctx,
	      struct err *err);
void rows_close(struct rows *r);
/* The next row: 1, 0 at the end (an empty source is an error), -1. */
int rows_next(struct rows *r, struct row *out, struct err *err);
/* Back to the first row. */
int rows_rewind(struct rows *r, struct err *err);
/* ERR_USAGE when the file is not what it was at rows_open(). */
int rows_unchanged(const struct rows *r, struct err *err);

#endif
