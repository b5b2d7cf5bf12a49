/* kubeque.proc: this process, its user, and other programs. No shell is ever involved. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/out.h"
#include "sys/file.h"
#include "sys/machine.h"
#include "sys/proc.h"

extern char **environ;

enum { OUTPUT_MAX = 64 << 20 };

/* proc.pid() */
static int proc_pid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

/* proc.umask() -> the file mode creation mask, which is not changed */
static int proc_umask(lua_State *L)
{
	struct buf *b = script_new_buf(L);
	struct err err = ERR_INIT;
	const char *p;

	if (file_read(AT_FDCWD, "/proc/self/status", 65536, b, &err) <= 0)
		return script_fail(L, &err);
	p = strstr(b->p, "\nUmask:");
	lua_pushinteger(L, p ? strtol(p + 7, NULL, 8) : 022);
	return 1;
}

struct who {
	struct user user;
	const char *home; /* of the password database */
};

static void push_who(lua_State *L, const void *p)
{
	const struct who *who = p;

	lua_createtable(L, 3, 0);
	lua_pushstring(L, who->user.name);
	lua_rawseti(L, -2, 1);
	lua_pushinteger(L, who->user.uid);
	lua_rawseti(L, -2, 2);
	if (who->home) {
		lua_pushstring(L, who->home);
		lua_rawseti(L, -2, 3);
	}
}

/* proc.user() -> name, uid, home directory by the password database (or nil), gid */
static int proc_user(lua_State *L)
{
	struct who who = { .home = NULL };
	const struct passwd *pw;
	int ret;

	luaL_checkstack(L, 10, NULL);
	user_get(&who.user);
	/* cppcheck-suppress getpwuidCalled ; commands have one thread */
	pw = getpwuid(geteuid());
	who.home = pw ? pw->pw_dir : NULL;
	ret = script_push(L, push_who, &who);
	user_release(&who.user);
	if (ret < 0)
		lua_error(L);
	for (int i = 1; i <= 3; i++)
		lua_rawgeti(L, -i, i);
	lua_pushinteger(L, getegid());
	return 4;
}

/* proc.user_name(uid) -> name, or the number as text */
static int proc_user_name(lua_State *L)
{
	int64_t uid = script_check_i64(L, 1, 0, UINT32_MAX);
	/* cppcheck-suppress getpwuidCalled ; commands have one thread */
	const struct passwd *pw = getpwuid((uid_t)uid);

	if (pw)
		lua_pushstring(L, pw->pw_name);
	else
		lua_pushfstring(L, "%I", (LUAI_UACINT)uid);
	return 1;
}

static int proc_isatty(lua_State *L)
{
	lua_pushboolean(L, isatty((int)script_check_i64(L, 1, 0, 1000000)));
	return 1;
}

/* proc.env() -> table of the environment */
static int proc_env(lua_State *L)
{
	lua_newtable(L);
	for (char **e = environ; *e; e++) {
		const char *eq = strchr(*e, '=');

		if (!eq)
			continue;
		lua_pushlstring(L, *e, (size_t)(eq - *e));
		lua_pushstring(L, eq + 1);
		lua_rawset(L, -3);
	}
	return 1;
}

/* proc.setenv(name, value | nil) */
static int proc_setenv(lua_State *L)
{
	const char *name = script_check_text(L, 1), *value = script_opt_text(L, 2, NULL);

	if ((value ? setenv(name, value, 1) : unsetenv(name)) < 0)
		return luaL_error(L, "'%s' is no name of a variable", name);
	return 0;
}

/*
 * [-0, +1] {NAME = value} at idx as a NULL-terminated array in a userdata; the texts are
 * anchored in a table that is its user value.
 */
static const char **check_env(lua_State *L, int idx)
{
	const char **env;
	size_t n = 0;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		n++;
	env = lua_newuserdatauv(L, (n + 1) * sizeof(*env), 1);
	lua_createtable(L, (int)MIN(n, 100000), 0);
	n = 0;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "an environment is names and texts");
		env[n] = lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), lua_tostring(L, -1));
		lua_rawseti(L, -4, (lua_Integer)++n);
	}
	env[n] = NULL;
	lua_setiuservalue(L, -2, 1);
	return env;
}

/*
 * proc.run{argv..., stdin=, env=, cwd=, timeout=, stderr="inherit"} -> code, stdout, stderr
 * Code 127 or 126 when there is no such program, 128 + n for signal n. After `timeout` seconds it
 * is killed with all it started in its process group: nil, text, "timeout". With stderr="inherit"
 * the program writes to our stderr.
 */
static int proc_run_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct proc_spec spec = PROC_SPEC_INIT;
	const char *in = NULL;
	struct buf *input, *out, *err_out;
	int64_t timeout_ms = 0;
	int env = 0, code = 0;
	bool inherit;
	size_t n;

	luaL_checktype(L, 1, LUA_TTABLE);
	spec.argv = script_check_strings(L, 1, &n);
	if (n == 0)
		return luaL_error(L, "no program is named");
	lua_getfield(L, 1, "stdin");
	in = luaL_optstring(L, -1, NULL);
	lua_getfield(L, 1, "cwd");
	spec.cwd = luaL_optstring(L, -1, NULL);
	if (lua_getfield(L, 1, "timeout") != LUA_TNIL)
		timeout_ms = MAX(script_check_ms(L, -1), 1);
	lua_getfield(L, 1, "stderr");
	inherit = lua_isstring(L, -1) && strcmp(lua_tostring(L, -1), "inherit") == 0;
	if (!inherit && !lua_isnil(L, -1))
		return luaL_error(L, "option 'stderr' is \"inherit\" or is not given");
	if (inherit)
		spec.err_fd = STDERR_FILENO;
	if (lua_getfield(L, 1, "env") != LUA_TNIL) {
		luaL_checktype(L, -1, LUA_TTABLE);
		env = lua_gettop(L);
	}
	spec.env = env ? check_env(L, env) : (const char *const *)(void *)environ;
	input = script_new_buf(L);
	out = script_new_buf(L);
	err_out = script_new_buf(L);
	if (in)
		buf_adds(input, in);
	if (proc_run(&spec, in ? input : NULL, OUTPUT_MAX, timeout_ms, out,
		     inherit ? NULL : err_out, &code, &err) < 0)
		return script_fail(L, &err);
	lua_pushinteger(L, code);
	lua_pushlstring(L, out->p, out->n);
	lua_pushlstring(L, err_out->p, err_out->n);
	return 3;
}

/* Waits for a program in the foreground: what the keyboard sends is for it, not for us. */
static int wait_foreground(const struct proc_spec *spec, int *code, struct err *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_int, old_quit;
	struct proc_failure failure;
	struct proc_end end = { .exit_code = 0 };
	pid_t pid;
	int started;

	(void)sigaction(SIGINT, &ignore, &old_int);
	(void)sigaction(SIGQUIT, &ignore, &old_quit);
	proc_signals_changed();
	started = proc_spawn(spec, &pid, &failure, err);
	if (started > 0)
		(void)proc_wait(pid, &end);
	(void)sigaction(SIGINT, &old_int, NULL);
	(void)sigaction(SIGQUIT, &old_quit, NULL);
	proc_signals_changed();
	if (started == 0)
		*code = failure.code ? failure.code : 126;
	else
		*code = end.exit_code >= 0 ? end.exit_code : 128 + end.signal;
	return started < 0 ? -1 : 0;
}

/*
 * proc.call{argv..., env=, cwd=} -> code: runs a program on our own stdin, stdout and stderr and
 * waits for its end.
 */
static int proc_call(lua_State *L)
{
	struct err err = ERR_INIT;
	struct proc_spec spec = PROC_SPEC_INIT;
	int code = 0;
	size_t n;

	luaL_checktype(L, 1, LUA_TTABLE);
	spec.argv = script_check_strings(L, 1, &n);
	if (n == 0)
		return luaL_error(L, "no program is named");
	lua_getfield(L, 1, "cwd");
	spec.cwd = luaL_optstring(L, -1, NULL);
	if (lua_getfield(L, 1, "env") != LUA_TNIL) {
		luaL_checktype(L, -1, LUA_TTABLE);
		spec.env = check_env(L, lua_gettop(L));
	} else {
		spec.env = (const char *const *)(void *)environ;
	}
	spec.in_fd = STDIN_FILENO;
	spec.out_fd = STDOUT_FILENO;
	spec.err_fd = STDERR_FILENO;
	spec.same_group = true;
	term_live("", 0);
	if (out_flush(&err) < 0 || wait_foreground(&spec, &code, &err) < 0)
		return script_fail(L, &err);
	lua_pushinteger(L, code);
	return 1;
}

static void default_signals(void)
{
	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL);
}

/* The type that execve wants, for words it will not change. */
static char *const *exec_words(const char **words)
{
	union {
		const char **words;
		char *const *exec;
	} u = { .words = words };

	return u.exec;
}

/* proc.exec(argv[, env[, cwd]]): becomes that program; returns only when it cannot */
static int proc_exec(lua_State *L)
{
	struct err err = ERR_INIT;
	const char **argv, **env = NULL, *cwd = script_opt_text(L, 3, NULL);
	size_t n;

	argv = script_check_strings(L, 1, &n);
	if (n == 0)
		return luaL_error(L, "no program is named");
	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		env = check_env(L, 2);
	}
	if (cwd && chdir(cwd) < 0) {
		err_sys(&err, "cannot change to %s", cwd);
		return script_fail(L, &err);
	}
	term_live("", 0);
	if (out_flush(&err) < 0)
		return script_fail(L, &err);
	default_signals();
	execvpe(argv[0], exec_words(argv), env ? exec_words(env) : environ);
	err_sys(&err, "cannot run %s", argv[0]);
	return script_fail(L, &err);
}

static const luaL_Reg proc_functions[] = {
	{ "call", proc_call },
	{ "env", proc_env },
	{ "exec", proc_exec },
	{ "isatty", proc_isatty },
	{ "pid", proc_pid },
	{ "run", proc_run_ },
	{ "setenv", proc_setenv },
	{ "umask", proc_umask },
	{ "user", proc_user },
	{ "user_name", proc_user_name },
	{ NULL, NULL },
};

void lib_proc(lua_State *L)
{
	script_lib(L, "proc", proc_functions);
}
