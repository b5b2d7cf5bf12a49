#ifndef SCRIPT_RANGES_H
#define SCRIPT_RANGES_H
/* "3-7,9", for the bindings. */
#include <lua.h>

#include "base/err.h"
#include "model/ranges.h"

/* raises (memory). [-0, +1] Parses the text; the ranges belong to a userdata that is pushed and
 * released when the function returns or raises. -1 with err: not such text (still +1). */
int script_ranges(lua_State *L, const char *text, struct ranges *out, struct err *err);

#endif
