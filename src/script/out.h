#ifndef SCRIPT_OUT_H
#define SCRIPT_OUT_H
/*
 * What commands print: data on stdout, buffered, and one live line on stderr that log lines step
 * around. A reader that closed its end of stdout ends the process quietly with 141.
 */
#include <stddef.h>

#include "base/err.h"

/* Data for stdout; flushed when 64 KiB have gathered, at the end of a line on a terminal, before
 * every wait and at the end. -1: it cannot be written (disk full, say). */
int out_write(const char *p, size_t n, struct err *err);
int out_flush(struct err *err);

/* Columns for the live line: a COLUMNS that promises more than there is would make it wrap. */
int term_live_width(void);
/* Columns of the terminal on stderr: COLUMNS, else what it says, else 80. */
int term_width(void);
/* Draws (replaces) the live line, cut to the width; "" removes it. Only for a terminal. */
void term_live(const char *text, size_t n);

#endif
