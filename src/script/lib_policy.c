/*
 * kubeque.policy: asking the policy from a command.
 *   policy.scale{pending=, running=, nodes=, wanted=, oldest_pending=} -> how many nodes to have,
 *   or nil: no opinion
 */
#include "work/policy.h"

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/session.h"

static int policy_scale_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct policy_scale s = { 0 };
	const struct opt opts[] = {
		{ "pending", .i64 = &s.pending },
		{ "running", .i64 = &s.running },
		{ "nodes", .i64 = &s.nodes },
		{ "wanted", .i64 = &s.wanted },
		{ "oldest_pending", .ms = &s.oldest_pending_ms },
	};
	struct policy *p;
	int64_t target;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	p = session_policy(L, &err);
	if (!p || policy_scale(p, &s, &target, &err) < 0)
		return script_fail(L, &err);
	if (target < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, target);
	return 1;
}

static const luaL_Reg policy_functions[] = {
	{ "scale", policy_scale_ },
	{ NULL, NULL },
};

void lib_policy(lua_State *L)
{
	script_lib(L, "policy", policy_functions);
}
