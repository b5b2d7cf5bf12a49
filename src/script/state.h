#ifndef SCRIPT_STATE_H
#define SCRIPT_STATE_H
/*
 * A Lua state and what belongs to it: the allocator with its cap, the clock budget of the call
 * that runs, and the session (which queue and stores the bindings work on).
 *
 * Functions marked "raises" may leave by longjmp (a Lua error): their caller holds no C resource
 * and runs under script_call() or lua_pcall().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/err.h"

enum { SCRIPT_LARGE = 256 << 10 }; /* bytes of a block that is large */

struct budget;
struct session;

struct script {
	lua_State *L;
	size_t used;        /* bytes allocated now */
	size_t cap;         /* more than this is "not enough memory"; 0: no cap */
	int64_t deadline;   /* CPU time in ns after which the sandbox raises; 0: none */
	int64_t wall_deadline; /* monotonic ns: before it, `deadline` cannot be over */
	int64_t budget_ms;  /* how long that is, for the message */
	struct budget *budget; /* of the call that runs (lib_budget.c); NULL: none */
	bool (*large)(struct script *s); /* a large block is about to be made; false: it is not;
					  * NULL: nobody asks. Called by the allocator */
	bool sandbox;       /* a policy's state: no kubeque table but the pure part */
	struct session *session; /* NULL until the first use */
};

/* For tests: the how manieth allocation of Lua from now, in any state, fails, and all after it (a
 * single one would be made again after a collection); 0: none. */
extern int64_t script_fail_at;

/* A state without any library; its script is at lua_getextraspace. NULL: no memory. */
struct script *script_new(size_t cap);
/* A state for commands and recipes: standard libraries, `require` over the compiled-in set, the
 * global `kubeque`. NULL with err set. */
struct script *script_host_new(struct err *err);
void script_free(struct script *s); /* accepts NULL */

static inline struct script *script_of(lua_State *L)
{
	return *(struct script **)lua_getextraspace(L);
}

#endif
