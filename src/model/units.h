#ifndef MODEL_UNITS_H
#define MODEL_UNITS_H
/*
 * Amounts as users write them: memory, durations, fractions of a CPU. The locale does not matter,
 * `.` is the decimal point, and whatever is not exactly one of the forms is ERR_USAGE with the
 * forms that are. Nothing is rounded silently but a fraction of a byte (down) or of a
 * millisecond (down).
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* "100M", "1.5G", "4096": K M G T are powers of 1000, Ki Mi Gi Ti of 1024; a final B is
 * accepted ("2GB", "2GiB"). 0 to 2^62 bytes. */
int units_memory(const char *text, int64_t *bytes, struct err *err);
/* "90", "90s", "5m", "2h", "1d", "1h30m", "0.5", "500ms"; 0 is "none"; negative ones are refused.
 * At most 100 years. */
int units_duration(const char *text, int64_t *ms, struct err *err);
/* "1", "0.5", "1.25": thousandths; more than three decimals are refused, as are negative ones. */
int units_milli(const char *text, int64_t *milli, struct err *err);

/* "0", "812", "1.5M", "20G": at most three significant digits, for people. */
void units_add_bytes(struct buf *out, int64_t bytes);
/* Exact: the largest unit that divides it ("2G", "512Mi", "1500"); reads back to the same. */
void units_add_memory(struct buf *out, int64_t bytes);
/* "1h30m", "90s" as "1m30s", "0s", "1.5s": exact to the millisecond; reads back to the same. */
void units_add_duration(struct buf *out, int64_t ms);
/* "1", "0.5", "1.25" */
void units_add_milli(struct buf *out, int64_t milli);

#endif
