#ifndef CAS_STORE_H
#define CAS_STORE_H
/*
 * The object store: immutable bytes under keys. Readers never see a partial object. Keys are
 * relative paths of UTF-8 without "." or ".." components.
 *
 * One conformance suite runs over every implementation: files here, Cloud Storage later. A handle
 * may be used by several threads at once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct store;

struct store_stat {
	int64_t size;
	int64_t mtime; /* wall ns of the last put or touch */
	bool writable; /* by a task that has it as a link: not to be trusted */
};

/* What to put: bytes in memory, or a file descriptor with its size (read from offset 0). */
struct store_source {
	const void *p; /* NULL: use fd */
	size_t n;
	int fd;
	int64_t size;
};

/* 0 goes on, 1 stops, -1 fails. */
typedef int (*store_fn)(void *ctx, const char *key, const struct store_stat *st);

struct store_ops {
	const char *name;
	/* Put if absent: 1 stored, 0 it was there (its time is renewed). The source may be
	 * cloned (reflink) but never hard-linked. */
	int (*put)(struct store *s, const char *key, const struct store_source *src,
		   struct err *err);
	/* Whole object into memory, at most `limit` bytes: 1, or 0: no such object. */
	int (*get)(struct store *s, const char *key, size_t limit, struct buf *out,
		   struct err *err);
	/* Object into a new file at dirfd/path (O_EXCL) with this mode; reflink where possible.
	 * 1, or 0: no such object. */
	int (*get_file)(struct store *s, const char *key, int dirfd, const char *path,
			unsigned mode, struct err *err);
	/* 1, or 0: no such object. */
	int (*stat)(struct store *s, const char *key, struct store_stat *out, struct err *err);
	/* Renews the time of an object before it is relied on: 1, or 0: it is gone. */
	int (*touch)(struct store *s, const char *key, struct err *err);
	int (*list)(struct store *s, const char *prefix, store_fn fn, void *ctx, struct err *err);
	/* Removes only if the object still has the times of *seen (NULL: whatever they are):
	 * 1 gone, also if it was gone before; 0 it moved. */
	int (*remove)(struct store *s, const char *key, const struct store_stat *seen,
		      struct err *err);
	/* A whole file into the CAS part: reads fd from offset 0 to its end, stores it under the
	 * key of its sha256 (cas_key()) and gives that in hex. What is stored is what was hashed.
	 * 1 stored, 0 it was there (its time is renewed; one of another size is what a power cut
	 * left, and is replaced). ERR_CONFLICT: the file changed meanwhile. */
	int (*put_content)(struct store *s, int fd, char *hex, int64_t *size, struct err *err);
	/* A read-only hard link of an object at dirfd/path, for inputs too large to copy. 1, 0 no
	 * such object; ERR_USAGE where the store or the file systems cannot. */
	int (*link)(struct store *s, const char *key, int dirfd, const char *path, struct err *err);
	/* Everything put through this handle, whether stored or found, survives a power cut after
	 * this. */
	int (*sync)(struct store *s, struct err *err);
	/* Removes what writers that died left half done; *count how many. */
	int (*sweep)(struct store *s, int64_t *count, struct err *err);
	void (*close)(struct store *s);
};

struct store {
	const struct store_ops *ops;
};

static inline int store_put(struct store *s, const char *key, const struct store_source *src,
			    struct err *err)
{
	return s->ops->put(s, key, src, err);
}
static inline int store_get(struct store *s, const char *key, size_t limit, struct buf *out,
			    struct err *err)
{
	return s->ops->get(s, key, limit, out, err);
}
static inline int store_get_file(struct store *s, const char *key, int dirfd, const char *path,
				 unsigned mode, struct err *err)
{
	return s->ops->get_file(s, key, dirfd, path, mode, err);
}
static inline int store_stat(struct store *s, const char *key, struct store_stat *out,
			     struct err *err)
{
	return s->ops->stat(s, key, out, err);
}
static inline int store_touch(struct store *s, const char *key, struct err *err)
{
	return s->ops->touch(s, key, err);
}
static inline int store_list(struct store *s, const char *prefix, store_fn fn, void *ctx,
			     struct err *err)
{
	return s->ops->list(s, prefix, fn, ctx, err);
}
static inline int store_remove(struct store *s, const char *key, const struct store_stat *seen,
			       struct err *err)
{
	return s->ops->remove(s, key, seen, err);
}
static inline int store_put_content(struct store *s, int fd, char *hex, int64_t *size,
				    struct err *err)
{
	return s->ops->put_content(s, fd, hex, size, err);
}
static inline int store_link(struct store *s, const char *key, int dirfd, const char *path,
			     struct err *err)
{
	return s->ops->link(s, key, dirfd, path, err);
}
static inline int store_sync(struct store *s, struct err *err)
{
	return s->ops->sync(s, err);
}
static inline int store_sweep(struct store *s, int64_t *count, struct err *err)
{
	return s->ops->sweep(s, count, err);
}
static inline void store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}

/*
 * A directory as a store. Objects are 0400 in a 0700 tree; temporary names live in <dir>/.tmp, each
 * locked by its writer for as long as it lives; <dir>/.lock is flock'd shared by whoever renews or
 * adds objects and exclusively by whoever removes one. `list` skips both.
 */
struct store *store_files_open(const char *dir, bool create, struct err *err);

#endif
