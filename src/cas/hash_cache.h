#ifndef CAS_HASH_CACHE_H
#define CAS_HASH_CACHE_H
/*
 * What files hashed to when they were last read: `hashes.db`, one blob a source directory, an
 * entry a file, believed only when size, mtime, ctime (ns) and inode are as they were, and when
 * the file was not so young that it could have changed afterwards without its times moving
 * (racily clean, as in git).
 *
 * It is a cache and nothing else: a database that is missing, locked, damaged or of another
 * version means hashing again, never an error. A yes from here is never a yes from the CAS.
 *
 * Not for several threads at once.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "model/task.h"

enum { SHA256_SIZE = 32 };

struct hash_cache;
struct hash_dir; /* the entries of one directory, borrowed from the cache */

/* hex holds SHA256_HEX_SIZE bytes, and must be valid to be read. */
void hash_to_hex(char *hex, const uint8_t *sha256);
void hash_from_hex(uint8_t *sha256, const char *hex);

struct hash_stamp {
	int64_t size, mtime_ns, ctime_ns;
	uint64_t ino;
};
void hash_stamp_of(struct hash_stamp *out, const struct stat *st);
bool hash_stamp_eq(const struct hash_stamp *a, const struct hash_stamp *b);
/* May an entry be believed for a file with these times that was read from wall time read_ns on? */
bool hash_stamp_settled(const struct hash_stamp *s, int64_t read_ns);

/* Never NULL. `path` NULL: nothing is remembered beyond this handle. */
struct hash_cache *hash_cache_open(const char *path);
void hash_cache_close(struct hash_cache *c); /* does not save */

/* The directory's entries; `dir` is an absolute path. Never NULL. */
struct hash_dir *hash_cache_dir(struct hash_cache *c, const char *dir);
/* True: the file `name` of these times hashed to sha256. */
bool hash_dir_get(const struct hash_dir *d, const char *name, const struct hash_stamp *s,
		  uint8_t *sha256);
/* Remembers; read_ns is the wall time before the first byte was read. */
void hash_dir_set(struct hash_dir *d, const char *name, const struct hash_stamp *s,
		  int64_t read_ns, const uint8_t *sha256);

/* A fingerprint of a whole list of files (names, destinations, stamps) -> hash of the list of
 * inputs that was made of it. */
bool hash_cache_list_get(struct hash_cache *c, const uint8_t *fingerprint, char *list_hex);
void hash_cache_list_set(struct hash_cache *c, const uint8_t *fingerprint, const char *list_hex);

/* Writes what changed, in one short transaction; silently gives up when it cannot. */
void hash_cache_save(struct hash_cache *c);

#endif
