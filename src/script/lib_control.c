/*
 * kubeque.control: what users do to jobs and nodes (work/control.h).
 *   control.kill(born[, ranges[, keep]]) -> tasks killed, is a node needed. Unless `keep`, nodes of
 *   the cluster that are left without work leave.
 *   control.reset(born, {ranges=, states=, owner=, class=}) -> tasks that are pending again.
 *   states: "failed" (failed(...)), "complete" (complete(code other than 0)), "killed",
 *   "succeeded", "claimed" (of nodes that are dead for certain); class: JSON text.
 *   control.remove(born, {results=, force=}) -> true
 *   control.drain(node) -> true, or false: no such node
 *   control.ring_nodes()
 */
#include "work/control.h"

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/ranges.h"
#include "script/session.h"

/* 0, or -1 with err: there is no store. */
static int control_of(lua_State *L, struct control *c, struct err *err)
{
	struct session *s = session_get(L, err);

	*c = (struct control){ .queue = s ? session_queue(L, err) : NULL };
	if (!c->queue)
		return -1;
	c->home = s->home;
	c->policy = session_policy(L, err);
	return c->policy ? 0 : -1;
}

static int control_kill_(lua_State *L)
{
	int64_t born = script_check_born(L, 1), count = 0;
	const char *text = script_opt_text(L, 2, NULL);
	bool keep = lua_toboolean(L, 3), woken = false;
	struct err err = ERR_INIT;
	struct ranges ranges = RANGES_INIT;
	struct session *s = session_get(L, &err);
	struct control c;

	if (!s || control_of(L, &c, &err) < 0)
		return script_fail(L, &err);
	if (text && script_ranges(L, text, &ranges, &err) < 0)
		return script_fail(L, &err);
	if (control_kill(&c, born, &ranges, &count, &err) < 0)
		return script_fail(L, &err);
	if (!keep && control_release_nodes(&c, s->cluster, &woken, &err) < 0)
		return script_fail(L, &err);
	lua_pushinteger(L, count);
	lua_pushboolean(L, woken);
	return 2;
}

static int control_reset_(lua_State *L)
{
	struct control_reset r = { .born = script_check_born(L, 1) };
	const char *text = NULL;
	int64_t count = 0;
	int states = 0;
	const struct opt opts[] = {
		{ "ranges", .str = &text },
		{ "states", .table = &states, .required = true },
		{ "owner", .str = &r.owner },
		{ "class", .str = &r.class },
	};
	struct err err = ERR_INIT;
	struct control c;

	script_options(L, 2, opts, ARRAY_SIZE(opts));
	r.what = script_check_states(L, states, control_reset_word);
	if (control_of(L, &c, &err) < 0)
		return script_fail(L, &err);
	if (text && script_ranges(L, text, &r.ranges, &err) < 0)
		return script_fail(L, &err);
	if (control_reset(&c, &r, &count, &err) < 0)
		return script_fail(L, &err);
	lua_pushinteger(L, count);
	return 1;
}

static int control_remove_(lua_State *L)
{
	int64_t born = script_check_born(L, 1);
	bool results = false, force = false;
	const struct opt opts[] = {
		{ "results", .flag = &results },
		{ "force", .flag = &force },
	};
	struct err err = ERR_INIT;
	struct control c;

	script_options(L, 2, opts, ARRAY_SIZE(opts));
	if (control_of(L, &c, &err) < 0 || control_remove(&c, born, force, results, &err) < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static int control_drain_(lua_State *L)
{
	const char *node = script_check_text(L, 1);
	struct err err = ERR_INIT;
	struct control c;
	int found = control_of(L, &c, &err) < 0 ? -1 : control_drain(&c, node, &err);

	if (found < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, found);
	return 1;
}

static int control_ring_nodes_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct control c;

	if (control_of(L, &c, &err) < 0)
		return script_fail(L, &err);
	control_ring_nodes(&c);
	lua_pushboolean(L, 1);
	return 1;
}

static const luaL_Reg control_functions[] = {
	{ "drain", control_drain_ },
	{ "kill", control_kill_ },
	{ "remove", control_remove_ },
	{ "reset", control_reset_ },
	{ "ring_nodes", control_ring_nodes_ },
	{ NULL, NULL },
};

void lib_control(lua_State *L)
{
	script_lib(L, "control", control_functions);
}
