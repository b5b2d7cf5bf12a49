#ifndef SCRIPT_JSON_H
#define SCRIPT_JSON_H
/* JSON text to and from Lua values, for the bindings. Integers keep 64 bits. */
#include <stddef.h>

#include <lua.h>

#include "base/buf.h"
#include "base/err.h"

/* [-0, +1 or +0] raises only when memory is short. Pushes the value of a JSON text; -1 with err
 * when it is none (nothing is pushed). */
int script_push_json(lua_State *L, const char *text, size_t n, struct err *err);
/* raises. t[name] = value of the JSON text, for the table on top; "" or NULL: not set. */
void script_set_json(lua_State *L, const char *name, const char *text);
/* raises. Appends the value at idx (absolute) as JSON; more than `limit` bytes are an error. */
void script_add_json(lua_State *L, int idx, struct buf *out, size_t limit);
/* raises. [-0, +1] A buf in a userdata that is released when the function returns or raises. */
struct buf *script_new_buf(lua_State *L);

#endif
