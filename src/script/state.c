#include "script/state.h"

#include <string.h>

#include "base/base.h"
#include "script/call.h"
#include "script/embed.h"
#include "script/libs.h"
#include "script/session.h"

int64_t script_fail_at;

static void *script_alloc(void *ud, void *p, size_t old, size_t size)
{
	struct script *s = ud;
	void *q;

	if (!p)
		old = 0; /* then it is a type, not a size */
	if (size == 0) {
		free(p);
		s->used -= old;
		return NULL;
	}
	if (size > old) {
		if (s->cap && s->used - old + size > s->cap)
			return NULL;
		if (size >= SCRIPT_LARGE && s->large && !s->large(s))
			return NULL;
		if (script_fail_at == 1)
			return NULL;
		script_fail_at -= script_fail_at > 1;
	}
	q = realloc(p, size);
	if (!q)
		return NULL;
	s->used += size - old;
	return q;
}

/* Only an error outside of any protected call gets here: a bug. */
static int script_panic(lua_State *L)
{
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";

	(void)fprintf(stderr, "kubeque: unprotected Lua error: %s\n", text);
	return 0;
}

struct script *script_new(size_t cap)
{
	struct script *s = xcalloc(1, sizeof(*s));

	s->cap = cap;
	s->L = lua_newstate(script_alloc, s);
	if (!s->L) {
		free(s);
		return NULL;
	}
	*(struct script **)lua_getextraspace(s->L) = s;
	lua_atpanic(s->L, script_panic);
	return s;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	lua_close(s->L);
	session_free(s->session);
	free(s);
}

/* raises. Compiles the script of the compiled-in set that has this path ("commands/status") and
 * leaves the function on the stack; returns false and leaves nothing when there is none. */
static bool load_embedded(lua_State *L, const char *path)
{
	const struct embedded *e = embedded_find(path);
	const char *name;

	if (!e)
		return false;
	name = lua_pushfstring(L, "@%s.lua", path);
	if (luaL_loadbufferx(L, e->code, e->code_n, name, "b") != LUA_OK)
		lua_error(L);
	lua_remove(L, -2);
	return true;
}

/*
 * The searcher of `require`: "kubeque.options" is kubeque/options.lua of the compiled-in set, else
 * the C library kubeque.options if there is one; "builtin.kubeque.options" is always the former.
 */
static int search_embedded(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *path;

	if (strncmp(name, "builtin.", 8) == 0)
		name += 8;
	path = luaL_gsub(L, name, ".", "/");
	if (load_embedded(L, path)) {
		lua_pushstring(L, path);
		return 2;
	}
	lua_pushfstring(L, "no script '%s' is part of kubeque", path);
	return 1;
}

static int load_field(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	return 1;
}

static int search_field(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	if (strncmp(name, "kubeque.", 8) == 0) {
		lua_getglobal(L, "kubeque");
		lua_pushstring(L, name + 8);
		if (lua_rawget(L, -2) == LUA_TTABLE) {
			lua_pushcclosure(L, load_field, 1);
			lua_pushstring(L, name);
			return 2;
		}
	}
	return 0;
}

/* [-0, +1] raises. The function of lua/kubeque/modules.lua that has this name. */
static void push_modules(lua_State *L, const char *name)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "kubeque.modules");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, name);
	lua_remove(L, -2);
}

static bool is_ours(const char *name)
{
	return strncmp(name, "kubeque.", 8) == 0 || strncmp(name, "builtin.", 8) == 0;
}

/* Scripts on disk: kubeque's own modules are never looked for there. */
static int search_places(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	if (is_ours(name))
		return 0;
	push_modules(L, "search");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 2);
	return 2;
}

/* The standard search on disk, once a script has set package.path. */
static int search_path(lua_State *L)
{
	lua_getglobal(L, "package");
	if (lua_getfield(L, -1, "path") != LUA_TSTRING || *lua_tostring(L, -1) == '\0')
		return 0;
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, 2);
	return 2;
}

/* The last searcher: one line that says where was looked, at the line that asked. */
static int search_ends(lua_State *L)
{
	(void)luaL_checkstring(L, 1);
	luaL_where(L, 2); /* 1 is require itself */
	push_modules(L, "missing");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	lua_concat(L, 2);
	return lua_error(L);
}

/* Where scripts come from: the folder of the script that runs and the places of scripts.lua, the
 * compiled-in set, the C libraries, package.path if a script has set it. C modules are not
 * loaded. */
static void set_searchers(lua_State *L)
{
	lua_getglobal(L, "package");
	lua_pushliteral(L, "");
	lua_setfield(L, -2, "path");
	lua_pushliteral(L, "");
	lua_setfield(L, -2, "cpath");
	lua_getfield(L, -1, "searchers"); /* preload, Lua, C, all-in-one */
	lua_geti(L, -1, 2);
	lua_pushcclosure(L, search_path, 1);
	lua_seti(L, -2, 5);
	lua_pushcfunction(L, search_places);
	lua_seti(L, -2, 2);
	lua_pushcfunction(L, search_embedded);
	lua_seti(L, -2, 3);
	lua_pushcfunction(L, search_field);
	lua_seti(L, -2, 4);
	lua_pushcfunction(L, search_ends);
	lua_seti(L, -2, 6);
	lua_pop(L, 2);
}

static int host_body(lua_State *L)
{
	lua_pushboolean(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV"); /* LUA_PATH and the like mean nothing */
	luaL_openlibs(L);
	set_searchers(L);
	libs_open(L);
	return 0;
}

struct script *script_host_new(struct err *err)
{
	struct script *s = script_new(0);

	if (!s) {
		err_set(err, ERR_SCRIPT, "not enough memory for Lua");
		return NULL;
	}
	lua_pushcfunction(s->L, host_body);
	if (script_call(s->L, 0, 0, err) < 0) {
		script_free(s);
		return NULL;
	}
	return s;
}
