/* kubeque.time, kubeque.log, kubeque.sleep, kubeque.interrupted. */
#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/task.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/interrupt.h"
#include "script/libs.h"
#include "script/out.h"
#include "sys/signals.h"

static int time_now(lua_State *L)
{
	lua_pushinteger(L, clock_wall_ms());
	return 1;
}

static int time_mono(lua_State *L)
{
	lua_pushnumber(L, (double)clock_mono_ns() / 1e9);
	return 1;
}

static int64_t check_wall(lua_State *L)
{
	return script_check_i64(L, 1, 0, INT64_C(253402300799999)); /* the year 9999 */
}

static int time_utc(lua_State *L)
{
	char text[CLOCK_RFC3339_SIZE + 8];

	clock_format_utc(check_wall(L), text);
	lua_pushstring(L, text);
	return 1;
}

static int time_log(lua_State *L)
{
	char text[CLOCK_LOG_SIZE + 8];

	clock_format_log(check_wall(L), text);
	lua_pushstring(L, text);
	return 1;
}

static int time_id(lua_State *L)
{
	char text[32];

	clock_format_id(check_wall(L), text);
	lua_pushstring(L, text);
	return 1;
}

/* kubeque.sleep(seconds) -> "timeout" | "interrupted"; stdout is flushed first */
static int sleep_(lua_State *L)
{
	int64_t ms = script_check_ms(L, 1);
	struct err err = ERR_INIT;

	if (out_flush(&err) < 0)
		script_raise(L, &err);
	if (signals_sleep_ms(ms) == 0) {
		interrupt_answered();
		lua_pushliteral(L, "interrupted");
	} else {
		lua_pushliteral(L, "timeout");
	}
	return 1;
}

/* kubeque.interrupted() -> "SIGINT", "SIGTERM", "SIGHUP" or nil. A script that asks takes it upon
 * itself to stop. */
static int interrupted_(lua_State *L)
{
	int sig = signals_caught();
	char name[32];

	interrupt_seen();
	if (sig)
		lua_pushstring(L, signal_name(sig, name, sizeof(name)));
	else
		luaL_pushfail(L);
	return 1;
}

static const luaL_Reg time_functions[] = {
	{ "id", time_id },
	{ "log", time_log },
	{ "mono", time_mono },
	{ "now", time_now },
	{ "utc", time_utc },
	{ NULL, NULL },
};

static const luaL_Reg root_functions[] = {
	{ "interrupted", interrupted_ },
	{ "sleep", sleep_ },
	{ NULL, NULL },
};

void lib_time(lua_State *L)
{
	script_lib(L, "time", time_functions);
	luaL_setfuncs(L, root_functions, 0);
}

/* ---- log -------------------------------------------------------------------------------- */

static int say(lua_State *L, enum log_level level)
{
	log_line(level, "%s", luaL_checkstring(L, 1));
	return 0;
}

static int log_error_(lua_State *L)
{
	return say(L, LOG_LEVEL_ERROR);
}

static int log_warn_(lua_State *L)
{
	return say(L, LOG_LEVEL_WARN);
}

static int log_info_(lua_State *L)
{
	return say(L, LOG_LEVEL_INFO);
}

static int log_debug_(lua_State *L)
{
	return say(L, LOG_LEVEL_DEBUG);
}

/* log.level([name]) -> the level in force before. */
static int log_level_(lua_State *L)
{
	static const char *const names[] = { "error", "warn", "info", "debug", NULL };
	enum log_level before = log_get_level();

	if (!lua_isnoneornil(L, 1))
		log_set_level((enum log_level)luaL_checkoption(L, 1, NULL, names));
	lua_pushstring(L, names[before]);
	return 1;
}

static const luaL_Reg log_functions[] = {
	{ "debug", log_debug_ },
	{ "error", log_error_ },
	{ "info", log_info_ },
	{ "level", log_level_ },
	{ "warn", log_warn_ },
	{ NULL, NULL },
};

void lib_log(lua_State *L)
{
	script_lib(L, "log", log_functions);
}
