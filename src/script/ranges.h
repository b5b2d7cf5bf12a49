#ifndef SCRIPT_RANGES_H
#define SCRIPT_RANGES_H
/* "3-7,9" and lists of states, for the bindings. */
#include <lua.h>

#include "base/err.h"
#include "model/ranges.h"

/* raises (memory). [-0, +1] Parses the text; the ranges belong to a userdata that is pushed and
 * released when the function returns or raises. -1 with err: not such text (still +1). */
int script_ranges(lua_State *L, const char *text, struct ranges *out, struct err *err);

/* raises. The list of names of task states at idx as a mask of 1 << enum task_state; idx 0: 0.
 * "claimed" stands for claimed and ended. */
unsigned script_check_task_states(lua_State *L, int idx);
unsigned script_task_state_bit(const char *name); /* 0: no such state; does not raise */

#endif
