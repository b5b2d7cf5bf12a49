#ifndef SYS_SCAN_H
#define SYS_SCAN_H
/* Reading lines of /proc and /sys, word by word. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* The next word of a line and what follows it; an empty word at the end of the line. */
static inline struct str scan_word(const char **p)
{
	struct str w = { *p + strspn(*p, " \t"), 0 };

	w.n = strcspn(w.p, " \t\n");
	*p = w.p + w.n;
	return w;
}

/* The number that a text begins with; `base` as for strtoll. */
static inline bool scan_number(const char *p, int base, int64_t *out)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(p, &end, base);
	if (end == p || errno)
		return false;
	*out = v;
	return true;
}

/* The next word as a decimal number. */
static inline bool scan_i64(const char **p, int64_t *out)
{
	struct str w = scan_word(p);

	return w.n && scan_number(w.p, 10, out);
}

#endif
