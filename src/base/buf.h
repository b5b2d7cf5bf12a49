#ifndef BASE_BUF_H
#define BASE_BUF_H
/*
 * Text being built. `p` is always terminated by a NUL that `n` does not count, so it may be used
 * as a C string when it holds no NUL itself. A buf that was never written points at a shared
 * empty string and owns nothing.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
	char *p;
	size_t n;
	size_t cap; /* 0: p is the shared empty string */
};

extern char buf_empty[1];
#define BUF_INIT { .p = buf_empty, .n = 0, .cap = 0 }

void buf_init(struct buf *b);
void buf_release(struct buf *b);           /* frees, leaves it initialised */
static inline void buf_clear(struct buf *b) /* keeps the memory */
{
	b->n = 0;
	if (b->cap)
		b->p[0] = '\0';
}
/* Room for `more` bytes and the NUL behind what is there; aborts when memory is gone. */
void buf_grow(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addstr(struct buf *b, struct str s);
void buf_addch(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addi(struct buf *b, int64_t v);
/* A JSON string literal, quotes included (RFC 8259). A byte that is not part of valid UTF-8 is
 * written as the four characters \xNN (so the text stays readable and the JSON valid). */
void buf_add_json(struct buf *b, const char *p, size_t n);
/* Hands the memory over (caller frees); the buf is empty again. */
char *buf_detach(struct buf *b);
static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

#endif
