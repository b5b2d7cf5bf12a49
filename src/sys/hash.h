#ifndef SYS_HASH_H
#define SYS_HASH_H
/*
 * SHA-256 through OpenSSL EVP: of memory, of a descriptor, of many files on all cores. `hex` holds
 * SHA256_HEX_SIZE bytes. All functions may be used by several threads at once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "model/task.h"

struct hasher; /* one running sum */
struct hasher *hasher_new(void);
void hasher_add(struct hasher *h, const void *p, size_t n);
void hasher_end(struct hasher *h, char *hex); /* and ready for the next sum */
void hasher_free(struct hasher *h);

void hash_mem(const void *p, size_t n, char *hex);
/* True for 64 lower-case hex digits. */
bool hash_is_hex(const char *s);

enum hash_result {
	HASH_OK = 1,
	HASH_CHANGED = 0, /* size, mtime or ctime moved while it was read: hash again or refuse */
	HASH_FAILED = -1,
};

/* Of the whole regular file behind fd, read from offset 0 by pread (the offset does not move). The
 * bytes read also go to copy_to (-1: nowhere), appended by write(2). *st (may be NULL) is the stat
 * that belongs to the hash. HASH_FAILED sets err; ERR_INTERRUPTED when a signal came to a client
 * in the middle of a file of more than one read. */
enum hash_result hash_fd(int fd, int copy_to, char *hex, struct stat *st, struct err *err);

/* One file of a batch. The caller fills the first block and keeps the array. */
struct hash_item {
	int dirfd;        /* AT_FDCWD allowed */
	const char *path; /* followed if a symlink */
	int64_t size;     /* as far as known, only to share the work well */
	void *user;

	enum hash_result result;
	int sys;          /* errno of HASH_FAILED */
	char hex[SHA256_HEX_SIZE];
	struct stat st;   /* with HASH_OK */
};

/* What may be hung into a batch; all members optional, all called in worker threads, for each item
 * sink before the reading, done after it. */
struct hash_hooks {
	void *ctx;
	/* Descriptor to copy the bytes to (the hook's own, closed by `done`), or -1: no copy. */
	int (*sink)(void *ctx, struct hash_item *item);
	/* After the item; may change item->result (to HASH_FAILED with item->sys). */
	void (*done)(void *ctx, struct hash_item *item, int sink_fd);
	/* True ends the batch early: items not begun stay HASH_FAILED with ECANCELED. */
	bool (*stop)(void *ctx);
};

/* Hashes n files on `threads` threads (0: as many as the process may use), big ones first. Returns
 * 0 when all are HASH_OK, else the number of those that are not. */
size_t hash_files(struct hash_item *items, size_t n, int threads, const struct hash_hooks *hooks);

#endif
