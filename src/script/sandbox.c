#include "script/sandbox.h"

#include <string.h>
#include <time.h>

#include "base/base.h"
#include "base/clock.h"
#include "script/call.h"
#include "script/sandbox_lib.h"

enum {
	STEP = 200,       /* instructions between looks at the clock */
	STEP_LARGE = 4,   /* where there are large texts, and one of them may take long */
	MUCH = 2 << 20,   /* bytes: there may be */
};

/* CPU time of this thread: a hook that waited for its turn on a busy machine is not too slow. */
static int64_t cpu_ns(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void budget(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	sandbox_tick(L);
}

static bool is_over(const struct script *s)
{
	return s->deadline && clock_mono_ns() >= s->wall_deadline && cpu_ns() >= s->deadline;
}

void sandbox_tick(lua_State *L)
{
	const struct script *s = script_of(L);

	if (!is_over(s))
		return;
	lua_sethook(L, budget, LUA_MASKCOUNT, 1); /* so that no pcall swallows it */
	script_push_place(L);
	lua_pushfstring(L, "it took too long (more than %d ms)", (int)s->budget_ms);
	lua_concat(L, 2);
	lua_error(L);
}

/* What is large makes single instructions slow; and what grows after its time stops growing, also
 * where no hook is called (the stack, for a long chain of __call). */
static bool large_block(struct script *s)
{
	if (lua_gethookcount(s->L) > STEP_LARGE)
		lua_sethook(s->L, budget, LUA_MASKCOUNT, STEP_LARGE);
	return !is_over(s);
}

static int open_body(lua_State *L)
{
	sandbox_lib_open(L);
	return 0;
}

struct script *sandbox_new(struct err *err)
{
	struct script *s = script_new(SANDBOX_MEMORY);

	if (!s) {
		err_set(err, ERR_SCRIPT, "not enough memory for Lua");
		return NULL;
	}
	s->sandbox = true;
	s->large = large_block;
	lua_sethook(s->L, budget, LUA_MASKCOUNT, STEP);
	lua_pushcfunction(s->L, open_body);
	if (script_call(s->L, 0, 0, err) < 0) {
		script_free(s);
		return NULL;
	}
	return s;
}

int sandbox_call(struct script *s, int nargs, int nresults, int64_t budget_ms, struct err *err)
{
	int64_t before = s->deadline, wall_before = s->wall_deadline;
	int ret;

	s->deadline = cpu_ns() + budget_ms * 1000000;
	s->wall_deadline = clock_mono_ns() + budget_ms * 1000000;
	s->budget_ms = budget_ms;
	lua_sethook(s->L, budget, LUA_MASKCOUNT, s->used > MUCH ? STEP_LARGE : STEP);
	ret = script_call(s->L, nargs, nresults, err);
	if (ret < 0 && is_over(s) && strcmp(err->text, SCRIPT_NO_MEMORY) == 0)
		err_set(err, ERR_SCRIPT, "it took too long (more than %d ms)", (int)budget_ms);
	if (ret < 0)
		err->code = ERR_SCRIPT; /* whatever the script says it is */
	s->deadline = before;
	s->wall_deadline = wall_before;
	return ret;
}

static int seal_body(lua_State *L)
{
	sandbox_lib_seal(L);
	return 0;
}

int sandbox_seal(struct script *s, struct err *err)
{
	lua_pushcfunction(s->L, seal_body);
	return script_call(s->L, 0, 0, err);
}
