#include "model/ranges.h"

#include <stdio.h>

#include "base/base.h"

/* A number of digits at *pp, moved behind it; false: none, or above INT64_MAX - 1. */
static bool read_number(const char **pp, const char *end, int64_t *out)
{
	const char *p = *pp;
	int64_t v = 0;

	if (p == end || *p < '0' || *p > '9')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
			return false;
	*pp = p;
	*out = v;
	return v < INT64_MAX;
}

static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorts, and joins what touches or overlaps. */
static void normalise(struct ranges *r)
{
	size_t n = 0;

	qsort(r->p, r->n, sizeof(*r->p), compare);
	for (size_t i = 0; i < r->n; i++) {
		struct range *last = n ? &r->p[n - 1] : NULL;

		if (last && (last->last == INT64_MAX || r->p[i].first <= last->last + 1))
			last->last = MAX(last->last, r->p[i].last);
		else
			r->p[n++] = r->p[i];
	}
	r->n = n;
}

int ranges_parse(struct str text, struct ranges *out, struct err *err)
{
	const char *p = text.p, *end = text.p + text.n;
	size_t cap = 1;

	for (size_t i = 0; i < text.n; i++)
		cap += text.p[i] == ',';
	*out = (struct ranges)RANGES_INIT;
	out->p = xcalloc(cap, sizeof(*out->p));
	for (;;) {
		struct range *r = &out->p[out->n++];

		if (!read_number(&p, end, &r->first) || r->first < 1)
			goto bad;
		r->last = r->first;
		if (p < end && *p == '-') {
			p++;
			if (p == end || *p == ',')
				r->last = INT64_MAX;
			else if (!read_number(&p, end, &r->last) || r->last < r->first)
				goto bad;
		}
		if (p == end)
			break;
		if (*p++ != ',')
			goto bad;
	}
	normalise(out);
	return 0;
bad:
	ranges_release(out);
	return err_set(err, ERR_USAGE,
		       "\"%.*s\" is no list of numbers: write numbers from 1 and ranges, such as "
		       "3-7,9",
		       (int)MIN(text.n, 80), text.p);
}

void ranges_release(struct ranges *r)
{
	free(r->p);
	*r = (struct ranges)RANGES_INIT;
}

bool ranges_has(const struct ranges *r, int64_t n)
{
	size_t lo = 0, hi = r->n;

	if (!r->n)
		return true;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (n > r->p[mid].last)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->n && n >= r->p[lo].first;
}

/* A number with an optional "-", at *pp. */
static bool read_signed(const char **pp, const char *end, int64_t *out)
{
	bool negative = *pp < end && **pp == '-';

	*pp += negative;
	if (!read_number(pp, end, out))
		return false;
	if (negative)
		*out = -*out;
	return true;
}

/* 0, 1 or 2 for a text of one, two or three numbers; -1: it is none. */
static int read_seq(const char *text, int64_t v[3])
{
	const char *p = text, *end = text + strlen(text);

	for (int i = 0; i < 3; i++) {
		if (!read_signed(&p, end, &v[i]))
			return -1;
		if (p == end)
			return i;
		if (p[0] != '.' || p[1] != '.')
			return -1;
		p += 2;
	}
	return -1;
}

int seq_parse(const char *text, struct seq *out, struct err *err)
{
	int64_t v[3] = { 0, 0, 1 };
	int form = read_seq(text, v);
	uint64_t span, count;
	bool down;

	if (form < 0)
		return err_set(err, ERR_USAGE,
			       "--seq %.60s: write N, A..B or A..B..STEP in whole numbers", text);
	if (form == 0) {
		v[1] = v[0];
		v[0] = 1;
		if (v[1] < 1)
			return err_set(err, ERR_USAGE, "--seq %.60s: there would be no task", text);
	}
	if (form == 2 && v[2] == 0)
		return err_set(err, ERR_USAGE, "--seq %.60s: a step of 0 never arrives", text);
	if (v[2] < 0 && v[1] > v[0])
		return err_set(err, ERR_USAGE, "--seq %.60s: a negative step does not lead upwards",
			       text);
	if (v[2] < 0)
		v[2] = -v[2];
	down = v[1] < v[0];
	span = down ? (uint64_t)v[0] - (uint64_t)v[1] : (uint64_t)v[1] - (uint64_t)v[0];
	count = span / (uint64_t)v[2] + 1;
	if (count > SEQ_MAX)
		return err_set(err, ERR_USAGE, "--seq %.60s: more than 100,000,000 tasks", text);
	*out = (struct seq){ v[0], down ? -v[2] : v[2], (int64_t)count };
	return 0;
}
