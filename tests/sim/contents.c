/*
 * For explorations: the queue is a function of (what it holds, the call), so every different call
 * on every different content is made once, on the real queue, and remembered.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

struct memo {
	uint64_t key;
	uint32_t to;
	struct call answer;
};

struct one_content {
	char *p;
	size_t n;
	uint64_t hash;
	struct view view;
};

struct content {
	struct one_content *all;
	uint32_t n, cap;
	uint32_t *by_hash;
	uint32_t n_slots;
	struct memo *memo;
	uint32_t n_memo, cap_memo;
	uint64_t calls;
};

uint64_t hash_bytes(const void *p, size_t n, uint64_t h)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ULL;
	return h ^ h >> 29;
}

/* Number of what the database holds now. */
static uint32_t content_now(struct sim *s)
{
	struct content *k = s->contents;
	struct buf b = BUF_INIT;
	uint64_t h;
	uint32_t slot;

	content_dump(s, &b);
	h = hash_bytes(b.p, b.n, 0xcbf29ce484222325ULL);
	for (slot = (uint32_t)h & (k->n_slots - 1); k->by_hash[slot];
	     slot = (slot + 1) & (k->n_slots - 1)) {
		const struct one_content *o = &k->all[k->by_hash[slot] - 1];

		if (o->hash == h && o->n == b.n && memcmp(o->p, b.p, b.n) == 0) {
			buf_release(&b);
			return k->by_hash[slot] - 1;
		}
	}
	if (k->n == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 1024;
		k->all = xreallocarray(k->all, k->cap, sizeof(*k->all));
	}
	k->all[k->n] = (struct one_content){ .n = b.n, .hash = h };
	k->all[k->n].p = buf_detach(&b);
	view_load(s, &k->all[k->n].view);
	k->by_hash[slot] = k->n + 1;
	if (k->n * 2 > k->n_slots) {
		fail(s, "more than %u contents of the queue", k->n);
		return 0;
	}
	return k->n++;
}

void contents_start(struct sim *s)
{
	struct content *k = xcalloc(1, sizeof(*k));

	k->n_slots = 1U << 20;
	k->by_hash = xcalloc(k->n_slots, sizeof(*k->by_hash));
	k->cap_memo = 1U << 22;
	k->memo = xcalloc(k->cap_memo, sizeof(*k->memo));
	s->contents = k;
	s->content = s->loaded = content_now(s);
}

void contents_stop(struct sim *s)
{
	struct content *k = s->contents;

	for (uint32_t i = 0; i < k->n; i++)
		free(k->all[i].p);
	free(k->all);
	free(k->by_hash);
	free(k->memo);
	free(k);
	s->contents = NULL;
}

void contents_stats(const struct sim *s, uint64_t *n, uint64_t *calls)
{
	*n = s->contents->n;
	*calls = s->contents->calls;
}

const struct view *content_view(const struct sim *s, uint32_t id)
{
	return &s->contents->all[id].view;
}

void contents_call(struct sim *s, struct call *c)
{
	struct content *k = s->contents;
	uint64_t key = hash_bytes(c, sizeof(*c), s->content * 0x9e3779b97f4a7c15ULL + 1) | 1;
	uint32_t slot = (uint32_t)(key >> 20) & (k->cap_memo - 1);

	while (k->memo[slot].key && k->memo[slot].key != key)
		slot = (slot + 1) & (k->cap_memo - 1);
	if (!k->memo[slot].key) {
		if (++k->n_memo > k->cap_memo / 2) {
			fail(s, "more than %u different calls", k->n_memo);
			return;
		}
		if (s->loaded != s->content)
			content_restore(s, k->all[s->content].p, k->all[s->content].n);
		k->calls++;
		call_run(s, c);
		s->loaded = content_now(s);
		k->memo[slot] = (struct memo){ .key = key, .to = s->loaded, .answer = *c };
	}
	*c = k->memo[slot].answer;
	s->content = k->memo[slot].to;
	s->view = k->all[s->content].view;
}
