#ifndef SYS_FILE_H
#define SYS_FILE_H
/*
 * Files by directory descriptor. Every function takes `dirfd` (AT_FDCWD allowed) and a path
 * relative to it; every descriptor it makes is O_CLOEXEC. Errors name the path and keep errno in
 * err->sys. Missing files are an answer (0), not an error, where the comment says 1/0/-1.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* This header hides the system's of the same name, whose one function is wanted still. */
int flock(int fd, int operation);

/* ---- opening ---------------------------------------------------------------------------- */

/* Opens a relative path that stays below dirfd: no "..", no absolute path, no symlink in any
 * component. Returns the descriptor or -1 (err->sys: ENOENT, ELOOP and EXDEV are what they say).
 * `mode` counts with O_CREAT only. */
int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct err *err);
/* A directory for use as dirfd (O_DIRECTORY; a symlink as last component is followed). */
int file_open_dir(int dirfd, const char *path, struct err *err);
/* mkdir -p: every missing component gets `mode` (the umask does not matter for the last one).
 * 1: the last one was made, 0: it was there, -1. Fails with ENOTDIR if it is something else. */
int file_mkdirs(int dirfd, const char *path, mode_t mode, struct err *err);
/* True for a relative path without empty, "." and ".." components, at most PATH_MAX bytes. */
bool file_path_is_clean(const char *path);
/* True for one such component. */
bool file_name_is_clean(const char *name);

/* ---- whole files ------------------------------------------------------------------------ */

/* Appends the file's content to *out: 1, or 0: it is not there. More than `limit` bytes:
 * ERR_USAGE. Symlinks are followed. */
int file_read(int dirfd, const char *path, size_t limit, struct buf *out, struct err *err);
/* The rest of an open descriptor. 0/-1. */
int file_read_fd(int fd, size_t limit, struct buf *out, struct err *err);
/* Writes everything, whatever write(2) returns. 0/-1. */
int file_write_fd(int fd, const void *p, size_t n, struct err *err);
/* The file appears whole under its name or not at all (temporary name beside it, rename). With
 * `sync` it and its directory are on disk before this returns. */
int file_write(int dirfd, const char *path, const void *p, size_t n, mode_t mode, bool sync,
	       struct err *err);
/* A new file with an unpredictable name "<prefix><hex>" in dirfd, opened O_RDWR|O_EXCL; `name`
 * holds FILE_TEMP_SIZE bytes. Returns the descriptor. `prefix` at most 40 bytes. */
enum { FILE_TEMP_SIZE = 64 };
int file_temp(int dirfd, const char *prefix, mode_t mode, char *name, struct err *err);
/* A file without a name in $TMPDIR (/tmp), O_RDWR: gone when it is closed. */
int file_unnamed(struct err *err);
/* fsync of a directory descriptor; a file system that cannot is not an error. */
int file_sync_dir(int dirfd, struct err *err);
/* Up to `max` bytes from offset `at` appended to *out; from where a pipe stands. 0/-1. */
int file_read_part(int fd, size_t max, int64_t at, struct buf *out, struct err *err);
/* The last `max` bytes of an open regular file appended to *out. 0/-1. */
int file_tail(int fd, size_t max, struct buf *out, struct err *err);

/* ---- copying (copy.c) ------------------------------------------------------------------- */

enum file_copied { FILE_CLONED, FILE_COPIED }; /* shares blocks, or own bytes */

/* All of `src` (from offset 0) into the empty file `dst`: FICLONE, else copy_file_range, else
 * read and write. Returns enum file_copied or -1 (ERR_INTERRUPTED when a signal came to a client in
 * the middle of a big file). Holes stay holes where the kernel keeps them. */
int file_clone_fd(int src, int dst, struct err *err);
/* Regular file to a new file (O_EXCL) with the source's rwx bits (or `mode` unless it is -1) and
 * its mtime. With `follow` false a symlink as source is refused. Returns enum file_copied, -1. */
int file_copy(int sdir, const char *spath, int ddir, const char *dpath, int mode, bool follow,
	      struct err *err);
/* renameat2: 1 done, 0: RENAME_NOREPLACE and the target exists; -1. Where the file system does not
 * know the flag: RENAME_NOREPLACE is done by link+unlink or by mkdir+rename for directories;
 * RENAME_EXCHANGE fails with EINVAL. */
int file_rename(int sdir, const char *spath, int ddir, const char *dpath, unsigned flags,
		struct err *err);

/* ---- removing (rmtree.c) ---------------------------------------------------------------- */

/* Removes a name and everything below it, whatever permissions, depth, count or names: never
 * follows a symlink, never enters another device. 1 it is gone, 0 it was not there, -1. */
int file_rmtree(int dirfd, const char *name, struct err *err);
/* The same for everything in an open directory, which itself stays (and becomes mode 0700). */
int file_empty_dir(int fd, struct err *err);
/* 1 empty, 0 not, -1 error. Costs one getdents64 (rewinds the descriptor). */
int file_dir_is_empty(int fd, struct err *err);

/* ---- walking (walk.c) ------------------------------------------------------------------- */

struct walk_entry {
	int dirfd;             /* of the directory that holds it; valid during the callback */
	const char *name;      /* in that directory */
	const char *path;      /* relative to the start, "a/b" ("" for the start itself) */
	size_t path_len;
	int depth;             /* 0: the start, 1: what is in it */
	const struct stat *st; /* lstat, or stat with WALK_FOLLOW; NULL with WALK_NO_STAT */
	unsigned char type;    /* DT_*; DT_UNKNOWN never */
	bool after;            /* a directory, second time, when all in it was seen */
};
enum {
	WALK_FOLLOW = 1,    /* symlinks are followed; a loop fails with ELOOP naming it */
	WALK_SORT = 2,      /* entries of a directory in byte order of names */
	WALK_ONE_DEV = 4,   /* directories on another device are reported, not entered */
	WALK_NO_STAT = 8,
	WALK_AFTER = 16,    /* call for directories a second time */
};
enum walk_next { WALK_GO_ON = 0, WALK_STOP = 1, WALK_SKIP = 2 /* do not enter this directory */ };
/* Returns enum walk_next, or -1 with err set. */
typedef int (*walk_fn)(void *ctx, const struct walk_entry *e, struct err *err);

/* Calls fn for the start and all below it, directories before what is in them. No recursion, at
 * most 64 descriptors open. A directory that vanishes meanwhile is skipped. 0, or -1. `path` "."
 * walks dirfd itself. */
int file_walk(int dirfd, const char *path, unsigned flags, walk_fn fn, void *ctx, struct err *err);

/* ---- about file systems (space.c) ------------------------------------------------------- */

struct file_space {
	int64_t bytes_free, bytes_total;   /* for this user */
	int64_t inodes_free, inodes_total; /* INT64_MAX where the file system does not count them */
};
int file_space(int fd, struct file_space *out, struct err *err);
/* "ext4", "tmpfs", "nfs", ... of a statfs magic; "0x1234" forms are "unknown". */
const char *file_system_name(int64_t magic);
/* True for file systems that other machines write to, or that lie about locks and mmap. */
bool file_system_is_network(int64_t magic);
/* The magic of the file system that holds fd. FUSE is looked up in mountinfo: sshfs, s3fs, gcsfuse
 * and the like are network, others (fuse-overlayfs, ntfs-3g) are not. `name` holds 32 bytes. */
int file_system_of(int fd, char *name, bool *network, struct err *err);
/* Pure part of the FUSE decision: subtype as in mountinfo ("fuse.sshfs"). */
bool file_fuse_is_network(const char *subtype);

/* A directory that must be ours: owner is `uid`, and group and others may not write. Makes it with
 * mode 0700 when missing and `create`. Returns a descriptor; ERR_CONFIG names owner and path. */
int file_open_private_dir(int dirfd, const char *path, uid_t uid, bool create, struct err *err);

#endif
