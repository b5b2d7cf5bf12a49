/*
 * kubeque.watch(born) -> bell: wakes when something happened to the job. A bell is a hint: look
 * first, then wait.
 *   bell:wait(seconds) -> "bell" | "timeout" | "interrupted"; stdout is flushed first
 *   bell:close(); also by `local bell <close>`
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/interrupt.h"
#include "script/libs.h"
#include "script/out.h"
#include "script/session.h"
#include "sys/bell.h"
#include "sys/file.h"

#define BELL_META "kubeque.bell"

static int open_bell(struct bell *b, const char *home, const char *prefix, struct err *err)
{
	int home_fd = file_open_dir(AT_FDCWD, home, err), bells = -1, ret = -1;

	if (home_fd < 0)
		return -1;
	bells = bell_dir(home_fd, err);
	if (bells >= 0)
		ret = bell_open_random(b, bells, prefix, err);
	if (bells >= 0)
		close(bells);
	close(home_fd);
	return ret;
}

static int watch_(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t born = script_check_born(L, 1);
	struct session *s = session_get(L, &err);
	char prefix[40];
	struct bell *b;

	if (!s)
		return script_fail(L, &err);
	b = lua_newuserdatauv(L, sizeof(*b), 0);
	*b = (struct bell)BELL_INIT;
	luaL_setmetatable(L, BELL_META);
	(void)snprintf(prefix, sizeof(prefix), "w.%" PRId64 ".", born);
	if (open_bell(b, s->home, prefix, &err) < 0)
		return script_fail(L, &err);
	return 1;
}

static int bell_wait_(lua_State *L)
{
	struct bell *b = luaL_checkudata(L, 1, BELL_META);
	int64_t ms = script_check_ms(L, 2);
	struct err err = ERR_INIT;
	enum bell_wake wake;

	if (b->fd < 0)
		return luaL_error(L, "this bell is closed");
	if (out_flush(&err) < 0)
		script_raise(L, &err);
	wake = bell_wait(b, ms);
	if (wake == BELL_INTERRUPTED)
		interrupt_answered();
	lua_pushstring(L, wake == BELL_RANG ? "bell" : wake == BELL_TIMEOUT ? "timeout"
									   : "interrupted");
	return 1;
}

static int bell_close_(lua_State *L)
{
	bell_close(luaL_checkudata(L, 1, BELL_META));
	return 0;
}

static const luaL_Reg bell_methods[] = {
	{ "close", bell_close_ },
	{ "wait", bell_wait_ },
	{ NULL, NULL },
};

void lib_watch(lua_State *L)
{
	script_metatable(L, BELL_META, bell_methods, bell_close_);
	lua_pushcfunction(L, watch_);
	lua_setfield(L, -2, "watch");
}
