#ifndef SCRIPT_LIBS_H
#define SCRIPT_LIBS_H
/*
 * The bindings: one file lib_X.c a domain, each with a luaL_Reg table and a function lib_X(L) that
 * adds to the table `kubeque` on top of the stack ([-0, +0], raises), usually by script_lib().
 * To add one: a line in LIBS. A binding has no logic: check the arguments, call C, push.
 */
#include <lauxlib.h>
#include <lua.h>

#define LIBS(X) \
	X(budget) \
	X(cas) \
	X(clean) \
	X(consume) \
	X(control) \
	X(embedded) \
	X(events) \
	X(fetch) \
	X(fs) \
	X(http) \
	X(ini) \
	X(json) \
	X(lock) \
	X(line) \
	X(log) \
	X(machine) \
	X(manifest) \
	X(materialize) \
	X(nodes) \
	X(policies) \
	X(policies_ask) \
	X(proc) \
	X(proc_all) \
	X(queue) \
	X(queue_tasks) \
	X(reap) \
	X(results) \
	X(screen) \
	X(session) \
	X(source) \
	X(spool) \
	X(submit) \
	X(submitter) \
	X(template) \
	X(term) \
	X(time) \
	X(units) \
	X(watch)

#define LIB_DECLARE(name) void lib_##name(lua_State *L);
LIBS(LIB_DECLARE)

/* raises. Makes the global `kubeque` with every library. */
void libs_open(lua_State *L);

/* raises. Adds functions to the table kubeque[name], which is made if need be; `kubeque` is on top
 * and stays there. */
void script_lib(lua_State *L, const char *name, const luaL_Reg *reg);

/* raises. [-0, +0] A metatable "kubeque.X" for userdata: methods by __index, `close` as __gc and
 * __close (it must accept an object that is closed or was never filled). */
void script_metatable(lua_State *L, const char *name, const luaL_Reg *methods,
		      lua_CFunction close);

#endif
