/*
 * kubeque.policies: asking policies from a command.
 *   policies.scale{job=, nodes=, wanted=} -> how many nodes to have by the policy of that job
 *   (born), or nil: no opinion
 *   policies.scale{pending=, running=, nodes=, wanted=, oldest_pending=, node_hours=}: by the stock
 *   one
 *   policies.check(bundle) -> [{name=, summary=, hooks=, options=, same=}] of a bundle (JSON text):
 *   its files are run, nothing is asked
 */
#include "work/policy.h"

#include <string.h>

#include "base/base.h"
#include "base/clock.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/policy_lua.h"
#include "script/session.h"
#include "work/scale.h"

/* ---- scale -------------------------------------------------------------------------------- */

static int scale(lua_State *L, struct policy_scale *s, int64_t born, int64_t *target,
		 struct err *err)
{
	struct policy *p = session_policy(L, err);
	struct policy_scale given;
	struct queue *q;
	struct job job;
	int ret;

	if (!p || !born)
		return p ? policy_scale(p, s, target, err) : -1;
	q = session_queue(L, err);
	ret = q ? queue_job_get(q, born, &job, err) : -1;
	if (ret <= 0)
		return ret < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "there is no such job");
	given = *s;
	ret = scale_state(q, &job, given.nodes, clock_wall_ms(), s, err);
	if (given.wanted)
		s->wanted = given.wanted;
	if (ret >= 0)
		ret = policy_scale(p, s, target, err);
	if (ret >= 0 && *target >= 0)
		*target = scale_clamp(s, *target);
	s->job = NULL;
	job_release(&job);
	return ret;
}

static int scale_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct policy_scale s = { .pending = 0 };
	int64_t born = 0, target = -1;
	double hours = 0;
	const struct opt opts[] = {
		{ "job", .i64 = &born, .lo = 1 },
		{ "pending", .i64 = &s.pending },
		{ "running", .i64 = &s.running },
		{ "nodes", .i64 = &s.nodes },
		{ "wanted", .i64 = &s.wanted },
		{ "oldest_pending", .ms = &s.oldest_pending_ms },
		{ "node_hours", .num = &hours, .hi = 1000000000 },
	};

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	s.node_ms = (int64_t)(hours * 3600000);
	if (scale(L, &s, born, &target, &err) < 0)
		return script_fail(L, &err);
	if (target < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, target);
	return 1;
}

/* ---- check -------------------------------------------------------------------------------- */

static int check_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct buf *out;
	struct policy *p;
	const char *text;
	size_t n;
	int ret = -1;

	text = luaL_checklstring(L, 1, &n);
	out = script_new_buf(L);
	p = policy_lua_bundle(text, n, &err);
	if (p)
		ret = policy_lua_describe(p, out, &err);
	policy_close(p);
	if (ret < 0 || script_push_json(L, out->p, out->n, &err) < 0)
		return script_fail(L, &err);
	return 1;
}

static const luaL_Reg policies_functions[] = {
	{ "check", check_ },
	{ "scale", scale_ },
	{ NULL, NULL },
};

void lib_policies(lua_State *L)
{
	script_lib(L, "policies", policies_functions);
}
