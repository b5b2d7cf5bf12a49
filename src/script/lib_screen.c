/*
 * kubeque.screen() -> screen, or nil, why, "usage" when stdin or stdout is no terminal: the whole
 * terminal, for commands that show something live. What was on it comes back when it is closed.
 *   screen:size() -> rows, columns
 *   screen:draw(lines): shows them; what does not fit is the caller's to leave out
 *   screen:wait(seconds[, bells]) -> "key", text | "bell" | "timeout" | "interrupted"
 *   screen:close(); also by `local s <close>`
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/clock.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/interrupt.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/out.h"
#include "sys/bell.h"
#include "sys/signals.h"

#define SCREEN_META "kubeque.screen"
#define BELL_META "kubeque.bell"

enum { BELLS_MAX = 64 };

struct screen {
	bool open;
	struct termios before;
};

static void put(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t k = write(STDOUT_FILENO, text, n);

		if (k < 0 && errno != EINTR)
			return; /* the terminal is gone */
		text += MAX(k, 0);
		n -= (size_t)MAX(k, 0);
	}
}

static int screen_close_(lua_State *L)
{
	static const char leave[] = "\033[?25h\033[?1049l";
	struct screen *s = luaL_checkudata(L, 1, SCREEN_META);

	if (s->open) {
		put(leave, sizeof(leave) - 1);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &s->before);
	}
	s->open = false;
	return 0;
}

static struct screen *check_screen(lua_State *L)
{
	struct screen *s = luaL_checkudata(L, 1, SCREEN_META);

	if (!s->open)
		luaL_error(L, "this screen is closed");
	return s;
}

static int screen_(lua_State *L)
{
	static const char enter[] = "\033[?1049h\033[?25l\033[2J";
	struct err err = ERR_INIT;
	struct termios raw;
	struct screen *s;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		err_set(&err, ERR_USAGE, "stdin and stdout are no terminal");
		return script_fail(L, &err);
	}
	if (out_flush(&err) < 0)
		script_raise(L, &err);
	s = lua_newuserdatauv(L, sizeof(*s), 0);
	s->open = false;
	luaL_setmetatable(L, SCREEN_META);
	if (tcgetattr(STDIN_FILENO, &s->before) < 0) {
		err_sys(&err, "cannot ask the terminal");
		return script_fail(L, &err);
	}
	raw = s->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0) {
		err_sys(&err, "cannot set the terminal");
		return script_fail(L, &err);
	}
	s->open = true;
	put(enter, sizeof(enter) - 1);
	return 1;
}

static int screen_size(lua_State *L)
{
	struct winsize size;

	check_screen(L);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	lua_pushinteger(L, size.ws_row);
	lua_pushinteger(L, size.ws_col);
	return 2;
}

static int screen_draw(lua_State *L)
{
	struct buf *b;
	const char *const *lines;
	size_t n;

	check_screen(L);
	lines = script_check_strings(L, 2, &n);
	b = script_new_buf(L);
	buf_adds(b, "\033[H");
	for (size_t i = 0; i < n; i++) {
		buf_adds(b, lines[i]);
		buf_adds(b, i + 1 < n ? "\033[m\033[K\r\n" : "\033[m\033[K");
	}
	buf_adds(b, "\033[J");
	put(b->p, b->n);
	return 0;
}

static bool rang(const struct pollfd *p, struct bell *const *bells, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!(p[i].revents & POLLIN))
			continue;
		bell_drain(bells[i]);
		any = true;
	}
	return any;
}

/* What was typed: "key" and its bytes (a cursor key sends several). */
static int give_key(lua_State *L)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n <= 0) { /* the terminal is gone */
		lua_pushliteral(L, "interrupted");
		return 1;
	}
	lua_pushliteral(L, "key");
	lua_pushlstring(L, keys, (size_t)n);
	return 2;
}

static size_t check_bells(lua_State *L, int idx, struct bell **bells, struct pollfd *p)
{
	size_t n;

	if (lua_isnoneornil(L, idx))
		return 0;
	luaL_checktype(L, idx, LUA_TTABLE);
	n = MIN(lua_rawlen(L, idx), BELLS_MAX);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, idx, (lua_Integer)i + 1);
		bells[i] = luaL_checkudata(L, -1, BELL_META);
		p[i] = (struct pollfd){ .fd = bells[i]->fd, .events = POLLIN };
		lua_pop(L, 1);
	}
	return n;
}

static int screen_wait(lua_State *L)
{
	struct bell *bells[BELLS_MAX];
	struct pollfd p[BELLS_MAX + 2];
	int64_t end = clock_mono_ns() + script_check_ms(L, 2) * 1000000;
	size_t n;

	check_screen(L);
	n = check_bells(L, 3, bells, p);
	p[n] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	p[n + 1] = (struct pollfd){ .fd = signals_fd(), .events = POLLIN };
	while (!signals_interrupted()) {
		int64_t left = MAX(end - clock_mono_ns(), 0);
		int got = poll(p, n + 2, (int)MIN((left + 999999) / 1000000, 1000000));

		if (got > 0 && p[n].revents)
			return give_key(L);
		if (got > 0 && rang(p, bells, n)) {
			lua_pushliteral(L, "bell");
			return 1;
		}
		if (got == 0) {
			lua_pushliteral(L, "timeout");
			return 1;
		}
	}
	interrupt_seen();
	lua_pushliteral(L, "interrupted");
	return 1;
}

static const luaL_Reg screen_methods[] = {
	{ "close", screen_close_ },
	{ "draw", screen_draw },
	{ "size", screen_size },
	{ "wait", screen_wait },
	{ NULL, NULL },
};

void lib_screen(lua_State *L)
{
	script_metatable(L, SCREEN_META, screen_methods, screen_close_);
	lua_pushcfunction(L, screen_);
	lua_setfield(L, -2, "screen");
}
