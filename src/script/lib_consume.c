/*
 * kubeque.consume{cluster=, id=, first=, cap=, work_dir=, log=, lease=, heartbeat=, linger=,
 * grace=, power=} -> true: is a node until it lingered long enough or was told to leave. `cap` is
 * JSON (cpu, memory, named resources); linger -1: for ever. With the stock policy in Lua.
 */
#include "work/consumer.h"

#include "base/base.h"
#include "base/version.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/policy_router.h"
#include "script/session.h"

#define POLICY_META "kubeque.policy"

static int close_policy(lua_State *L)
{
	struct policy **p = luaL_checkudata(L, 1, POLICY_META);

	policy_close(*p);
	*p = NULL;
	return 0;
}

/* [-0, +1] option `linger`: seconds or -1. */
static int64_t check_linger(lua_State *L, double seconds)
{
	int64_t ms = 0;

	if (seconds == -1.0) /* NOLINT: exactly as documented */
		return -1;
	if (!script_seconds_to_ms(seconds, &ms))
		luaL_error(L, "option 'linger' is out of range");
	return ms;
}

static int consume_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct consumer_options o = CONSUMER_OPTIONS_INIT;
	struct session *s = session_get(L, &err);
	double linger = 30;
	struct policy **policy;
	const struct opt opts[] = {
		{ "cluster", .str = &o.cluster },
		{ "id", .str = &o.node_id },
		{ "first", .flag = &o.first },
		{ "cap", .str = &o.cap },
		{ "work_dir", .str = &o.work_dir },
		{ "log", .str = &o.log },
		{ "lease", .ms = &o.lease_ms, .lo = 100 },
		{ "heartbeat", .ms = &o.heartbeat_ms, .lo = 20 },
		{ "linger", .num = &linger },
		{ "grace", .ms = &o.grace_ms },
		{ "power", .flag = &o.power },
	};

	if (!s)
		return script_fail(L, &err);
	o.cluster = s->cluster;
	script_options(L, 1, opts, ARRAY_SIZE(opts));
	o.home = s->home;
	o.version = KUBEQUE_VERSION;
	o.linger_ms = check_linger(L, linger);
	policy = lua_newuserdatauv(L, sizeof(struct policy *), 0);
	*policy = NULL;
	luaL_setmetatable(L, POLICY_META);
	lua_toclose(L, -1);
	*policy = policy_router_new(s->home);
	o.policy = *policy;
	if (consumer_run(&o, &err) < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

void lib_consume(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, POLICY_META, none, close_policy);
	lua_pushcfunction(L, consume_);
	lua_setfield(L, -2, "consume");
}
