/* What hooks are given: copies of the rows, read-only. */
#include <string.h>

#include "base/base.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/policy_impl.h"
#include "script/rows.h"
#include "script/sandbox_view.h"

enum { ARGV_MAX = 16 << 10 }; /* bytes of a command line that hooks are shown */

/* Takes fields away that a later question (policy test) could not be given again. */
static void drop(lua_State *L, const char *const *names)
{
	for (; *names; names++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *names);
	}
}

static bool same_text(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static void push_class(lua_State *L, struct view_cache *c, const char *class)
{
	struct err err = ERR_INIT;

	if (same_text(c->class, class)) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, c->class_view);
		return;
	}
	if (script_push_json(L, class, strlen(class), &err) < 0)
		luaL_error(L, "class: %s", err.text);
	sandbox_read_only(L);
	lua_pushvalue(L, -1);
	if (c->class) {
		lua_rawseti(L, LUA_REGISTRYINDEX, c->class_view);
		free(c->class);
	} else {
		c->class_view = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	c->class = xstrdup(class);
}

/* Nothing that a later question (policy test) could not be given again. */
void policy_push_task(lua_State *L, struct view_cache *c, const struct policy_view *v, bool now)
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
	push_class(L, c, v->class && *v->class ? v->class : "{}");
	lua_setfield(L, -2, "class");
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

/* Of a command line that is long, the first words: events are sent around. The job is on top. */
static void shorten_argv(lua_State *L)
{
	int top = lua_gettop(L);
	size_t bytes = 0;
	lua_Integer n, i;

	if (lua_getfield(L, top, "info") == LUA_TTABLE &&
	    lua_getfield(L, top + 1, "argv") == LUA_TTABLE) {
		n = (lua_Integer)lua_rawlen(L, top + 2);
		for (i = 1; i <= n; i++) {
			lua_rawgeti(L, top + 2, i);
			bytes += lua_rawlen(L, -1) + 1;
			lua_pop(L, 1);
			if (bytes > ARGV_MAX)
				break;
		}
		for (lua_Integer k = n; k > i; k--) {
			lua_pushnil(L);
			lua_rawseti(L, top + 2, k);
		}
		if (i <= n) {
			lua_pushliteral(L, "...");
			lua_rawseti(L, top + 2, i);
		}
	}
	lua_settop(L, top);
}

static bool same_job(const struct job *a, const struct job *b)
{
	return a->born == b->born && a->n == b->n && a->priority == b->priority &&
	       a->max_running == b->max_running && a->t == b->t && strcmp(a->id, b->id) == 0 &&
	       same_text(a->info, b->info);
}

static void remember_job(lua_State *L, struct view_cache *c, const struct job *j)
{
	lua_pushvalue(L, -1);
	if (c->job.info) {
		lua_rawseti(L, LUA_REGISTRYINDEX, c->job_view);
		free(c->job.info);
	} else {
		c->job_view = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	c->job = (struct job){ .born = j->born, .n = j->n, .priority = j->priority,
			       .max_running = j->max_running, .t = j->t };
	memcpy(c->job.id, j->id, sizeof(c->job.id));
	c->job.info = xstrdup(j->info);
}

void policy_push_job(lua_State *L, struct view_cache *c, const struct job *j)
{
	if (same_job(&c->job, j)) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, c->job_view);
		return;
	}
	lua_createtable(L, 0, 10);
	script_set_str(L, "id", j->id);
	script_set_i64(L, "n", j->n);
	script_set_i64(L, "priority", j->priority);
	script_set_i64(L, "max_running", j->max_running);
	script_set_i64(L, "submitted", j->t);
	script_set_str(L, "user", j->user);
	script_set_str(L, "cluster", j->cluster);
	script_set_json(L, "info", j->info && *j->info ? j->info : "{}");
	shorten_argv(L);
	sandbox_read_only(L);
	if (j->info)
		remember_job(L, c, j);
}

void policy_forget_views(struct view_cache *c)
{
	free(c->job.info);
	free(c->class);
	*c = (struct view_cache){ .class = NULL };
}

void policy_push_node(lua_State *L, const struct node *n)
{
	static const char *const internal[] = { "v", "beat", NULL };

	rows_push_node(L, n);
	drop(L, internal);
	sandbox_read_only(L);
}

void policy_push_scale(lua_State *L, struct view_cache *c, const struct policy_scale *s)
{
	lua_createtable(L, 0, 8);
	script_set_i64(L, "pending", s->pending);
	script_set_i64(L, "running", s->running);
	script_set_i64(L, "nodes", s->nodes);
	script_set_i64(L, "wanted", s->wanted);
	script_set_num(L, "oldest_pending", (double)s->oldest_pending_ms / 1000);
	script_set_num(L, "node_hours", (double)s->node_ms / 3600000);
	if (s->job) {
		policy_push_job(L, c, s->job);
		lua_setfield(L, -2, "job");
	}
	sandbox_read_only(L);
}

void policy_push_event(lua_State *L, struct view_cache *c, const struct policy_event *e)
{
	lua_createtable(L, 0, 6);
	script_set_str(L, "kind", e->kind);
	script_set_i64(L, "time", e->time);
	script_set_str(L, "text", e->text);
	script_set_json(L, "counts", e->counts);
	policy_push_job(L, c, e->job);
	lua_setfield(L, -2, "job");
	if (e->view) {
		policy_push_task(L, c, e->view, true);
		lua_setfield(L, -2, "task");
	}
	if (e->view && e->view->attempt) {
		policy_push_attempt(L, e->view, false);
		lua_setfield(L, -2, "attempt");
	}
	sandbox_read_only(L);
}
