#include "base/map.h"

#include "base/base.h"

struct map_entry {
	struct map_entry *next;
	uint64_t hash;
	void *value;
	char key[];
};

static uint64_t hash_of(const char *key) /* FNV-1a, 64 bits */
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3u;
	return h;
}

void map_release(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		for (struct map_entry *e = m->slot[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	free(m->slot);
	*m = (struct map)MAP_INIT;
}

static struct map_entry **find(const struct map *m, const char *key, uint64_t h)
{
	struct map_entry **at = &m->slot[h & (m->cap - 1)];

	while (*at && ((*at)->hash != h || strcmp((*at)->key, key) != 0))
		at = &(*at)->next;
	return at;
}

void *map_get(const struct map *m, const char *key)
{
	struct map_entry *e = m->cap ? *find(m, key, hash_of(key)) : NULL;

	return e ? e->value : NULL;
}

static void grow(struct map *m)
{
	struct map big = { .cap = m->cap ? m->cap * 2 : 16, .n = m->n };

	big.slot = xcalloc(big.cap, sizeof(struct map_entry *));
	for (size_t i = 0; i < m->cap; i++)
		for (struct map_entry *e = m->slot[i], *next; e; e = next) {
			struct map_entry **at = &big.slot[e->hash & (big.cap - 1)];

			next = e->next;
			e->next = *at;
			*at = e;
		}
	free(m->slot);
	*m = big;
}

void map_set(struct map *m, const char *key, void *value)
{
	uint64_t h = hash_of(key);
	struct map_entry **at;

	if (m->n >= m->cap)
		grow(m);
	at = find(m, key, h);
	if (!*at) {
		size_t n = strlen(key) + 1;
		struct map_entry *e = xmalloc(sizeof(*e) + n);

		e->next = NULL;
		e->hash = h;
		memcpy(e->key, key, n);
		*at = e;
		m->n++;
	}
	(*at)->value = value;
}

void map_each(const struct map *m, void (*fn)(void *ctx, const char *key, void *value), void *ctx)
{
	for (size_t i = 0; i < m->cap; i++)
		for (struct map_entry *e = m->slot[i]; e; e = e->next)
			fn(ctx, e->key, e->value);
}
