/* What hooks answer about a task or a submission. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "base/buf.h"
#include "model/class.h"
#include "model/units.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/policy_impl.h"

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

	if (class_parse_json(c->view->class && *c->view->class ? c->view->class : "{}", c->class,
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
			if (snprintf(c->class->image, sizeof(c->class->image), "%s", value) >=
			    (int)sizeof(c->class->image))
				luaL_error(L, "with: the name of the image is too long");
		} else if (resources_set(&c->class->r, name, value, NULL, &err) < 0) {
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

/* {action, after =, free =, elsewhere =, with =, stop =, note =} on top. */
static void read_table(lua_State *L, struct hook_call *c)
{
	struct policy_verdict *v = c->verdict;
	const char *note = NULL;
	int action = 0, after = 0, with = 0, t = lua_gettop(L);
	const struct opt opts[] = {
		{ "action", .any = &action },
		{ "after", .any = &after },
		{ "free", .flag = &v->free },
		{ "elsewhere", .flag = &v->elsewhere },
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
void policy_read_verdict(lua_State *L, struct hook_call *c)
{
	struct class class;
	struct buf b = BUF_INIT;

	c->class = &class;
	if (lua_isnil(L, -1)) {
		c->stock = true;
		return;
	}
	if (lua_istable(L, -1))
		read_table(L, c);
	else
		c->verdict->action = check_action(L, -1);
	if (c->other_class) { /* nothing raises from here on */
		class_add_json(&b, &class);
		c->verdict->class = buf_detach(&b);
	}
}

/* ---- on_submit ---------------------------------------------------------------------------- */

void policy_read_submit(lua_State *L, struct hook_call *c, int given)
{
	int job = lua_gettop(L) - 1, why = job + 1;

	buf_clear(c->text);
	if (lua_istable(L, job) && lua_isnil(L, why)) {
		script_add_json(L, job, c->text, POLICY_JOB_MAX);
		return;
	}
	if (lua_toboolean(L, job))
		luaL_error(L, "nil, the changed job, or nil and why it is refused expected, got a "
			   "%s", luaL_typename(L, job));
	if (lua_type(L, why) == LUA_TSTRING) {
		buf_adds(c->text, lua_tostring(L, why));
		c->refused = true;
		return;
	}
	if (!lua_isnil(L, why))
		luaL_error(L, "why the job is refused is a text, not a %s", luaL_typename(L, why));
	script_add_json(L, given, c->text, POLICY_JOB_MAX);
	if (c->text->n != c->before->n || memcmp(c->text->p, c->before->p, c->text->n) != 0)
		luaL_error(L, "the job was changed but not returned: end with `return job`");
	buf_clear(c->text);
	c->stock = true;
}
