#ifndef MODEL_RANGES_H
#define MODEL_RANGES_H
/* Sets of task or row numbers ("3-7,9"), selectors of tasks ("JOB.3-7,9"), and --seq. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "model/task.h"

struct range { int64_t first, last; };
struct ranges { struct range *p; size_t n; }; /* n == 0: all; sorted, not overlapping; p is owned */

#define RANGES_INIT { .p = NULL, .n = 0 }
/* "3-7,9", "12", "5-" (to the end: last is INT64_MAX). Numbers from 1; 7-3, 0, empty text and
 * blanks are refused. Merged and sorted. `out` is released by the caller. */
int ranges_parse(struct str text, struct ranges *out, struct err *err);
void ranges_release(struct ranges *r);
/* True when n is in it; an empty set holds everything. */
bool ranges_has(const struct ranges *r, int64_t n);

/* --seq N, A..B, A..B..STEP. Counts down if B < A. */
enum { SEQ_MAX = 100000000 };
struct seq {
	int64_t first, step, count; /* first + i * step, 0 <= i < count */
};
int seq_parse(const char *text, struct seq *out, struct err *err);

#endif
