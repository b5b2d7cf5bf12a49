#ifndef CAS_CAS_H
#define CAS_CAS_H
/*
 * Content-addressed storage: objects of a store whose keys are the sha256 of their bytes,
 * `<2 hex>/<62 hex>`. Hashes are lower-case hex of 64 characters.
 *
 * Garbage (PROTOCOL.md): a present object is relied on only if it was put or touched less than
 * CAS_TRUST_MS ago; everything below touches what it relies on. Whoever stores references must
 * have them visible to the collector (a job row) within CAS_TRUST_MS of the first put, else it
 * calls cas_renew() again.
 *
 * A *pin* says that every object which one list of inputs names is there, and that the list was
 * used lately. A pin is made only when all of them were put or touched within CAS_TRUST_MS;
 * the collector counts what a young pin names as referenced and removes an old pin before the
 * objects. So renewing one pin proves and renews all of its objects.
 *
 * A handle may be used by several threads at once.
 */
#include "base/buf.h"
#include "base/err.h"
#include "cas/store.h"
#include "model/task.h"

enum {
	CAS_AGE_MIN_MS = 3600 * 1000, /* the collector never takes younger objects */
	CAS_TRUST_MS = CAS_AGE_MIN_MS / 2,
	CAS_KEY_SIZE = SHA256_HEX_SIZE + 1,
};

struct cas;

/* Takes the store, also when it fails. */
struct cas *cas_take_store(struct store *s);
/* The CAS in a directory of this machine; ERR_NOT_FOUND when it is not there and !create. */
struct cas *cas_open_dir(const char *dir, bool create, struct err *err);
void cas_close(struct cas *c);
struct store *cas_store(struct cas *c); /* borrowed */

/* True for 64 lower-case hex digits. */
bool cas_hash_valid(const char *hex);
/* "<2 hex>/<62 hex>" into key, which holds CAS_KEY_SIZE bytes. */
void cas_key(char *key, const char *hex);

/* Stores bytes; hex (SHA256_HEX_SIZE) is their name. 1 stored, 0 they were there. */
int cas_put_bytes(struct cas *c, const void *p, size_t n, char *hex, struct err *err);
/*
 * Stores a file that was opened for reading; `path` is for messages. 1 stored, 0 was there. A file
 * that changes while it is read is refused: ERR_USAGE `F changed while it was read: ...`.
 */
int cas_put_fd(struct cas *c, int fd, const char *path, char *hex, int64_t *size, struct err *err);
/* The same by path; follows symbolic links; regular files only. */
int cas_put_file(struct cas *c, const char *path, char *hex, int64_t *size, struct err *err);

/* Is it there? Renews its time when that is due, so a yes holds for CAS_TRUST_MS. 1, 0, -1. One of
 * another `size` (-1: not known) is what a power cut left, a writable one what a task made of its
 * link: it is removed, and not there. */
int cas_has(struct cas *c, const char *hex, int64_t size, struct err *err);
/* The same without touching anything (for --dry-run). */
int cas_peek(struct cas *c, const char *hex, struct err *err);
/* Touches it whatever its age: 1, 0 gone. */
int cas_renew(struct cas *c, const char *hex, struct err *err);

/* Whole object into memory (at most `limit` bytes), verified: content that is not what its name
 * says is ERR_IO and the object is removed. 1, 0 no such object. */
int cas_get(struct cas *c, const char *hex, size_t limit, struct buf *out, struct err *err);
/* Object as a new file (O_EXCL) at dirfd/path with this mode. 1, 0 no such object. `verify`: hash
 * what was laid down; a mismatch is ERR_IO, the file is removed and so is the object. */
int cas_get_file(struct cas *c, const char *hex, int dirfd, const char *path, unsigned mode,
		 bool verify, struct err *err);

/* Is an object that a task had as a link (store_link) as it was? Objects are read-only: one that is
 * writable now or has another size is removed, and no pin trusted. 1 yes (or gone), 0 it was
 * changed, -1. The times say nothing: every link and every touch moves them. */
int cas_check_linked(struct cas *c, const char *hex, int64_t size, struct err *err);

/* Says that a queue (uuid, and the home directory it belongs to) refers to this CAS. Cheap when it
 * is known. */
int cas_register(struct cas *c, const char *uuid, const char *home, struct err *err);
/* *home (caller frees) of another queue that refers to this CAS, NULL: there is none. One that had
 * our own home is an earlier queue of ours and does not count. */
int cas_other_queue(struct cas *c, const char *uuid, const char *home, char **other,
		    struct err *err);

/* Renews the pin of a list of inputs: 1 all it names is there for CAS_TRUST_MS, 0 not pinned. */
int cas_pin_renew(struct cas *c, const char *list, struct err *err);
/* Everything put through this handle survives a power cut: before a job row refers to it. */
int cas_sync(struct cas *c, struct err *err);
/* Makes the pin, after a cas_sync(). Precondition: see above. */
int cas_pin(struct cas *c, const char *list, struct err *err);
/* Somebody found an object missing: no pin can be trusted any more. */
int cas_unpin_all(struct cas *c, struct err *err);

#endif
