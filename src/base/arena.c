#include "base/arena.h"

#include <stdalign.h>

#include "base/base.h"

enum { FIRST_BLOCK = 4096, ALIGN = alignof(max_align_t) };

struct arena_block {
	struct arena_block *next;
	size_t cap;
	alignas(max_align_t) char data[];
};

static void *grow(struct arena *a, size_t n)
{
	size_t cap = a->block ? a->block->cap * 2 : FIRST_BLOCK;
	struct arena_block *b;

	if (cap > (size_t)1 << 20)
		cap = (size_t)1 << 20;
	if (cap < n)
		cap = n;
	b = xmalloc(sizeof(*b) + cap);
	b->next = a->block;
	b->cap = cap;
	a->block = b;
	a->p = b->data + n;
	a->end = b->data + cap;
	return b->data;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 2)
		abort();
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!a->block || (size_t)(a->end - a->p) < n)
		return grow(a, n);
	char *p = a->p;

	a->p += n;
	return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n))
		abort();
	p = arena_alloc(a, n);
	memset(p, 0, n);
	return p;
}

char *arena_dup(struct arena *a, const void *p, size_t n)
{
	char *s = arena_alloc(a, n + 1);

	if (n)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_dup(a, s, strlen(s));
}

struct str arena_str(struct arena *a, struct str s)
{
	return (struct str){ arena_dup(a, s.p, s.n), s.n };
}

static void free_from(struct arena_block *b)
{
	for (struct arena_block *next; b; b = next) {
		next = b->next;
		free(b);
	}
}

void arena_reset(struct arena *a)
{
	if (!a->block)
		return;
	free_from(a->block->next);
	a->block->next = NULL;
	a->p = a->block->data;
	a->end = a->block->data + a->block->cap;
}

void arena_release(struct arena *a)
{
	free_from(a->block);
	*a = (struct arena)ARENA_INIT;
}
