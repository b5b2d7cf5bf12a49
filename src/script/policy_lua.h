#ifndef SCRIPT_POLICY_LUA_H
#define SCRIPT_POLICY_LUA_H
/*
 * Policies written in Lua behind struct policy: a bundle (bundle.h), or one file. A bundle runs in
 * a sandboxed state of its own: no files, processes, network or clock, at most 64 MB; 500 ms a
 * file, 100 ms a hook (on_submit 2 s, on_event 50 ms) of CPU time; random numbers seeded by (task,
 * attempt), views that are copies, and nothing that stays from one hook to the next.
 *
 * Several policies are a chain: of on_task_failed, on_task_lost and scale the first answer that is
 * not nil counts (none: the stock verdict in C); on_submit and on_event are called in all of them.
 * After an error the state is thrown away and the rest of the chain decides; after three in a row
 * that policy is off for this process, and the history of each job that it had says so once.
 *
 * A policy file returns kubeque.policy{...} or a plain table with any of the hooks
 * on_submit(job, options), on_task_failed(task, attempt, job, options),
 * on_task_lost(task, node, job, options), scale(state, options), on_event(event, options); and
 * name, summary, options (defaults), same. See docs/internals.md and lua/policies/default.lua.
 *
 * Each is used by one thread at a time.
 */
#include "base/err.h"
#include "work/policy.h"

/* The policies of a bundle (JSON, copied). NULL with ERR_SCRIPT (file, line) when it does not
 * load. */
struct policy *policy_lua_bundle(const char *text, size_t n, struct err *err);
/* One of the compiled-in set ("policies/default"). NULL with err set. */
struct policy *policy_lua_new(const char *path, struct err *err);
/* One file (copied); `name` is for messages. */
struct policy *policy_lua_new_text(const char *name, const char *text, size_t n,
				   struct err *err);
/* What a policy of the three above has, as JSON: [{"name":,"summary":,"hooks":[..],"options":{..},
 * "same":bool}], one for each of the chain. -1 when memory is short. */
int policy_lua_describe(struct policy *p, struct buf *out, struct err *err);

#endif
