#ifndef CAS_MATERIALIZE_H
#define CAS_MATERIALIZE_H
/*
 * Lays inputs into a work directory: the task's own copies (reflink where the file system can,
 * else copied), with permission bits and mtime. Everything happens below `dirfd`, component by
 * component without following links; a destination that would leave it is refused here again,
 * whatever the submitter's program let through.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cas/cas.h"
#include "sys/subdir.h"

struct materialize_file {
	const char *dst;
	const char *sha256; /* hex */
	int64_t size;       /* checked against what was laid down; -1: unknown */
	unsigned mode;      /* rwx bits; the owner always gets read and write */
	int64_t mtime_ns;
};

enum materialize_result {
	MATERIALIZE_OK = 0,
	MATERIALIZE_ERROR = -1,   /* this node's trouble (disk full, ...): err says */
	MATERIALIZE_MISSING = -2, /* the object is not there or damaged: err is `missing input F`,
				   * for failed(missing input F) */
	MATERIALIZE_UNSAFE = -3,  /* destination leaves the directory or is taken: err says */
};

/* Keeps the directory it wrote last, so that a sorted list costs one open a directory. */
struct materialize {
	struct cas *cas;
	bool verify; /* hash every file that was laid down */
	bool link;   /* --link-inputs: read-only hard links of the objects instead of copies */
	struct subdir at; /* private, but for at.mode: of directories it makes */
};
void materialize_init(struct materialize *m, struct cas *cas, int dirfd); /* borrowed */
void materialize_release(struct materialize *m);
/* One input. A destination that is there already is MATERIALIZE_UNSAFE. */
enum materialize_result materialize_file(struct materialize *m, const struct materialize_file *f,
					 struct err *err);
/* mkdir -p below the directory (for --cd), same safety. */
enum materialize_result materialize_dir(struct materialize *m, const char *path, struct err *err);

#endif
