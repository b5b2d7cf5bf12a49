#ifndef BASE_MAP_H
#define BASE_MAP_H
/* A hash map from byte strings to pointers; keys are copied, values are borrowed. */
#include <stdbool.h>
#include <stddef.h>

struct map_entry;
struct map {
	struct map_entry **slot;
	size_t cap, n;
};

#define MAP_INIT { .slot = NULL, .cap = 0, .n = 0 }
void map_release(struct map *m); /* frees keys, not values */
void *map_get(const struct map *m, const char *key); /* NULL: not there */
void map_set(struct map *m, const char *key, void *value); /* value not NULL; replaces */
/* Calls fn for every entry, in no order; fn may not change the map. */
void map_each(const struct map *m, void (*fn)(void *ctx, const char *key, void *value), void *ctx);

#endif
