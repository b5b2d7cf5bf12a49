#ifndef SCRIPT_SANDBOX_LIB_H
#define SCRIPT_SANDBOX_LIB_H
/*
 * What code in a sandbox can call: string, table, math, utf8, the harmless part of the base
 * library, and of kubeque only what computes (units, json, glob). What would tell one run from
 * another is taken out or made equal: no clock, no addresses, pairs() in the order of the keys.
 * Libraries and what the files define are constant once they are loaded.
 */
#include <stdint.h>

#include <lua.h>

/* raises. All of the globals. */
void sandbox_lib_open(lua_State *L);
/* raises. [-0, +1] The table `kubeque` behind the constant global of that name. */
void sandbox_lib_kubeque(lua_State *L);
/* raises. From here on a new or changed global is an error. */
void sandbox_lib_seal(lua_State *L);
/* raises. math.random starts over from these two numbers. */
void sandbox_seed(lua_State *L, int64_t a, int64_t b);
/* raises. [-0, +1] The globals themselves; scripts see a table in front of them. */
void sandbox_lib_globals(lua_State *L);
/* raises. [-0, +1] Set of tables that nobody can change. */
void sandbox_lib_constants(lua_State *L);

#endif
