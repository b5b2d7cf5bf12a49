/*
 * kubeque.nodes: starting and stopping consumers.
 *   nodes.add{cluster=, count=, first=, job=, args={...}} -> list of {id =, state =, log =}
 *   nodes.list([cluster]) -> the same for those that run
 *   nodes.stop(id[, force]) -> true; drains, or with force ends at once
 */
#include "nodes/nodes.h"

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/session.h"

#define PROVIDER_META "kubeque.provider"

static void push_node(lua_State *L, const void *p)
{
	const struct provider_node *n = p;

	lua_createtable(L, 0, 3);
	script_set_str(L, "id", n->id);
	script_set_str(L, "state", n->state);
	script_set_str(L, "log", n->log);
}

static int add_node(void *ctx, const struct provider_node *n)
{
	return script_list_add(ctx, push_node, n);
}

static int close_provider(lua_State *L)
{
	struct nodes **p = luaL_checkudata(L, 1, PROVIDER_META);

	nodes_close(*p);
	*p = NULL;
	return 0;
}

/* [-0, +1] The provider, closed when the function returns or raises. NULL with err. */
static struct nodes *provider(lua_State *L, const char *const *args, struct err *err)
{
	struct nodes **p = lua_newuserdatauv(L, sizeof(struct nodes *), 0);
	struct session *s = session_get(L, err);

	*p = NULL;
	luaL_setmetatable(L, PROVIDER_META);
	lua_toclose(L, -1);
	if (s)
		*p = nodes_local_new(s->home, args);
	return *p;
}

static int nodes_add_(lua_State *L)
{
	static const char *const none[] = { NULL };
	struct err err = ERR_INIT;
	struct nodes_request r = { .cluster = NULL };
	const char *const *args = none;
	int table = 0;
	int64_t count = 1;
	const struct opt opts[] = {
		{ "cluster", .str = &r.cluster },
		{ "count", .i64 = &count, .lo = 1, .hi = 10000 },
		{ "first", .flag = &r.first },
		{ "job", .str = &r.job },
		{ "args", .table = &table },
	};
	struct script_list list;
	struct nodes *p;
	size_t n;
	int ret;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	r.count = (int)count;
	if (table)
		args = script_check_strings(L, table, &n);
	p = provider(L, args, &err);
	if (!p)
		return script_fail(L, &err);
	if (!r.cluster)
		r.cluster = session_get(L, &err)->cluster;
	script_list_begin(&list, L);
	ret = nodes_add(p, &r, add_node, &list, &err);
	return script_list_give(&list, ret, &err);
}

static int nodes_list_(lua_State *L)
{
	struct err err = ERR_INIT;
	const char *cluster = script_opt_text(L, 1, NULL);
	struct script_list list;
	struct nodes *p = provider(L, NULL, &err);
	int ret;

	if (!p)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	ret = nodes_list(p, cluster, add_node, &list, &err);
	return script_list_give(&list, ret, &err);
}

static int nodes_stop_(lua_State *L)
{
	struct err err = ERR_INIT;
	const char *id = script_check_text(L, 1);
	struct nodes *p = provider(L, NULL, &err);
	int found = p ? nodes_remove(p, id, lua_toboolean(L, 2), &err) : -1;

	if (found == 0)
		err_set(&err, ERR_NOT_FOUND, "no node %s (kubeque nodes lists them)", id);
	if (found <= 0)
		return script_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static const luaL_Reg nodes_functions[] = {
	{ "add", nodes_add_ },
	{ "list", nodes_list_ },
	{ "stop", nodes_stop_ },
	{ NULL, NULL },
};

void lib_nodes(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, PROVIDER_META, none, close_provider);
	script_lib(L, "nodes", nodes_functions);
}
