#include "script/rows.h"

#include "base/base.h"
#include "script/convert.h"
#include "script/json.h"
#include "work/result_json.h"

void rows_push_job(lua_State *L, const void *p)
{
	const struct job *j = p;

	lua_createtable(L, 0, 20);
	script_set_i64(L, "born", j->born);
	script_set_i64(L, "bound", j->bound);
	script_set_str(L, "id", j->id);
	script_set_str(L, "state", job_state_name(j->state));
	script_set_i64(L, "n", j->n);
	script_set_i64(L, "priority", j->priority);
	script_set_i64(L, "max_running", j->max_running);
	script_set_i64(L, "running", j->running);
	script_set_i64(L, "submitted", j->t);
	script_set_i64(L, "ended", j->ended);
	script_set_bool(L, "told", j->told);
	script_set_i64(L, "rev", j->rev);
	script_set_str(L, "root", j->root);
	script_set_str(L, "policy", j->policy);
	script_set_str(L, "stopped", j->stopped);
	script_set_str(L, "user", j->user);
	script_set_str(L, "cluster", j->cluster);
	script_set_json(L, "classes", j->classes);
	script_set_json(L, "info", j->info && *j->info ? j->info : "{}");
}

void rows_push_task(lua_State *L, const void *p)
{
	const struct task *t = p;

	lua_createtable(L, 0, 16);
	script_set_i64(L, "job", t->job);
	script_set_i64(L, "n", t->n);
	script_set_i64(L, "v", t->v);
	script_set_str(L, "state", task_state_name(t->state));
	script_set_i64(L, "class", t->class + 1);
	script_set_i64(L, "due", t->due);
	script_set_i64(L, "attempt", t->attempt);
	script_set_i64(L, "acc", t->acc);
	script_set_i64(L, "tries", t->tries);
	script_set_i64(L, "free", t->free);
	script_set_i64(L, "lost", t->lost);
	script_set_i64(L, "asks", t->asks);
	script_set_str(L, "node", t->node);
	script_set_str(L, "label", t->label);
	script_set_str(L, "reason", t->reason);
}

void rows_push_attempt(lua_State *L, const void *p)
{
	const struct attempt *a = p;
	char code[40];

	lua_createtable(L, 0, 24);
	script_set_i64(L, "job", a->job);
	script_set_i64(L, "n", a->n);
	script_set_i64(L, "k", a->k);
	script_set_str(L, "node", a->node);
	script_set_str(L, "label", a->label);
	script_set_str(L, "cause", cause_name(a->cause));
	if (a->exit_code >= 0)
		script_set_i64(L, "exit_code", a->exit_code);
	result_return_code(code, a->exit_code, a->signal);
	script_set_str(L, "return_code", code);
	if (a->signal > 0)
		script_set_i64(L, "signal", a->signal);
	script_set_i64(L, "started", a->started);
	script_set_i64(L, "ended", a->ended);
	script_set_num(L, "elapsed", (double)a->elapsed_us / 1e6);
	script_set_num(L, "user_cpu", (double)a->user_us / 1e6);
	script_set_num(L, "system_cpu", (double)a->system_us / 1e6);
	script_set_i64(L, "max_memory", a->max_memory);
	script_set_i64(L, "block_in", a->block_in);
	script_set_i64(L, "block_out", a->block_out);
	script_set_str(L, "reason", a->reason);
	script_set_str(L, "verdict", a->verdict);
	script_set_str(L, "tail", a->tail);
	script_set_str(L, "result_sha256", a->result_sha256);
	script_set_i64(L, "result_bytes", a->result_bytes);
}

void rows_push_node(lua_State *L, const void *p)
{
	const struct node *n = p;

	lua_createtable(L, 0, 12);
	script_set_str(L, "id", n->id);
	script_set_i64(L, "v", n->v);
	script_set_str(L, "state", node_state_name(n->state));
	script_set_str(L, "cluster", n->cluster);
	script_set_json(L, "cap", n->cap && *n->cap ? n->cap : "{}");
	script_set_json(L, "info", n->info && *n->info ? n->info : "{}");
	script_set_i64(L, "beat", n->beat);
	script_set_i64(L, "waits", n->waits);
	script_set_i64(L, "registered", n->t);
	script_set_i64(L, "running", n->running);
	script_set_i64(L, "memory", n->memory);
}
