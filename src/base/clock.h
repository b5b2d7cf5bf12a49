#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
/*
 * Clocks. Waiting and silence use the monotonic clock (it stands still in suspend); wall time is
 * for records only, never compared between machines.
 */
#include <stdint.h>

int64_t clock_mono_ns(void); /* CLOCK_MONOTONIC */
int64_t clock_mono_ms(void);
int64_t clock_wall_ms(void); /* ms since 1970-01-01 UTC */

enum { CLOCK_RFC3339_SIZE = 25, CLOCK_LOG_SIZE = 24 };
/* "2017-09-15T09:49:48.062Z"; out holds CLOCK_RFC3339_SIZE bytes. */
void clock_format_utc(int64_t wall_ms, char *out);
/* "2017-09-15 09:49:48,062" in local time; out holds CLOCK_LOG_SIZE bytes. */
void clock_format_log(int64_t wall_ms, char *out);
/* "20170915-094948" in local time; out holds 16 bytes. */
void clock_format_id(int64_t wall_ms, char *out);

#endif
