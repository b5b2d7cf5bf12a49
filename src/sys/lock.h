#ifndef SYS_LOCK_H
#define SYS_LOCK_H
/*
 * Locks that end with their holder: flock(2) on files made for it. A lock file may be removed by
 * its holder; who waited for it then finds out and takes the new one.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct lock {
	int fd; /* -1: not held */
};
#define LOCK_INIT { .fd = -1 }

/* 1 taken, 0 somebody has it (after wait_ms; 0: does not wait, -1: waits for ever; a signal that
 * signals_client() watches ends a wait with ERR_INTERRUPTED), -1. The file is made 0600. */
int lock_take(struct lock *l, int dirfd, const char *name, bool shared, int64_t wait_ms,
	      struct err *err);
void lock_drop(struct lock *l);
/* Removes the file, then drops it; only for the exclusive holder. */
void lock_remove(struct lock *l, int dirfd, const char *name);
/* Is it held exclusively by anyone (ourselves included)? 1 yes, 0 no, or no such file; -1. */
int lock_probe(int dirfd, const char *name, struct err *err);

/* Process that holds it: its pid, 0: nobody, or not known (/proc/locks tells). */
pid_t lock_holder(int dirfd, const char *name);

/* Descriptor of the -shm file of the SQLite WAL database `db`, -1: none. It stays open for good and
 * is only looked at: POSIX drops all locks that a process has on a file, SQLite's included, when it
 * closes any descriptor of it. */
int lock_db_shm(const char *db);
/* Process that holds the write lock of that database (byte 120 of the -shm file): its pid, 0:
 * nobody or not known. */
pid_t lock_db_writer(const char *db);

#endif
