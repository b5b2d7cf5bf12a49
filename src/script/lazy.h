#ifndef SCRIPT_LAZY_H
#define SCRIPT_LAZY_H
/*
 * The global `kubeque` knows its names: one that does not exist raises and offers the nearest, in
 * the table itself and in those below it (kubeque.fs.raed). Names that a script of kubeque makes
 * (kubeque.params: lua/kubeque/params.lua) are loaded when they are first used.
 */
#include <lua.h>

/* raises. [-0, +0] For `kubeque` on top, when all libraries are in it. */
void lazy_open(lua_State *L);
/* raises. [-0, +0] Unknown names in the table on top raise; `name` is what messages call it
 * ("kubeque.fs"). */
void lazy_strict(lua_State *L, const char *name);

#endif
