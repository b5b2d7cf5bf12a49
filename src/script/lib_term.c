/* kubeque.term and kubeque.out. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/interrupt.h"
#include "script/libs.h"
#include "script/out.h"
#include "sys/signals.h"

static int term_width_(lua_State *L)
{
	lua_pushinteger(L, term_width());
	return 1;
}

/* term.wait_line() -> true: stdin has a line, or has ended; false: interrupted meanwhile */
static int term_wait_line(lua_State *L)
{
	struct pollfd p[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals_fd(), .events = POLLIN },
	};

	while (!signals_interrupted() && poll(p, ARRAY_SIZE(p), -1) < 0 && errno == EINTR)
		;
	if (signals_interrupted())
		interrupt_seen();
	lua_pushboolean(L, !signals_interrupted());
	return 1;
}

/* term.live_width(): columns for the live line. */
static int term_live_width_(lua_State *L)
{
	lua_pushinteger(L, term_live_width());
	return 1;
}

static int term_isatty(lua_State *L)
{
	lua_pushboolean(L, isatty((int)script_check_i64(L, 1, 0, 1000000)));
	return 1;
}

/* term.write_line(text): the live line on stderr. */
static int term_write_line(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);

	term_live(text, n);
	return 0;
}

static int term_clear(lua_State *L)
{
	(void)L;
	term_live("", 0);
	return 0;
}

/* kubeque.out(text...): data to stdout; without arguments what is buffered goes out now. */
static int out_(lua_State *L)
{
	struct err err = ERR_INIT;
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++) {
		size_t len;
		const char *text = luaL_checklstring(L, i, &len);

		if (out_write(text, len, &err) < 0)
			script_raise(L, &err);
	}
	if (n == 0 && out_flush(&err) < 0)
		script_raise(L, &err);
	return 0;
}

/* print(...), through the same buffer. */
static int print_(lua_State *L)
{
	struct err err = ERR_INIT;
	int n = lua_gettop(L), ret = 0;

	for (int i = 1; i <= n && ret == 0; i++) {
		size_t len;
		const char *text = luaL_tolstring(L, i, &len);

		if (i > 1)
			ret = out_write("\t", 1, &err);
		if (ret == 0)
			ret = out_write(text, len, &err);
		lua_pop(L, 1);
	}
	if (ret < 0 || out_write("\n", 1, &err) < 0)
		script_raise(L, &err);
	return 0;
}

static const luaL_Reg term_functions[] = {
	{ "clear", term_clear },
	{ "isatty", term_isatty },
	{ "live_width", term_live_width_ },
	{ "wait_line", term_wait_line },
	{ "width", term_width_ },
	{ "write_line", term_write_line },
	{ NULL, NULL },
};

void lib_term(lua_State *L)
{
	script_lib(L, "term", term_functions);
	lua_pushcfunction(L, out_);
	lua_setfield(L, -2, "out");
	lua_pushcfunction(L, print_);
	lua_setglobal(L, "print");
}
