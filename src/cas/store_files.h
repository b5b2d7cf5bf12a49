#ifndef CAS_STORE_FILES_H
#define CAS_STORE_FILES_H
/* What the files of the directory store share; for cas/store_files*.c alone. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "cas/store.h"

#define STORE_TMP ".tmp"
#define STORE_LOCK ".lock"

enum { STORE_UNSYNCED_MAX = 8 };

struct store_files {
	struct store base;
	char *dir; /* for messages */
	int fd;
	int tmpfd, lockfd; /* -1 until something is written; under mu */
	char *unsynced[STORE_UNSYNCED_MAX]; /* keys put since the last sync; under mu */
	size_t n_unsynced;                  /* may be above the maximum: then syncfs is cheaper */
	atomic_bool no_clone; /* FICLONE was refused once: do not ask for each file */
	pthread_mutex_t mu;
	pthread_cond_t idle;
	size_t sharers;
	bool exclusive;
};

static inline struct store_files *files_of(struct store *base)
{
	return container_of(base, struct store_files, base);
}

/* ERR_USAGE unless it may be the key of an object. */
int files_check_key(const struct store_files *s, const char *key, struct err *err);

/* store_files_lock.c: flock belongs to the open file, so the threads of one handle share one lock
 * and count. Whoever renews or adds objects shares it, whoever removes one is alone. */
int files_open_writable(struct store_files *s, struct err *err); /* makes .tmp and .lock */
int files_flock(int fd, int op); /* flock(2) that is not interrupted */
int files_lock_shared(struct store_files *s, struct err *err);
void files_unlock_shared(struct store_files *s);
int files_lock_exclusive(struct store_files *s, struct err *err);
void files_unlock_exclusive(struct store_files *s);

/* store_files_put.c */
int files_touch(struct store *base, const char *key, struct err *err);
int files_put(struct store *base, const char *key, const struct store_source *src,
	      struct err *err);
int files_put_content(struct store *base, int fd, char *hex, int64_t *size, struct err *err);
int files_sync(struct store *base, struct err *err);
int files_sweep(struct store *base, int64_t *count, struct err *err);

#endif
