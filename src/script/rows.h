#ifndef SCRIPT_ROWS_H
#define SCRIPT_ROWS_H
/*
 * Rows of the queue as Lua tables: copies, one field a column. Shared by the bindings and the
 * policies. Each pushes exactly one value and raises only when memory is short (or JSON in a row
 * is damaged); `p` is what the name says.
 */
#include <lua.h>

#include "model/task.h"

/* born, id, state, n, priority, max_running, running, submitted, ended, rev, bound, user, cluster,
 * root, policy, classes (list of tables), info (table). Never the secret. */
void rows_push_job(lua_State *L, const void *p);
/* job, n, v, state, class (index into job.classes, from 1), due, attempt, acc, tries, free, lost,
 * asks, node, label, reason. */
void rows_push_task(lua_State *L, const void *p);
/* job, n, k, node, label, cause, exit_code and signal (absent when there is none), started, ended,
 * elapsed, user_cpu, system_cpu (seconds), max_memory, block_in, block_out, reason, verdict, tail,
 * result_sha256, result_bytes. */
void rows_push_attempt(lua_State *L, const void *p);
/* id, v, state, cluster, cap (table), info (table), beat, waits, registered, running, memory. */
void rows_push_node(lua_State *L, const void *p);

#endif
