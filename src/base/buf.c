#include "base/buf.h"

#include <stdarg.h>

#include "base/base.h"

char buf_empty[1] = "";

void buf_init(struct buf *b)
{
	*b = (struct buf)BUF_INIT;
}

void buf_release(struct buf *b)
{
	if (b->cap)
		free(b->p);
	buf_init(b);
}

void buf_grow(struct buf *b, size_t more)
{
	size_t need;

	if (__builtin_add_overflow(b->n, more, &need) || __builtin_add_overflow(need, 1, &need))
		abort();
	if (need <= b->cap)
		return;
	size_t cap = b->cap < 32 ? 64 : b->cap + b->cap / 2;
	if (cap < need)
		cap = need;
	b->p = b->cap ? xrealloc(b->p, cap) : xmalloc(cap);
	b->p[b->n] = '\0';
	b->cap = cap;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (!n)
		return;
	buf_grow(b, n);
	memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addstr(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_addch(struct buf *b, char c)
{
	buf_grow(b, 1);
	b->p[b->n++] = c;
	b->p[b->n] = '\0';
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	buf_grow(b, 64);
	va_start(ap, fmt);
	n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n >= b->cap - b->n) {
		buf_grow(b, (size_t)n);
		va_start(ap, fmt);
		n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
		va_end(ap);
	}
	b->n += (size_t)n;
}

void buf_addi(struct buf *b, int64_t v)
{
	char t[24];
	char *e = t + sizeof(t);
	char *p = e;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(e - p));
}

void buf_add_json(struct buf *b, const char *p, size_t n)
{
	buf_grow(b, n + 2);
	buf_addch(b, '"');
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)p[i];
		size_t run = i;

		while (run < n && (unsigned char)p[run] >= 0x20 && (unsigned char)p[run] < 0x7f &&
		       p[run] != '"' && p[run] != '\\')
			run++;
		if (run > i) {
			buf_add(b, p + i, run - i);
			i = run;
			continue;
		}
		if (c >= 0x80) {
			size_t len = utf8_len(p + i, n - i);
			if (len)
				buf_add(b, p + i, len);
			else
				buf_addf(b, "\\\\x%02X", c);
			i += len ? len : 1;
			continue;
		}
		switch (c) {
		case '"': buf_adds(b, "\\\""); break;
		case '\\': buf_adds(b, "\\\\"); break;
		case '\n': buf_adds(b, "\\n"); break;
		case '\r': buf_adds(b, "\\r"); break;
		case '\t': buf_adds(b, "\\t"); break;
		default: buf_addf(b, "\\u%04x", c); break;
		}
		i++;
	}
	buf_addch(b, '"');
}

char *buf_detach(struct buf *b)
{
	char *p = b->cap ? b->p : xstrdup("");

	buf_init(b);
	return p;
}
