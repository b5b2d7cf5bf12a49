/*
 * kubeque.budget({seconds =, wall =, message =, code =}, fn, ...) -> what fn returns
 *
 * After so many seconds of CPU time (wall = true: of time) it raises "FILE:LINE: message" where fn
 * is, in a way that no pcall inside of fn swallows (script/sandbox.h); with a code, as a fault.
 */
#include <time.h>

#include "base/base.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/state.h"

enum { STEP = 1000 }; /* instructions between looks at the clock */

struct budget {
	struct budget *outer;
	const char *message, *code;
	clockid_t clock;
	int64_t deadline; /* ns */
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void raise_over(lua_State *L, lua_Debug *ar, const struct budget *b)
{
	lua_getinfo(L, "Sl", ar);
	if (b->code)
		lua_createtable(L, 0, 2);
	lua_pushfstring(L, "%s:%d: %s", ar->short_src, ar->currentline, b->message);
	if (b->code) {
		lua_setfield(L, -2, "message");
		lua_pushstring(L, b->code);
		lua_setfield(L, -2, "code");
	}
	lua_error(L);
}

/* In C: a hook in Lua could not be called where the C stack is used up. */
static void look(lua_State *L, lua_Debug *ar)
{
	for (const struct budget *b = script_of(L)->budget; b; b = b->outer) {
		if (now_ns(b->clock) < b->deadline)
			continue;
		lua_sethook(L, look, LUA_MASKCOUNT, 1); /* so that no pcall swallows it */
		raise_over(L, ar, b);
	}
}

static int budget_(lua_State *L)
{
	struct script *s = script_of(L);
	struct budget b = { .outer = s->budget };
	lua_Hook before = lua_gethook(L);
	int mask = lua_gethookmask(L), count = lua_gethookcount(L), status;
	int64_t ms = 0;
	bool wall = false;
	const struct opt opts[] = {
		{ "seconds", .ms = &ms, .required = true },
		{ "wall", .flag = &wall },
		{ "message", .str = &b.message, .required = true },
		{ "code", .str = &b.code },
	};

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	luaL_checkany(L, 2);
	b.clock = wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
	b.deadline = now_ns(b.clock) + ms * 1000000;
	s->budget = &b;
	lua_sethook(L, look, LUA_MASKCOUNT, STEP);
	status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0); /* the options stay below */
	s->budget = b.outer;
	if (lua_gethook(L) == look) /* and not that of an interrupt, which came meanwhile */
		lua_sethook(L, before, mask, count);
	return status == LUA_OK ? lua_gettop(L) - 1 : lua_error(L);
}

void lib_budget(lua_State *L)
{
	lua_pushcfunction(L, budget_);
	lua_setfield(L, -2, "budget");
}
