/*
 * kubeque: sets up signals and Lua, gives the command line to lua/kubeque/cli.lua, and turns what
 * came of it into an exit status. `kubeque lua FILE [ARG...]` runs a Lua script inside the program
 * (that is how tests/lua run).
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "script/call.h"
#include "script/interrupt.h"
#include "script/out.h"
#include "script/state.h"
#include "sys/signals.h"

struct line {
	int argc;
	char **argv;
	int status;
};

static void push_words(lua_State *L, const struct line *line)
{
	lua_createtable(L, line->argc, 0);
	for (int i = 1; i < line->argc; i++) {
		lua_pushstring(L, line->argv[i]);
		lua_rawseti(L, -2, i);
	}
}

/* Runs under script_call(): require("kubeque.cli").main(words). */
static int run_command(lua_State *L)
{
	struct line *line = lua_touserdata(L, 1);
	lua_Integer status;
	int ok;

	lua_getglobal(L, "require");
	lua_pushliteral(L, "kubeque.cli");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "main");
	push_words(L, line);
	lua_call(L, 1, 1);
	status = lua_tointegerx(L, -1, &ok);
	line->status = ok && status >= 0 && status <= 255 ? (int)status : 0;
	return 0;
}

/* Runs under script_call(): the file with the words after it, as `lua5.4 FILE ARG...` would. */
static int run_file(lua_State *L)
{
	struct line *line = lua_touserdata(L, 1);
	int n = line->argc - 3;

	if (luaL_loadfilex(L, line->argv[2], "t") != LUA_OK)
		return lua_error(L);
	luaL_checkstack(L, n + 4, "too many arguments");
	lua_createtable(L, n, 1);
	for (int i = 0; i <= n; i++) {
		lua_pushstring(L, line->argv[i + 2]);
		lua_rawseti(L, -2, i);
	}
	lua_setglobal(L, "arg");
	for (int i = 1; i <= n; i++)
		lua_pushstring(L, line->argv[i + 2]);
	lua_call(L, n, 0);
	return 0;
}

/* Descriptors 0, 1 and 2 exist from here on, so that no file of ours gets their numbers. What was
 * closed reads as empty and refuses to be written, as it would have. */
static void open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* 143 for SIGTERM and 129 for SIGHUP, where an interrupted command says 130. */
static int final_status(int status)
{
	if (status == 128 + SIGINT && signals_caught())
		return 128 + signals_caught();
	return status;
}

int main(int argc, char **argv)
{
	struct line line = { .argc = argc, .argv = argv };
	struct err err = ERR_INIT;
	struct script *s;
	bool file = argc >= 3 && strcmp(argv[1], "lua") == 0 && argv[2][0] != '-';

	open_standard();
	s = script_host_new(&err);
	if (!s) {
		log_error("kubeque: %s", err.text);
		return err_exit_code(&err);
	}
	interrupt_install(s->L);
	lua_pushcfunction(s->L, file ? run_file : run_command);
	lua_pushlightuserdata(s->L, &line);
	if (script_call(s->L, 1, 0, &err) < 0) {
		log_error("kubeque: %s", err.text);
		line.status = err_exit_code(&err);
	}
	term_live("", 0);
	if (out_flush(&err) < 0) {
		log_error("kubeque: %s", err.text);
		line.status = err_exit_code(&err);
	}
	script_free(s);
	return final_status(line.status);
}
