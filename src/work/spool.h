#ifndef WORK_SPOOL_H
#define WORK_SPOOL_H
/*
 * Rows that a script makes, kept in an unnamed temporary file as CSV: made once, so that all that
 * is done with them afterwards runs at the speed of C and sees the same rows. Values are written
 * one way (base/number.h), so equal rows are equal bytes.
 *
 * After an error only spool_release() may follow.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/hash.h"

enum { SPOOL_ROWS_MAX = 100 * 1000 * 1000 }; /* as of --seq: more are ERR_USAGE */

struct spool {
	int fd;                   /* -1: not begun */
	int64_t rows;             /* whole rows so far */
	size_t columns;
	size_t column;            /* of the next value */
	struct buf *name;         /* of the columns */
	struct buf out;           /* not yet written */
	struct hasher *hasher;
	char sha256[SHA256_HEX_SIZE]; /* of the file, after spool_end() */
};
#define SPOOL_INIT { .fd = -1, .out = BUF_INIT }

/* Writes the header. Names must be fit for parameters: not empty, none twice, none of kubeque's. */
int spool_begin(struct spool *s, const struct str *name, size_t n, struct err *err);
/* The next value of a row; the row ends with its last column. ERR_SCRIPT names column and row of
 * what is no value: text that is not UTF-8 or holds a NUL, a number that is not finite. */
int spool_text(struct spool *s, struct str text, struct err *err);
int spool_int(struct spool *s, int64_t v, struct err *err);
int spool_number(struct spool *s, double v, struct err *err);
int spool_bool(struct spool *s, bool v, struct err *err);
/* For the caller's own refusals: ERR_SCRIPT `row 3, column "lr": TEXT`; always -1. */
int spool_fault(const struct spool *s, struct err *err, const char *text);
/* Sets what is said of too many rows; always -1. */
int spool_too_many(struct err *err);
/* Writes what is left. Nothing may be added afterwards. */
int spool_end(struct spool *s, struct err *err);
void spool_release(struct spool *s); /* NULL and SPOOL_INIT are fine */

#endif
