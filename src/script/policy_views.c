/* What hooks are given: copies of the rows, read-only. */
#include "base/base.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/policy_impl.h"
#include "script/rows.h"
#include "script/sandbox_view.h"

/* Takes fields away that a later question (policy test) could not be given again. */
static void drop(lua_State *L, const char *const *names)
{
	for (; *names; names++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *names);
	}
}

/* Nothing that a later question (policy test) could not be given again. */
void policy_push_task(lua_State *L, const struct policy_view *v, bool now)
{
	const struct task *t = v->task;

	lua_createtable(L, 0, 13);
	script_set_str(L, "job", v->job->id);
	script_set_i64(L, "n", t->n);
	script_set_i64(L, "attempt", t->attempt);
	script_set_i64(L, "tries", t->tries);
	script_set_i64(L, "free", t->free);
	script_set_i64(L, "lost", t->lost);
	script_set_i64(L, "retries", v->retries);
	script_set_str(L, "state", task_state_name(t->state));
	script_set_str(L, "node", t->node);
	if (now) {
		script_set_str(L, "label", t->label);
		script_set_str(L, "reason", t->reason);
	}
	script_set_json(L, "class", v->class);
	script_set_json(L, "parameters", v->parameters && *v->parameters ? v->parameters : "{}");
	sandbox_read_only(L);
}

void policy_push_attempt(lua_State *L, const struct policy_view *v, bool same)
{
	static const char *const later[] = { "verdict", NULL };

	rows_push_attempt(L, v->attempt);
	drop(L, later);
	if (same)
		script_set_i64(L, "same", MAX(v->same, 1));
	sandbox_read_only(L);
}

void policy_push_job(lua_State *L, const struct job *j)
{
	lua_createtable(L, 0, 10);
	script_set_str(L, "id", j->id);
	script_set_i64(L, "n", j->n);
	script_set_i64(L, "priority", j->priority);
	script_set_i64(L, "max_running", j->max_running);
	script_set_i64(L, "submitted", j->t);
	script_set_str(L, "user", j->user);
	script_set_str(L, "cluster", j->cluster);
	script_set_json(L, "info", j->info && *j->info ? j->info : "{}");
	sandbox_read_only(L);
}

void policy_push_node(lua_State *L, const struct node *n)
{
	static const char *const internal[] = { "v", "beat", NULL };

	rows_push_node(L, n);
	drop(L, internal);
	sandbox_read_only(L);
}

void policy_push_scale(lua_State *L, const struct policy_scale *s)
{
	lua_createtable(L, 0, 8);
	script_set_i64(L, "pending", s->pending);
	script_set_i64(L, "running", s->running);
	script_set_i64(L, "nodes", s->nodes);
	script_set_i64(L, "wanted", s->wanted);
	script_set_num(L, "oldest_pending", (double)s->oldest_pending_ms / 1000);
	script_set_num(L, "node_hours", (double)s->node_ms / 3600000);
	if (s->job) {
		policy_push_job(L, s->job);
		lua_setfield(L, -2, "job");
	}
	sandbox_read_only(L);
}

void policy_push_event(lua_State *L, const struct policy_event *e)
{
	lua_createtable(L, 0, 6);
	script_set_str(L, "kind", e->kind);
	script_set_str(L, "text", e->text);
	script_set_json(L, "counts", e->counts);
	policy_push_job(L, e->job);
	lua_setfield(L, -2, "job");
	if (e->view) {
		policy_push_task(L, e->view, true);
		lua_setfield(L, -2, "task");
	}
	if (e->view && e->view->attempt) {
		policy_push_attempt(L, e->view, false);
		lua_setfield(L, -2, "attempt");
	}
	sandbox_read_only(L);
}
