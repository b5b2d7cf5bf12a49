#include "script/session.h"

#include "base/base.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/state.h"

struct session *session_get(lua_State *L, struct err *err)
{
	struct session *s = script_of(L)->session;

	if (!s)
		err_set(err, ERR_USAGE, "no store is open (kubeque.session{home=...} first)");
	return s;
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

/* kubeque.session{home=, prefix=, cas=, cluster=, lease=, create=, read_only=} -> true */
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
