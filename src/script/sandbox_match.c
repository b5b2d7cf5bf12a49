#include "script/sandbox_match.h"

#include <ctype.h>
#include <string.h>

#include <lauxlib.h>

#include "base/base.h"
#include "script/sandbox.h"

enum {
	ESCAPE = '%',
	DEPTH_MAX = 200,
	STEPS = 4096, /* between looks at the clock */
	SET_STEP = 4, /* characters of a set that make a step */
	BYTES_STEP = 64, /* bytes compared at once that do */
};

static const char *run(struct match *m, const char *s, const char *p);

void match_init(struct match *m, lua_State *L, const char *s, size_t n, const char *pattern,
		size_t pattern_n)
{
	*m = (struct match){ .L = L, .src = s, .src_end = s + n,
			     .pattern_end = pattern + pattern_n };
}

void match_spend(struct match *m, size_t steps)
{
	m->steps += steps;
	if (m->steps < STEPS)
		return;
	m->steps = 0;
	sandbox_tick(m->L);
}

static void step(struct match *m)
{
	match_spend(m, 1);
}

/* ---- one character ------------------------------------------------------------------------ */

/* %a and the like; an upper-case letter is the opposite; others stand for themselves. */
static bool is_class(int c, int class)
{
	bool yes;

	switch (tolower(class)) {
	case 'a': yes = isalpha(c); break;
	case 'c': yes = iscntrl(c); break;
	case 'd': yes = isdigit(c); break;
	case 'g': yes = isgraph(c); break;
	case 'l': yes = islower(c); break;
	case 'p': yes = ispunct(c); break;
	case 's': yes = isspace(c); break;
	case 'u': yes = isupper(c); break;
	case 'w': yes = isalnum(c); break;
	case 'x': yes = isxdigit(c); break;
	default: return c == class;
	}
	return isupper(class) ? !yes : yes;
}

/* Behind the item at p: a character, %x or [set]. raises. */
static const char *item_end(struct match *m, const char *p)
{
	const char *from = p;

	if (*p == ESCAPE) {
		if (p + 1 == m->pattern_end)
			luaL_error(m->L, "malformed pattern (ends with '%%')");
		return p + 2;
	}
	if (*p != '[')
		return p + 1;
	p++;
	if (*p == '^')
		p++;
	do { /* the first character of a set is never its end */
		if (p == m->pattern_end)
			luaL_error(m->L, "malformed pattern (missing ']')");
		if (*p++ == ESCAPE && p < m->pattern_end)
			p++;
	} while (*p != ']');
	match_spend(m, (size_t)(p - from) / SET_STEP);
	return p + 1;
}

/* Is c in the set from '[' at p to ']' at last? */
static bool in_set(int c, const char *p, const char *last)
{
	bool found = true;

	if (p[1] == '^') {
		found = false;
		p++;
	}
	while (++p < last) {
		if (*p == ESCAPE) {
			p++;
			if (is_class(c, (unsigned char)*p))
				return found;
		} else if (p[1] == '-' && p + 2 < last) {
			p += 2;
			if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p)
				return found;
		} else if ((unsigned char)*p == c) {
			return found;
		}
	}
	return !found;
}

/* Does the character at s fit the item [p, end)? */
static bool fits(const struct match *m, const char *s, const char *p, const char *end)
{
	int c;

	if (s >= m->src_end)
		return false;
	c = (unsigned char)*s;
	switch (*p) {
	case '.':
		return true;
	case ESCAPE:
		return is_class(c, (unsigned char)p[1]);
	case '[':
		return in_set(c, p, end - 1);
	default:
		return (unsigned char)*p == c;
	}
}

/* ---- repetitions -------------------------------------------------------------------------- */

/* item* : as many as there are, then fewer. */
static const char *most(struct match *m, const char *s, const char *p, const char *end)
{
	ptrdiff_t n = 0;

	for (; fits(m, s + n, p, end); n++)
		match_spend(m, 1 + (size_t)(end - p) / SET_STEP);
	for (; n >= 0; n--) {
		const char *r = run(m, s + n, end + 1);

		if (r)
			return r;
	}
	return NULL;
}

/* item- : none, then more. */
static const char *least(struct match *m, const char *s, const char *p, const char *end)
{
	for (;;) {
		const char *r = run(m, s, end + 1);

		if (r)
			return r;
		match_spend(m, (size_t)(end - p) / SET_STEP);
		if (!fits(m, s, p, end))
			return NULL;
		s++;
	}
}

/* %bxy; p is at x. */
static const char *balanced(struct match *m, const char *s, const char *p)
{
	int open = 1;

	if (p + 1 >= m->pattern_end)
		luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
	if (s >= m->src_end || *s != *p)
		return NULL;
	while (++s < m->src_end) {
		step(m);
		if (*s == p[1]) {
			if (--open == 0)
				return s + 1;
		} else if (*s == *p) {
			open++;
		}
	}
	return NULL;
}

/* %f[set]; p is at what should be '['. The border between outside and inside of the set. */
static bool frontier(struct match *m, const char *s, const char *p, const char **end)
{
	int before, here;

	if (*p != '[')
		luaL_error(m->L, "missing '[' after '%%f' in pattern");
	*end = item_end(m, p);
	before = s == m->src ? '\0' : (unsigned char)s[-1];
	here = s == m->src_end ? '\0' : (unsigned char)*s;
	return !in_set(before, p, *end - 1) && in_set(here, p, *end - 1);
}

/* ---- captures ----------------------------------------------------------------------------- */

static const char *open_capture(struct match *m, const char *s, const char *p, ptrdiff_t kind)
{
	const char *r;

	if (m->level >= MATCH_CAPTURES)
		luaL_error(m->L, "too many captures");
	m->capture[m->level].start = s;
	m->capture[m->level].n = kind;
	m->level++;
	r = run(m, s, p);
	if (!r)
		m->level--;
	return r;
}

static const char *close_capture(struct match *m, const char *s, const char *p)
{
	int i = m->level - 1;
	const char *r;

	while (i >= 0 && m->capture[i].n != CAPTURE_OPEN)
		i--;
	if (i < 0)
		luaL_error(m->L, "invalid pattern capture");
	m->capture[i].n = s - m->capture[i].start;
	r = run(m, s, p);
	if (!r)
		m->capture[i].n = CAPTURE_OPEN;
	return r;
}

/* %1: what that capture holds, again. */
static const char *back(struct match *m, const char *s, int digit)
{
	int i = digit - '1';
	size_t n;

	if (i < 0 || i >= m->level || m->capture[i].n == CAPTURE_OPEN)
		luaL_error(m->L, "invalid capture index %%%d", i + 1);
	n = (size_t)m->capture[i].n;
	match_spend(m, n / BYTES_STEP);
	if ((size_t)(m->src_end - s) < n || memcmp(m->capture[i].start, s, n) != 0)
		return NULL;
	return s + n;
}

void match_push_capture(struct match *m, int i, const char *s, const char *end)
{
	ptrdiff_t n;

	if (i >= m->level) {
		if (i != 0)
			luaL_error(m->L, "invalid capture index %%%d", i + 1);
		lua_pushlstring(m->L, s, (size_t)(end - s));
		return;
	}
	n = m->capture[i].n;
	if (n == CAPTURE_OPEN)
		luaL_error(m->L, "unfinished capture");
	if (n == CAPTURE_POSITION)
		lua_pushinteger(m->L, m->capture[i].start - m->src + 1);
	else
		lua_pushlstring(m->L, m->capture[i].start, (size_t)n);
}

int match_push_captures(struct match *m, const char *s, const char *end)
{
	int n = m->level == 0 && s ? 1 : m->level;

	luaL_checkstack(m->L, n, "too many captures");
	for (int i = 0; i < n; i++)
		match_push_capture(m, i, s, end);
	return n;
}

/* ---- a pattern ---------------------------------------------------------------------------- */

/* %b, %f and %1 at p: 1 with s and p behind them, 0 they do not match, -1 it is another item. */
static int special(struct match *m, const char **s, const char **p)
{
	const char *end = NULL, *at;
	int c = (unsigned char)(*p)[1];

	if (c == 'b') {
		at = balanced(m, *s, *p + 2);
		end = *p + 4;
	} else if (c == 'f') {
		at = frontier(m, *s, *p + 2, &end) ? *s : NULL;
	} else if (isdigit(c)) {
		at = back(m, *s, c);
		end = *p + 2;
	} else {
		return -1;
	}
	*s = at;
	*p = end;
	return at != NULL;
}

/* An item with what may follow it. true: go on at s and p; false: *result is the answer. */
static bool item(struct match *m, const char **s, const char **p, const char **result)
{
	const char *end = item_end(m, *p);
	bool fit = fits(m, *s, *p, end);
	char suffix = end < m->pattern_end ? *end : '\0';

	if (suffix == '*' || (suffix == '+' && fit)) {
		*result = most(m, suffix == '*' ? *s : *s + 1, *p, end);
		return false;
	}
	if (suffix == '-') {
		*result = least(m, *s, *p, end);
		return false;
	}
	if (suffix == '?') {
		*result = fit ? run(m, *s + 1, end + 1) : NULL;
		*p = end + 1;
		return !*result;
	}
	*result = NULL;
	*s += fit;
	*p = end;
	return fit;
}

static const char *follow(struct match *m, const char *s, const char *p)
{
	while (p < m->pattern_end) {
		const char *result;
		int found;

		step(m);
		if (*p == '(')
			return p[1] == ')' ? open_capture(m, s, p + 2, CAPTURE_POSITION) :
					     open_capture(m, s, p + 1, CAPTURE_OPEN);
		if (*p == ')')
			return close_capture(m, s, p + 1);
		if (*p == '$' && p + 1 == m->pattern_end)
			return s == m->src_end ? s : NULL;
		found = *p == ESCAPE ? special(m, &s, &p) : -1;
		if (found == 0)
			return NULL;
		if (found < 0 && !item(m, &s, &p, &result))
			return result;
	}
	return s;
}

static const char *run(struct match *m, const char *s, const char *p)
{
	const char *r;

	if (m->depth == DEPTH_MAX)
		luaL_error(m->L, "pattern too complex");
	m->depth++;
	r = follow(m, s, p);
	m->depth--;
	return r;
}

const char *match_at(struct match *m, const char *s, const char *pattern)
{
	m->level = 0;
	m->depth = 0;
	return run(m, s, pattern);
}
