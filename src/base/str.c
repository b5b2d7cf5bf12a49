#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>

#include "base/base.h"

struct str str_of(const char *s)
{
	return (struct str){ s, strlen(s) };
}

bool str_eq(struct str a, const char *b)
{
	return strlen(b) == a.n && memcmp(a.p, b, a.n) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_to_i64(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
	char *end;
	long long v;

	if (!(*s == '-' || (*s >= '0' && *s <= '9')))
		return false;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || *end || v < lo || v > hi)
		return false;
	*out = v;
	return true;
}

bool str_to_double(const char *s, double *out)
{
	static locale_t c_locale;
	char *end;
	double v;

	if (!c_locale)
		c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!(*s == '-' || *s == '.' || (*s >= '0' && *s <= '9')))
		return false;
	for (const char *p = s; *p; p++)
		if (!strchr("0123456789.eE+-", *p))
			return false;
	v = strtod_l(s, &end, c_locale);
	if (*end || !isfinite(v))
		return false;
	*out = v;
	return true;
}

size_t utf8_len(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (!n)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2)
		return 0;
	if (p[0] < 0xe0)
		return n >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (p[0] < 0xf0) {
		if (n < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
			return 0;
		if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0))
			return 0;
		return 3;
	}
	if (p[0] > 0xf4 || n < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
	    (p[3] & 0xc0) != 0x80)
		return 0;
	if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return 4;
}

bool utf8_valid(const char *p, size_t n)
{
	while (n) {
		size_t k = utf8_len(p, n);

		if (!k)
			return false;
		p += k;
		n -= k;
	}
	return true;
}

int str_distance(const char *a, const char *b)
{
	enum { LIMIT = 64 };
	int row[3][LIMIT + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > LIMIT || m > LIMIT)
		return LIMIT;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		int *cur = row[i % 3], *prev = row[(i + 2) % 3], *pprev = row[(i + 1) % 3];

		cur[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			int cost = a[i - 1] != b[j - 1];
			int v = MIN(MIN(prev[j] + 1, cur[j - 1] + 1), prev[j - 1] + cost);

			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				v = MIN(v, pprev[j - 2] + 1);
			cur[j] = v;
		}
	}
	return row[n % 3][m];
}

struct guess guess_of(const char *word)
{
	size_t n = strlen(word);

	return (struct guess){ .word = word, .least = n < 4 ? 2 : n < 8 ? 3 : 4 };
}

void guess_try(struct guess *g, const char *name)
{
	int d = str_distance(g->word, name);

	if (d < g->least) {
		g->least = d;
		g->best = name;
	}
}

const char *str_nearest(const char *word, const char *const *names)
{
	struct guess g = guess_of(word);

	for (; *names; names++)
		guess_try(&g, *names);
	return g.best;
}
