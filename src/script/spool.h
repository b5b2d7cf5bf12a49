#ifndef SCRIPT_SPOOL_H
#define SCRIPT_SPOOL_H
/* Rows that kubeque.spool() keeps, for the bindings that read them. */
#include <lua.h>

#include "work/spool.h"

/* raises. The spool at idx, which must stay on the stack; it is whole. */
const struct spool *script_check_spool(lua_State *L, int idx);

#endif
