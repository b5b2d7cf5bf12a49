#ifndef SCRIPT_SESSION_H
#define SCRIPT_SESSION_H
/*
 * What the bindings work on: the home directory, where results and CAS are, and the queue, opened
 * on first use. One for each Lua state; kubeque.session{...} sets it.
 */
#include <stdbool.h>

#include <lua.h>

#include "base/err.h"

struct policy;
struct queue;

struct session {
	char *home;    /* $KUBEQUE_HOME */
	char *prefix;  /* where results go; "" : <home>/results */
	char *cas;     /* directory of the CAS; "" : <home>/CAS */
	char *cluster; /* "local" unless said otherwise */
	int64_t lease_ms; /* 0: the queue's own; who holds its lock longer is looked at */
	bool create;   /* make what is missing */
	bool read_only;
	struct queue *queue; /* use session_queue() */
};

/* The session of this state, or NULL with ERR_USAGE: kubeque.session{} was not called. */
struct session *session_get(lua_State *L, struct err *err);
/* The queue of the session, opened if need be; NULL with err set. Borrowed. */
struct queue *session_queue(lua_State *L, struct err *err);
/* raises. [-0, +0] The policy that picks by job (policy_router.h), made on first use and kept; NULL
 * with err. Borrowed. */
struct policy *session_policy(lua_State *L, struct err *err);
void session_free(struct session *s); /* accepts NULL */

#endif
