#ifndef SCRIPT_POLICY_LUA_H
#define SCRIPT_POLICY_LUA_H
/*
 * Policies written in Lua behind struct policy. Each runs in a sandboxed state of its own: no
 * files, processes, network or clock, at most 64 MB and 100 ms a hook, random numbers seeded by
 * (task, attempt), views that are copies. After an error the state is thrown away; after three in a
 * row the policy is off for this process and the caller's stock verdict stands.
 *
 * A policy file returns a table with any of the functions on_task_failed(task, attempt, job),
 * on_task_lost(task, node, job) and scale(state). See lua/policies/default.lua.
 */
#include "base/err.h"
#include "work/policy.h"

/* The stock policy, from the compiled-in set (path "policies/default"). NULL with err set. Used by
 * one thread at a time. */
struct policy *policy_lua_new(const char *path, struct err *err);
/* A policy from text (kept); `name` is for messages. NULL with ERR_SCRIPT when it does not load. */
struct policy *policy_lua_new_text(const char *name, const char *text, size_t n,
				   struct err *err);

#endif
