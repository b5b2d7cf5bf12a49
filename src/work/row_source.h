#ifndef WORK_ROW_SOURCE_H
#define WORK_ROW_SOURCE_H
/*
 * A file that rows are read from, more than once: what can be read only once (stdin, a pipe) is
 * copied to an unnamed temporary file first.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

struct row_source {
	const char *name; /* for messages, borrowed */
	int fd;           /* -1: nothing is open */
	bool own;         /* a copy of ours: it cannot change */
	int64_t offset;   /* where row_source_read() goes on */
	struct stat seen; /* when it was opened */
};
#define ROW_SOURCE_INIT { .name = "", .fd = -1 }

/* Opens the file ("-": stdin), copies it if it must; `stop` (may be NULL) ends that with
 * ERR_INTERRUPTED. Released by row_source_close(), also after an error. */
int row_source_open(struct row_source *s, const char *path, bool (*stop)(void *ctx), void *ctx,
		    struct err *err);
/* Rows in an open file that nobody changes; fd stays the caller's. */
int row_source_share(struct row_source *s, const char *name, int fd, struct err *err);
void row_source_close(struct row_source *s);
/* A params_read_fn; ctx is the source. */
ssize_t row_source_read(void *ctx, void *p, size_t n, struct err *err);
/* 0, or -1 when the file is not what it was (ERR_USAGE), or cannot be looked at. */
int row_source_unchanged(const struct row_source *s, struct err *err);

#endif
