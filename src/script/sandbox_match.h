#ifndef SCRIPT_SANDBOX_MATCH_H
#define SCRIPT_SANDBOX_MATCH_H
/*
 * Lua patterns, matched with an eye on the clock. The matcher of the string library runs for
 * minutes over a few hundred bytes when a pattern has it try all ways to split them, and no hook
 * reaches into it; a node that waits for it is ended by its watchdog with all that it runs. This
 * one gives what that one gives, and asks every few thousand steps whether its time is over.
 */
#include <stddef.h>

#include <lua.h>

enum {
	MATCH_CAPTURES = 32,
	CAPTURE_OPEN = -1,     /* its end was not met */
	CAPTURE_POSITION = -2, /* () */
};

struct match {
	lua_State *L;
	const char *src, *src_end;
	const char *pattern_end;
	size_t steps;
	int depth;
	int level; /* captures so far */
	struct {
		const char *start;
		ptrdiff_t n; /* bytes, or one of the above */
	} capture[MATCH_CAPTURES];
};

void match_init(struct match *m, lua_State *L, const char *s, size_t n, const char *pattern,
		size_t pattern_n);
/* raises when there is no time left. So many steps were made, or will be. */
void match_spend(struct match *m, size_t steps);
/* raises (malformed patterns, no time left). The end of a match of the pattern that begins at s, or
 * NULL. */
const char *match_at(struct match *m, const char *s, const char *pattern);
/* raises. [-0, +1] Capture i, or the whole match [s, end) when there are none and i is 0. */
void match_push_capture(struct match *m, int i, const char *s, const char *end);
/* raises. [-0, +n] All of them; with none, the whole match (nothing when s is NULL). */
int match_push_captures(struct match *m, const char *s, const char *end);

#endif
