#ifndef SCRIPT_SANDBOX_VIEW_H
#define SCRIPT_SANDBOX_VIEW_H
/*
 * What a hook is given: tables that can be read and walked, not written. A view is an empty table
 * in front of the data, with one metatable for all; tables below it become views when they are
 * looked at. Everything here raises and runs in a sandbox.
 */
#include <stdbool.h>

#include <lua.h>

/* Makes the metatable; once a state. */
void sandbox_view_open(lua_State *L);
/* [-1, +1] The table on top behind a view of it. */
void sandbox_read_only(lua_State *L);
/* [-0, +1 or +0] The data behind the view at idx (absolute); false when it is none. */
bool sandbox_view_data(lua_State *L, int idx);
/* [-1, +1] The value on top as a view gives it: tables read-only. `data[key]` (data at that index)
 * is where it was read; the key is below it. */
void sandbox_view_value(lua_State *L, int data);
/* [-0, +0 or +1] The key at idx in words, for an error: no address, which nobody may see. */
const char *sandbox_key_name(lua_State *L, int idx);

#endif
