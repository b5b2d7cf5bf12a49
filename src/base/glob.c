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

bool glob_match(const char *p, const char *t)
{
	/* Where to resume after the last '*' and the last '**': the classic two-level backtrack
	 * keeps the cost polynomial. */
	const char *star_p = NULL, *star_t = NULL, *deep_p = NULL, *deep_t = NULL;

	for (;;) {
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
			bool ok;

			if (*p == '?') {
				ok = *t != '/';
				q++;
			} else if (*p == '[') {
				int r;

				q++;
				r = match_set(&q, (unsigned char)*t);
				if (r < 0) {
					ok = *t == '[';
					q = p + 1;
				} else {
					ok = r;
				}
			} else {
				if (*q == '\\' && q[1])
					q++;
				ok = *q++ == *t;
			}
			if (ok) {
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

bool glob_is_pattern(const char *s)
{
	return strpbrk(s, "*?[") != NULL;
}
