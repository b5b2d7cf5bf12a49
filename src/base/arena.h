#ifndef BASE_ARENA_H
#define BASE_ARENA_H
/*
 * Memory that is freed all at once: trees and parsed lines. Allocation cannot fail (it aborts).
 * A zeroed arena is empty and valid.
 */
#include <stddef.h>

#include "base/str.h"

struct arena_block;
struct arena {
	struct arena_block *block;
	char *p, *end;
};

#define ARENA_INIT { .block = NULL, .p = NULL, .end = NULL }
/* `n` bytes, aligned for any type, not zeroed; never NULL, also for 0. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_calloc(struct arena *a, size_t count, size_t size);
/* A copy with a NUL behind it. */
char *arena_dup(struct arena *a, const void *p, size_t n);
char *arena_strdup(struct arena *a, const char *s);
/* The same as a struct str (NUL-terminated as well). */
struct str arena_str(struct arena *a, struct str s);
/* Forgets everything that was allocated, keeps the newest block for reuse. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a); /* frees, leaves it empty */

#endif
