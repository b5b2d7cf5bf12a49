#ifndef SCRIPT_SANDBOX_KEEP_H
#define SCRIPT_SANDBOX_KEEP_H
/*
 * Nothing stays from one hook to the next: a verdict may not depend on what a process happened to
 * be asked before. After the files have run, every variable and table that their functions can
 * reach is remembered; after each hook what was changed is put back.
 */
#include <lua.h>

/* raises. [-1, +0] Remembers what can be reached from the list of values on top (and from the
 * globals); once a state. */
void sandbox_keep(lua_State *L);
/* raises. Puts it back. */
void sandbox_restore(lua_State *L);

#endif
