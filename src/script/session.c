#include "script/session.h"

#include "base/base.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/state.h"

static char opener_key; /* registry: what opens the store when it is first needed */

/* Calls the opener, which answers true once it has named the store. Raises nothing. */
static int open_now(lua_State *L, struct err *err)
{
	int ret;

	if (!lua_checkstack(L, 4))
		return err_set(err, ERR_SCRIPT, "not enough memory");
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &opener_key) != LUA_TFUNCTION) {
		lua_pop(L, 1);
		return err_set(err, ERR_USAGE, "no store is open (kubeque.open() first)");
	}
	ret = script_call(L, 0, 0, err);
	if (ret == 0 && !script_of(L)->session)
		return err_set(err, ERR_NOT_FOUND, "there is no store yet: the first kubeque sub "
			       "makes one, or kubeque.open{create = true}");
	return ret;
}

struct session *session_get(lua_State *L, struct err *err)
{
	if (!script_of(L)->session && open_now(L, err) < 0)
		return NULL;
	return script_of(L)->session;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	queue_close(s->queue);
	free(s->home);
	free(s->prefix);
	free(s->cas);
	free(s->cluster);
	free(s);
}

/* kubeque.session{home=, prefix=, cas=, cluster=, lease=, create=, read_only=} -> true, or
 * kubeque.session(function) -> true: the function is called when a store is first needed */
static int session_set(lua_State *L)
{
	const char *home = "", *prefix = NULL, *cas = NULL, *cluster = "local";
	bool create = false, read_only = false;
	int64_t lease_ms = 0;
	const struct opt opts[] = {
		{ "home", .str = &home, .required = true },
		{ "prefix", .str = &prefix },
		{ "cas", .str = &cas },
		{ "cluster", .str = &cluster },
		{ "lease", .ms = &lease_ms, .lo = 100 },
		{ "create", .flag = &create },
		{ "read_only", .flag = &read_only },
	};
	struct script *script = script_of(L);
	struct session *s;

	if (lua_isfunction(L, 1)) {
		lua_settop(L, 1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &opener_key);
		lua_pushboolean(L, 1);
		return 1;
	}
	script_options(L, 1, opts, ARRAY_SIZE(opts));
	if (home[0] != '/')
		return luaL_error(L, "option 'home': an absolute path expected");
	s = xcalloc(1, sizeof(*s));
	s->home = xstrdup(home);
	s->prefix = prefix ? xstrdup(prefix) : xasprintf("%s/results", home);
	s->cas = cas ? xstrdup(cas) : xasprintf("%s/CAS", home);
	s->cluster = xstrdup(cluster);
	s->lease_ms = lease_ms;
	s->create = create;
	s->read_only = read_only;
	session_free(script->session);
	script->session = s;
	lua_pushboolean(L, 1);
	return 1;
}

void lib_session(lua_State *L)
{
	lua_pushcfunction(L, session_set);
	lua_setfield(L, -2, "session");
}
