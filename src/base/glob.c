#include "base/base.h"
#include "base/str.h"

/* One [set] at *pp (behind the '['); moves *pp behind the ']'. Returns 1, 0, or -1 if unclosed. */
static int match_set(const char **pp, unsigned char c)
{
	const char *p = *pp;
	bool negate = *p == '!' || *p == '^', hit = false, first = true;

	if (negate)
		p++;
	for (; *p && (first || *p != ']'); first = false) {
		unsigned char lo = (unsigned char)*p++, hi;

		if (lo == '\\' && *p)
			lo = (unsigned char)*p++;
		hi = lo;
		if (p[0] == '-' && p[1] && p[1] != ']') {
			hi = (unsigned char)p[1];
			p += 2;
		}
		if (c >= lo && c <= hi)
			hit = true;
	}
	if (*p != ']')
		return -1;
	*pp = p + 1;
	return hit != negate && c != '/';
}

/* Does the one-byte pattern at p match the byte? *pp moves behind it. */
static bool match_byte(const char **pp, char c)
{
	const char *p = *pp;
	int hit;

	if (*p == '?') {
		*pp = p + 1;
		return c != '/';
	}
	if (*p == '[') {
		p++;
		hit = match_set(&p, (unsigned char)c);
		*pp = hit < 0 ? *pp + 1 : p;
		return hit < 0 ? c == '[' : hit;
	}
	if (*p == '\\' && p[1])
		p++;
	*pp = p + 1;
	return *p == c;
}

enum { GLOB_STEPS = 4096 };

bool glob_match_paced(const char *p, const char *t, void (*pace)(void *ctx), void *ctx)
{
	/* Where to resume after the last '*' and the last '**': the classic two-level backtrack
	 * keeps the cost polynomial. */
	const char *star_p = NULL, *star_t = NULL, *deep_p = NULL, *deep_t = NULL;
	size_t steps = 0;

	for (;;) {
		if (pace && ++steps >= GLOB_STEPS) {
			steps = 0;
			pace(ctx);
		}
		if (p[0] == '*' && p[1] == '*') {
			while (*p == '*')
				p++;
			if (*p == '/' ) {
				/* "a/" + "**" + "/b" matches "a/b" as well */
				deep_p = p + 1;
				deep_t = t;
				star_p = NULL;
				p++;
				continue;
			}
			deep_p = p;
			deep_t = t;
			star_p = NULL;
			continue;
		}
		if (*p == '*') {
			star_p = ++p;
			star_t = t;
			continue;
		}
		if (*p && *t) {
			const char *q = p;

			if (pace && *p == '[') /* a set may be long, or have no end */
				steps += strcspn(p, "]");
			if (match_byte(&q, *t)) {
				p = q;
				t++;
				continue;
			}
		} else if (!*p && !*t) {
			return true;
		}
		if (star_p && *star_t && *star_t != '/') {
			t = ++star_t;
			p = star_p;
			continue;
		}
		if (deep_p && *deep_t) {
			star_p = NULL;
			deep_t++;
			/* "**" followed by '/' resumes at directory borders only */
			if (deep_p[-1] == '/')
				while (*deep_t && deep_t[-1] != '/')
					deep_t++;
			t = deep_t;
			p = deep_p;
			if (!*t && *p)
				return false;
			continue;
		}
		return false;
	}
}

bool glob_match(const char *p, const char *t)
{
	return glob_match_paced(p, t, NULL, NULL);
}

bool glob_is_pattern(const char *s)
{
	return strpbrk(s, "*?[") != NULL;
}
