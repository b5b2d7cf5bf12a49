#include "script/policy_lua.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/log.h"
#include "model/class.h"
#include "model/units.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/embed.h"
#include "script/json.h"
#include "script/rows.h"
#include "script/sandbox.h"

enum {
	BODY_MS = 500,  /* the file itself */
	HOOK_MS = 100,
	ERRORS_MAX = 3, /* in a row, then the policy is off */
};

struct policy_lua {
	struct policy base;
	char *name;
	char *text;
	size_t n;
	struct script *s; /* NULL: to be built before the next hook; its table is at index 1 */
	int errors;       /* in a row */
};

static struct policy_lua *policy_lua_of(struct policy *base)
{
	return container_of(base, struct policy_lua, base);
}

/* ---- the state -------------------------------------------------------------------------- */

/* Runs protected: the policy's table (1) holds known hooks only. */
static int check_hooks(lua_State *L)
{
	static const char *const hooks[] = { "on_task_failed", "on_task_lost", "scale", NULL };

	if (!lua_istable(L, 1))
		return luaL_error(L, "a policy file returns a table of hooks, not a %s",
				  luaL_typename(L, 1));
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
		const char *near;
		bool known = false;

		for (size_t i = 0; hooks[i]; i++)
			known = known || strcmp(hooks[i], name) == 0;
		near = known ? NULL : script_nearest(name, hooks);
		if (!known && near)
			return luaL_error(L, "no hook is called '%s' (did you mean '%s'?)", name,
					  near);
		if (!known)
			return luaL_error(L, "no hook is called '%s'", name);
		if (!lua_isfunction(L, -1))
			return luaL_error(L, "'%s' is no function", name);
	}
	return 0;
}

static int build(struct policy_lua *p, struct err *err)
{
	struct script *s = sandbox_new(err);

	if (!s)
		return -1;
	if (sandbox_load(s, p->name, p->text, p->n, err) < 0 ||
	    sandbox_call(s, 0, 1, BODY_MS, err) < 0)
		goto fail;
	lua_settop(s->L, 1);
	lua_pushcfunction(s->L, check_hooks);
	lua_pushvalue(s->L, 1);
	if (sandbox_call(s, 1, 0, HOOK_MS, err) < 0 || sandbox_seal(s, err) < 0)
		goto fail;
	p->s = s;
	return 0;
fail:
	script_free(s);
	return -1;
}

static void tear_down(struct policy_lua *p)
{
	script_free(p->s);
	p->s = NULL;
}

/* Calls body(hooks, ctx) in the state; whatever breaks costs the state. */
static int run(struct policy_lua *p, lua_CFunction body, void *ctx, struct err *err)
{
	int ret = -1;

	if (p->errors >= ERRORS_MAX)
		return err_set(err, ERR_SCRIPT, "policy %s is off after %d errors in a row",
			       p->name,
			       p->errors);
	if (p->s || build(p, err) == 0) {
		lua_pushcfunction(p->s->L, body);
		lua_pushvalue(p->s->L, 1);
		lua_pushlightuserdata(p->s->L, ctx);
		ret = sandbox_call(p->s, 2, 0, HOOK_MS, err);
	}
	if (ret == 0) {
		p->errors = 0;
		lua_settop(p->s->L, 1);
		return 0;
	}
	tear_down(p);
	err_prefix(err, "policy %s", p->name);
	if (++p->errors >= ERRORS_MAX)
		log_warn("%s; after %d errors in a row it is off, the built-in one decides",
			 err->text,
			 p->errors);
	return -1;
}

/* ---- views ------------------------------------------------------------------------------ */

struct hook_call {
	const struct policy_view *view;
	const struct node *node;            /* task_lost only */
	const struct policy_scale *scale;   /* scale only */
	struct policy_verdict *verdict;
	int64_t target;
	bool stock;                         /* the hook is absent or had no opinion */
	struct class class;                 /* the class asked for by `with` */
	bool other_class;
};

/* The functions below raise; they run inside run(). */

static void push_attempt_view(lua_State *L, const struct policy_view *v)
{
	rows_push_attempt(L, v->attempt);
	if (v->same)
		script_set_i64(L, "same", v->same);
	sandbox_read_only(L);
}

static void push_task_view(lua_State *L, const struct policy_view *v)
{
	rows_push_task(L, v->task);
	script_set_str(L, "job", v->job->id);
	script_set_i64(L, "retries", v->retries);
	lua_pushnil(L);
	lua_setfield(L, -2, "class");
	script_set_json(L, "class", v->class);
	script_set_json(L, "parameters", v->parameters && *v->parameters ? v->parameters : "{}");
	sandbox_read_only(L);
}

static void push_job_view(lua_State *L, const struct policy_view *v)
{
	const struct job *j = v->job;

	lua_createtable(L, 0, 8);
	script_set_str(L, "id", j->id);
	script_set_i64(L, "n", j->n);
	script_set_i64(L, "priority", j->priority);
	script_set_str(L, "user", j->user);
	script_set_str(L, "cluster", j->cluster);
	script_set_json(L, "info", j->info);
	sandbox_read_only(L);
}

/* [-0, +1] The hook of this name; false (and nothing pushed) when the policy has none. */
static bool push_hook(lua_State *L, const char *name)
{
	lua_getfield(L, 1, name);
	if (lua_isfunction(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

/* ---- verdicts --------------------------------------------------------------------------- */

static int64_t check_after(lua_State *L, int idx)
{
	struct err err = ERR_INIT;
	int64_t ms = 0;

	if (lua_type(L, idx) == LUA_TSTRING) {
		if (units_duration(lua_tostring(L, idx), &ms, &err) < 0)
			luaL_error(L, "after: %s", err.text);
	} else if (lua_type(L, idx) != LUA_TNUMBER ||
		   !script_seconds_to_ms(lua_tonumber(L, idx), &ms)) {
		luaL_error(L, "after: seconds expected");
	}
	return ms;
}

/* The table `with` on top, laid over the task's class. */
static void read_with(lua_State *L, struct hook_call *c)
{
	struct err err = ERR_INIT;
	int with = lua_gettop(L);

	if (class_parse_json(c->view->class && *c->view->class ? c->view->class : "{}", &c->class,
			     &err) < 0)
		luaL_error(L, "%s", err.text);
	for (lua_pushnil(L); lua_next(L, with); lua_settop(L, with + 1)) {
		const char *name, *value;

		if (lua_type(L, -2) != LUA_TSTRING ||
		    (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER))
			luaL_error(L, "with: names and amounts expected");
		name = lua_tostring(L, -2);
		if (lua_type(L, -1) == LUA_TNUMBER &&
		    lua_tonumber(L, -1) == floor(lua_tonumber(L, -1)) &&
		    fabs(lua_tonumber(L, -1)) < 9e15)
			lua_pushinteger(L, (lua_Integer)lua_tonumber(L, -1));
		else
			lua_pushvalue(L, -1);
		value = luaL_tolstring(L, -1, NULL);
		if (strcmp(name, "image") == 0) {
			if (snprintf(c->class.image, sizeof(c->class.image), "%s", value) >=
			    (int)sizeof(c->class.image))
				luaL_error(L, "with: the name of the image is too long");
		} else if (resources_set(&c->class.r, name, value, NULL, &err) < 0) {
			luaL_error(L, "with: %s", err.text);
		}
	}
	c->other_class = true;
}

static enum policy_action check_action(lua_State *L, int idx)
{
	static const char *const names[] = { "retry", "fail", "complete", "wait", NULL };
	static const enum policy_action actions[] = { POLICY_RETRY, POLICY_FAIL, POLICY_COMPLETE,
						      POLICY_WAIT };
	const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : NULL;

	for (size_t i = 0; name && names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return actions[i];
	if (!name)
		luaL_error(L, "an action expected (retry, fail, complete, wait), got a %s",
			   luaL_typename(L, idx));
	luaL_error(L, "no action is called '%s' (retry, fail, complete, wait)", name);
	return POLICY_FAIL;
}

/* {action, after =, free =, with =, note =} on top. */
static void read_table(lua_State *L, struct hook_call *c)
{
	struct policy_verdict *v = c->verdict;
	const char *note = NULL;
	int action = 0, after = 0, with = 0, t = lua_gettop(L);
	const struct opt opts[] = {
		{ "action", .any = &action },
		{ "after", .any = &after },
		{ "free", .flag = &v->free },
		{ "stop", .flag = &v->stop },
		{ "with", .table = &with },
		{ "note", .str = &note },
	};

	lua_newtable(L); /* a copy whose [1] is called action, for the strict reader */
	for (lua_pushnil(L); lua_next(L, t);) {
		bool first = lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1;

		if (first)
			lua_pushliteral(L, "action");
		else
			lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, t + 1);
	}
	script_options(L, t + 1, opts, ARRAY_SIZE(opts));
	if (!action)
		luaL_error(L, "a verdict needs an action: {\"retry\", after = 10}");
	v->action = check_action(L, action);
	if (after)
		v->after_ms = check_after(L, after);
	if (note)
		(void)snprintf(v->note, sizeof(v->note), "%s", note);
	if (with) {
		lua_pushvalue(L, with);
		read_with(L, c);
	}
}

/* The value on top. */
static void read_verdict(lua_State *L, struct hook_call *c)
{
	struct buf b = BUF_INIT;

	if (lua_isnil(L, -1)) {
		c->stock = true;
		return;
	}
	if (lua_istable(L, -1))
		read_table(L, c);
	else
		c->verdict->action = check_action(L, -1);
	if (c->other_class) { /* nothing raises from here on */
		class_add_json(&b, &c->class);
		c->verdict->class = buf_detach(&b);
	}
}

/* ---- hooks ------------------------------------------------------------------------------ */

static int call_failed(lua_State *L)
{
	struct hook_call *c = lua_touserdata(L, 2);

	if (!push_hook(L, "on_task_failed")) {
		c->stock = true;
		return 0;
	}
	sandbox_seed(L, c->view->task->n, c->view->attempt->k);
	push_task_view(L, c->view);
	push_attempt_view(L, c->view);
	push_job_view(L, c->view);
	lua_call(L, 3, 1);
	read_verdict(L, c);
	return 0;
}

static int call_lost(lua_State *L)
{
	struct hook_call *c = lua_touserdata(L, 2);

	if (!push_hook(L, "on_task_lost")) {
		c->stock = true;
		return 0;
	}
	sandbox_seed(L, c->view->task->n, c->view->task->attempt);
	push_task_view(L, c->view);
	rows_push_node(L, c->node);
	sandbox_read_only(L);
	push_job_view(L, c->view);
	lua_call(L, 3, 1);
	read_verdict(L, c);
	return 0;
}

static int call_scale(lua_State *L)
{
	struct hook_call *c = lua_touserdata(L, 2);
	const struct policy_scale *s = c->scale;

	if (!push_hook(L, "scale")) {
		c->stock = true;
		return 0;
	}
	sandbox_seed(L, s->pending, s->nodes);
	lua_createtable(L, 0, 6);
	script_set_i64(L, "pending", s->pending);
	script_set_i64(L, "running", s->running);
	script_set_i64(L, "nodes", s->nodes);
	script_set_i64(L, "wanted", s->wanted);
	script_set_num(L, "oldest_pending", (double)s->oldest_pending_ms / 1000);
	script_set_num(L, "node_seconds", (double)s->node_ms / 1000);
	sandbox_read_only(L);
	lua_call(L, 1, 1);
	if (lua_isnil(L, -1)) {
		c->stock = true;
		return 0;
	}
	if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0 || lua_tointeger(L, -1) > 1000000)
		return luaL_error(L, "scale answers a number of nodes or nil");
	c->target = lua_tointeger(L, -1);
	return 0;
}

static int decide(struct policy *base, lua_CFunction body, struct hook_call *c, struct err *err)
{
	struct policy_verdict *out = c->verdict;

	*out = (struct policy_verdict){ .action = POLICY_FAIL };
	if (run(policy_lua_of(base), body, c, err) < 0) {
		free(out->class);
		out->class = NULL;
		return -1;
	}
	if (c->stock)
		policy_stock(c->view, out);
	return 0;
}

static int lua_task_failed(struct policy *base, const struct policy_view *v,
			   struct policy_verdict *out, struct err *err)
{
	struct hook_call c = { .view = v, .verdict = out };

	return decide(base, call_failed, &c, err);
}

static int lua_task_lost(struct policy *base, const struct policy_view *v, const struct node *node,
			 struct policy_verdict *out, struct err *err)
{
	struct hook_call c = { .view = v, .node = node, .verdict = out };

	return decide(base, call_lost, &c, err);
}

static int lua_scale(struct policy *base, const struct policy_scale *s, int64_t *target,
		     struct err *err)
{
	struct hook_call c = { .scale = s };

	*target = -1;
	if (run(policy_lua_of(base), call_scale, &c, err) < 0)
		return -1;
	if (!c.stock)
		*target = c.target;
	return 0;
}

static void lua_close_(struct policy *base)
{
	struct policy_lua *p = policy_lua_of(base);

	tear_down(p);
	free(p->name);
	free(p->text);
	free(p);
}

struct policy *policy_lua_new_text(const char *name, const char *text, size_t n, struct err *err)
{
	static const struct policy_ops ops = {
		.name = "lua", .task_failed = lua_task_failed, .task_lost = lua_task_lost,
		.scale = lua_scale, .close = lua_close_,
	};
	struct policy_lua *p = xcalloc(1, sizeof(*p));

	p->base.ops = &ops;
	p->name = xstrdup(name);
	p->text = xmemdup(text, n);
	p->n = n;
	if (build(p, err) < 0) {
		err_prefix(err, "policy %s", name);
		lua_close_(&p->base);
		return NULL;
	}
	return &p->base;
}

struct policy *policy_lua_new(const char *path, struct err *err)
{
	const struct embedded *e = embedded_find(path);
	char *name;
	struct policy *p;

	if (!e) {
		err_set(err, ERR_SCRIPT, "no policy %s is part of kubeque", path);
		return NULL;
	}
	name = xasprintf("%s.lua", path);
	p = policy_lua_new_text(name, e->text, e->text_n, err);
	free(name);
	return p;
}
