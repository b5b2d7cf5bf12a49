#ifndef SCRIPT_SANDBOX_PURE_H
#define SCRIPT_SANDBOX_PURE_H
/* Functions of the standard library that would tell one run from another (order of hashing,
 * addresses), made to give the same everywhere; pairs and next know views. */
#include <lua.h>

/* raises. Replaces the globals pairs, next, tostring and string.format. */
void sandbox_pure_open(lua_State *L);
/* raises. Walks by next that were not finished are, so that the next hook sees none. */
void sandbox_pure_forget(lua_State *L);
/* raises. Replaces string.find, match, gmatch, gsub and rep by ones that know the clock. */
void sandbox_string_open(lua_State *L);
/* raises. The functions of table, but for pack. */
void sandbox_table_open(lua_State *L);

#endif
