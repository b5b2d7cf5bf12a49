/*
 * kubeque.proc.all{commands = {{argv..., stdin=}, ...}, parallel=, timeout=} -> list of results
 *
 * Runs programs to their ends, `parallel` (16) at a time, each for at most `timeout` seconds. A
 * result is {code =, out =, err =}, or {code = 255, out =, err =, timeout = true} for one that was
 * killed because of its time. When a signal interrupts us: nil, text, "interrupted".
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "sys/proc.h"

extern char **environ;

#define ALL_META "kubeque.proc.all"

enum { PARALLEL = 16, OUTPUT_MAX = 16 << 20, TIMED_OUT = 255 };

struct command {
	struct proc_spec spec;
	struct buf in, out, err_out;
	bool has_in;
	int code, ret;
	struct err err;
};

struct all {
	struct command *c;
	size_t n;
	atomic_size_t next;
	int64_t timeout_ms;
};

static int all_close(lua_State *L)
{
	struct all *a = luaL_checkudata(L, 1, ALL_META);

	for (size_t i = 0; i < a->n; i++) {
		buf_release(&a->c[i].in);
		buf_release(&a->c[i].out);
		buf_release(&a->c[i].err_out);
	}
	free(a->c);
	a->c = NULL;
	a->n = 0;
	return 0;
}

/* [-0, +1] The command at idx; what it borrows is anchored by the value pushed. */
static void take_command(lua_State *L, int idx, struct command *c)
{
	const char *in;
	size_t n;

	luaL_checktype(L, idx, LUA_TTABLE);
	c->spec = (struct proc_spec)PROC_SPEC_INIT;
	lua_getfield(L, idx, "stdin");
	in = luaL_optlstring(L, -1, NULL, &n);
	if (in) {
		buf_add(&c->in, in, n);
		c->has_in = true;
	}
	lua_pop(L, 1);
	c->spec.argv = script_check_strings(L, idx, &n);
	if (n == 0)
		luaL_error(L, "no program is named");
	c->spec.env = (const char *const *)(void *)environ;
}

static void *work(void *arg)
{
	struct all *a = arg;
	size_t i;

	while ((i = atomic_fetch_add(&a->next, 1)) < a->n) {
		struct command *c = &a->c[i];

		c->ret = proc_run(&c->spec, c->has_in ? &c->in : NULL, OUTPUT_MAX, a->timeout_ms,
				  &c->out, &c->err_out, &c->code, &c->err);
	}
	return NULL;
}

/* The calling thread works as well, so that all is done even where no other can be started. */
static void run_all(struct all *a, size_t parallel)
{
	pthread_t thread[PARALLEL * 4];
	size_t n = 0;

	while (n + 1 < MIN(parallel, a->n) && pthread_create(&thread[n], NULL, work, a) == 0)
		n++;
	(void)work(a);
	while (n)
		(void)pthread_join(thread[--n], NULL);
}

static void push_result(lua_State *L, const struct command *c)
{
	bool late = c->ret < 0 && c->err.code == ERR_TIMEOUT;

	lua_createtable(L, 0, 4);
	script_set_i64(L, "code", late ? TIMED_OUT : c->code);
	lua_pushlstring(L, c->out.n ? c->out.p : "", c->out.n);
	lua_setfield(L, -2, "out");
	lua_pushlstring(L, c->err_out.n ? c->err_out.p : "", c->err_out.n);
	lua_setfield(L, -2, "err");
	if (late)
		script_set_bool(L, "timeout", true);
}

static int proc_all(lua_State *L)
{
	struct all *a;
	int commands = 0, anchors;
	int64_t parallel = PARALLEL, timeout_ms = 0;
	const struct opt opts[] = {
		{ "commands", .table = &commands, .required = true },
		{ "parallel", .i64 = &parallel, .lo = 1, .hi = PARALLEL * 4 },
		{ "timeout", .ms = &timeout_ms },
	};
	size_t n;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	n = (size_t)luaL_len(L, commands);
	lua_newtable(L);
	anchors = lua_gettop(L);
	a = lua_newuserdatauv(L, sizeof(*a), 0);
	*a = (struct all){ .timeout_ms = timeout_ms };
	luaL_setmetatable(L, ALL_META);
	lua_toclose(L, -1);
	a->c = xcalloc(MAX(n, (size_t)1), sizeof(*a->c));
	while (a->n < n) {
		struct command *c = &a->c[a->n++];

		*c = (struct command){ .in = BUF_INIT, .out = BUF_INIT, .err_out = BUF_INIT,
				       .err = ERR_INIT };
		lua_geti(L, commands, (lua_Integer)a->n);
		take_command(L, lua_gettop(L), c);
		lua_rawseti(L, anchors, (lua_Integer)a->n * 2 - 1);
		lua_rawseti(L, anchors, (lua_Integer)a->n * 2);
	}
	run_all(a, (size_t)parallel);
	lua_createtable(L, (int)MIN(n, (size_t)100000), 0);
	for (size_t i = 0; i < n; i++) {
		if (a->c[i].ret < 0 && a->c[i].err.code != ERR_TIMEOUT)
			return script_fail(L, &a->c[i].err);
		push_result(L, &a->c[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

void lib_proc_all(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	static const luaL_Reg functions[] = { { "all", proc_all }, { NULL, NULL } };

	script_metatable(L, ALL_META, none, all_close);
	script_lib(L, "proc", functions);
}
