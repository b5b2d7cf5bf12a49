#ifndef SCRIPT_SANDBOX_H
#define SCRIPT_SANDBOX_H
/*
 * A Lua state for code that decides but must not do: no files, processes, network, clock, debug,
 * bytecode or finalizers; an allocator cap; and a time budget that pcall cannot swallow, because
 * the hook re-arms itself with count 1 before it raises. There are no coroutines: one that the
 * hook ended runs its __close with hooks off, and could do so for ever. What remains is in
 * sandbox_lib.h, what a hook is given in sandbox_view.h, and why nothing stays in sandbox_keep.h.
 *
 * The hook does not reach into C; what loops there either looks at the clock itself (patterns:
 * sandbox_match.h) or ends soon, bounded by the memory there is. The node's watchdog is there for
 * what nobody thought of.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "script/state.h"

enum { SANDBOX_MEMORY = 64 << 20 };

/* NULL with err set. */
struct script *sandbox_new(struct err *err);
/* [-(nargs + 1), +nresults or +0] script_call() with a budget of CPU time; the deadline that was in
 * force before is put back. */
int sandbox_call(struct script *s, int nargs, int nresults, int64_t budget_ms, struct err *err);
/* raises when the time of the call is over, as the hook does. For loops in C. */
void sandbox_tick(lua_State *L);
/* No new globals from here on. -1 with err. */
int sandbox_seal(struct script *s, struct err *err);

#endif
