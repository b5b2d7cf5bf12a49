#ifndef SCRIPT_CALL_H
#define SCRIPT_CALL_H
/*
 * Between C and Lua, in both directions: the one place where C calls Lua, what becomes of an
 * error on the way, and how C hands rows to Lua from inside a callback that must not be jumped
 * over.
 *
 * An error that a script raises as a table {code = "usage", message = "..."} keeps its code;
 * anything else is ERR_SCRIPT.
 */
#include <stdbool.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/err.h"

#define SCRIPT_NO_MEMORY "not enough memory"

/* [-(nargs + 1), +nresults or +0] lua_pcall. Never raises. 0, or -1 with err set (one line); with
 * --debug the traceback is logged. */
int script_call(lua_State *L, int nargs, int nresults, struct err *err);

/* raises. [-0, +1] "file:line: " of the script that runs, or nothing. */
void script_push_place(lua_State *L);
/* raises. [-0, +3] Pushes nil, text, code name: `return script_fail(L, &err);`. */
int script_fail(lua_State *L, const struct err *err);
/* raises. Does not return: raises the error as a table with code and message. */
int script_raise(lua_State *L, const struct err *err) __attribute__((noreturn));

/*
 * Pushing values while C owns something, or from a callback of the queue: fn(L, p), which may
 * raise and must push exactly one value, runs protected.
 * [-0, +1] 0: its value is on the stack; -1: an error object is (pass it to lua_error() once
 * nothing is held any more). Needs 4 free slots (lua_checkstack).
 */
typedef void (*script_push_fn)(lua_State *L, const void *p);
int script_push(lua_State *L, script_push_fn fn, const void *p);

/*
 * A list built by a callback: script_list_begin() pushes the table, script_list_add() appends
 * fn(L, p) and returns what queue callbacks return (0 go on, -1 stop: out of memory), and
 * script_list_end() raises what had gone wrong, or leaves the table on top. What a binding returns
 * then is script_list_give(): the table, or nil, text, code if `ret` is negative.
 */
struct script_list {
	lua_State *L;
	int table;     /* stack index */
	lua_Integer n;
	bool failed;   /* the error object is on top */
};
void script_list_begin(struct script_list *l, lua_State *L); /* raises */
int script_list_add(struct script_list *l, script_push_fn fn, const void *p);
void script_list_end(struct script_list *l); /* raises */
int script_list_give(struct script_list *l, int ret, const struct err *err); /* raises */

#endif
