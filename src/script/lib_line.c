/*
 * kubeque.line: reading lines from a terminal with editing, history and completion, for the
 * interactive shell. libedit does the work; it is loaded at the first use and never before, so that
 * no command needs it.
 *   line.load() -> true, or nil, why, "config": it is not installed
 *   line.read(prompt[, complete]) -> text without its newline; nil: the end (Ctrl-D); false:
 *   interrupted. complete(word) -> list of texts that could stand for the word left of the cursor
 *   line.add(text): into the history, where Up finds it
 *   line.forget_interrupt() -> true when it was Ctrl-C, which counts as handled from here on; false
 *   when it was another signal, or none
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/interrupt.h"
#include "script/libs.h"
#include "script/out.h"
#include "sys/signals.h"

enum { CTRL_D = 4 };

static const char library[] = "libedit.so.2";

/* What is used of libedit, as its readline.h declares it. */
static struct {
	char *(*readline)(const char *prompt);
	int (*add_history)(const char *line);
	int (*rl_initialize)(void);
	int (**rl_getc_function)(FILE *in);
	char **(**rl_attempted_completion_function)(const char *word, int start, int end);
	int *rl_attempted_completion_over;
	int *rl_completion_append_character;
	int *rl_catch_signals;
	const char **rl_basic_word_break_characters;
	const char **rl_readline_name;
} edit;

static const struct {
	const char *name;
	void *slot;
} symbols[] = {
	{ "readline", &edit.readline },
	{ "add_history", &edit.add_history },
	{ "rl_initialize", &edit.rl_initialize },
	{ "rl_getc_function", &edit.rl_getc_function },
	{ "rl_attempted_completion_function", &edit.rl_attempted_completion_function },
	{ "rl_attempted_completion_over", &edit.rl_attempted_completion_over },
	{ "rl_completion_append_character", &edit.rl_completion_append_character },
	{ "rl_catch_signals", &edit.rl_catch_signals },
	{ "rl_basic_word_break_characters", &edit.rl_basic_word_break_characters },
	{ "rl_readline_name", &edit.rl_readline_name },
};

static lua_State *reader; /* whose line.read() runs; its completer is at index 2 */

/* ---- keys --------------------------------------------------------------------------------- */

/* The next byte of stdin; -1 at its end, or once a signal came. A Ctrl-D that was typed while code
 * ran, and the terminal was not ours, comes as a NUL byte. */
static int next_byte(void)
{
	struct pollfd p[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals_fd(), .events = POLLIN },
	};
	unsigned char c;
	ssize_t n;

	do {
		while (!signals_interrupted() && poll(p, ARRAY_SIZE(p), -1) < 0 && errno == EINTR)
			continue;
		if (signals_interrupted())
			return -1;
		n = read(STDIN_FILENO, &c, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? c ? c : CTRL_D : -1;
}

/* A character of UTF-8; a byte that begins none stands for itself. */
static int next_char(FILE *in)
{
	int c = next_byte(), more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;

	(void)in;
	if (more)
		c &= 0x3F >> more;
	for (; more > 0; more--) {
		int next = next_byte();

		if (next < 0)
			return -1;
		c = c << 6 | (next & 0x3F);
	}
	return c;
}

/* ---- completion --------------------------------------------------------------------------- */

static size_t common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/* The texts of the list on top, as libedit takes (and frees) them: what all begin with, each, NULL.
 * NULL: there is none. Raises nothing. */
static char **matches_of(lua_State *L)
{
	size_t n = lua_istable(L, -1) ? MIN(lua_rawlen(L, -1), 10000) : 0, used = 0, prefix = 0;
	char **list;

	if (n == 0)
		return NULL;
	list = xcalloc(n + 2, sizeof(*list));
	for (size_t i = 1; i <= n; i++) {
		if (lua_rawgeti(L, -1, (lua_Integer)i) == LUA_TSTRING) {
			list[++used] = xstrdup(lua_tostring(L, -1));
			prefix = used == 1 ? strlen(list[1])
					   : MIN(prefix, common_prefix(list[1], list[used]));
		}
		lua_pop(L, 1);
	}
	if (used) {
		list[0] = xstrdup(list[1]);
		list[0][prefix] = '\0';
		return list;
	}
	free(list);
	return NULL;
}

/* (function, word as light userdata) -> what the function says about the word */
static int complete_body(lua_State *L)
{
	const char *word = lua_touserdata(L, 2);

	lua_settop(L, 1);
	lua_pushstring(L, word);
	lua_call(L, 1, 1);
	return 1;
}

/* Called by libedit while line.read() runs. What goes wrong in Lua completes nothing. */
static char **complete(const char *word, int start, int end)
{
	struct err err = ERR_INIT;
	char **list, *word_copy;
	int ret;

	(void)start;
	(void)end;
	*edit.rl_attempted_completion_over = 1; /* no names of files instead */
	if (!reader || !lua_isfunction(reader, 2) || !lua_checkstack(reader, 8))
		return NULL;
	word_copy = xstrdup(word);
	lua_pushcfunction(reader, complete_body);
	lua_pushvalue(reader, 2);
	lua_pushlightuserdata(reader, word_copy);
	ret = script_call(reader, 2, 1, &err);
	free(word_copy);
	if (ret < 0)
		return NULL;
	list = matches_of(reader);
	lua_pop(reader, 1);
	return list;
}

/* ---- functions ---------------------------------------------------------------------------- */

static void set_up(void)
{
	if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	*edit.rl_readline_name = "kubeque";
	*edit.rl_catch_signals = 0; /* ours stay: it would send one to the whole process group */
	*edit.rl_getc_function = next_char;
	*edit.rl_attempted_completion_function = complete;
	*edit.rl_completion_append_character = '\0';
	*edit.rl_basic_word_break_characters = " \t\n\"'`;,+-*/%^#=<>~(){}[]&|";
	(void)edit.rl_initialize();
}

static int line_load(lua_State *L)
{
	static void *handle;
	struct err err = ERR_INIT;

	if (handle) {
		lua_pushboolean(L, 1);
		return 1;
	}
	handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		err_set(&err, ERR_CONFIG, "lines cannot be edited: install the package libedit2 "
			"(%s)", dlerror());
		return script_fail(L, &err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = dlsym(handle, symbols[i].name);

		if (!symbol) {
			(void)dlclose(handle);
			handle = NULL;
			err_set(&err, ERR_CONFIG, "lines cannot be edited: %s has no %s", library,
				symbols[i].name);
			return script_fail(L, &err);
		}
		memcpy(symbols[i].slot, &symbol, sizeof(symbol));
	}
	set_up();
	lua_pushboolean(L, 1);
	return 1;
}

struct text {
	char *p;
};

static void push_text(lua_State *L, const void *p)
{
	lua_pushstring(L, ((const struct text *)p)->p);
}

static int line_read(lua_State *L)
{
	const char *prompt = script_check_text(L, 1);
	struct err err = ERR_INIT;
	struct text text;
	int ret;

	lua_settop(L, 2);
	if (!edit.readline)
		return luaL_error(L, "line.load() comes first");
	luaL_checkstack(L, 8, NULL);
	if (out_flush(&err) < 0)
		script_raise(L, &err);
	reader = L;
	text.p = edit.readline(prompt);
	reader = NULL;
	if (signals_interrupted()) {
		free(text.p);
		interrupt_seen();
		lua_pushboolean(L, 0);
		return 1;
	}
	if (!text.p) {
		lua_pushnil(L);
		return 1;
	}
	ret = script_push(L, push_text, &text);
	free(text.p);
	if (ret < 0)
		lua_error(L);
	return 1;
}

static int line_add(lua_State *L)
{
	const char *text = script_check_text(L, 1);

	if (edit.add_history)
		(void)edit.add_history(text);
	return 0;
}

static int line_forget_interrupt(lua_State *L)
{
	interrupt_seen();
	lua_pushboolean(L, signals_forget(SIGINT));
	return 1;
}

static const luaL_Reg line_functions[] = {
	{ "add", line_add },
	{ "forget_interrupt", line_forget_interrupt },
	{ "load", line_load },
	{ "read", line_read },
	{ NULL, NULL },
};

void lib_line(lua_State *L)
{
	script_lib(L, "line", line_functions);
}
