/*
 * kubeque.materialize{cas = directory, dir = directory, inputs = list} -> true: lays inputs (as
 * manifest:inputs() and manifest:task(n).inputs list them) into a directory, as a node does.
 */
#include "cas/materialize.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "sys/file.h"

#define LAYER_META "kubeque.layer"

struct layer {
	struct cas *cas;
	int dirfd;
	struct materialize m;
	bool begun;
};

static int close_layer(lua_State *L)
{
	struct layer *l = luaL_checkudata(L, 1, LAYER_META);

	if (l->begun)
		materialize_release(&l->m);
	cas_close(l->cas);
	if (l->dirfd >= 0)
		close(l->dirfd);
	*l = (struct layer){ .dirfd = -1 };
	return 0;
}

/* [-0, +1] Closed when the function returns or raises. */
static struct layer *new_layer(lua_State *L)
{
	struct layer *l = lua_newuserdatauv(L, sizeof(*l), 0);

	*l = (struct layer){ .dirfd = -1 };
	luaL_setmetatable(L, LAYER_META);
	lua_toclose(L, -1);
	return l;
}

/* [-0, +2] The input on top of the stack; its texts stay on the stack. */
static void check_input(lua_State *L, struct materialize_file *f)
{
	int t = lua_gettop(L);

	luaL_checktype(L, t, LUA_TTABLE);
	lua_getfield(L, t, "dst");
	f->dst = luaL_checkstring(L, -1);
	lua_getfield(L, t, "sha256");
	f->sha256 = lua_tostring(L, -1);
	lua_getfield(L, t, "size");
	f->size = luaL_optinteger(L, -1, -1);
	lua_getfield(L, t, "mode");
	f->mode = (unsigned)luaL_optinteger(L, -1, 0644) & 0777;
	lua_getfield(L, t, "mtime");
	f->mtime_ns = luaL_optinteger(L, -1, 0) * 1000000;
	lua_pop(L, 3);
}

static int materialize_(lua_State *L)
{
	struct err err = ERR_INIT;
	const char *cas = NULL, *dir = NULL;
	int list = 0;
	const struct opt opts[] = {
		{ "cas", .str = &cas, .required = true },
		{ "dir", .str = &dir, .required = true },
		{ "inputs", .table = &list, .required = true },
	};
	struct layer *l;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	l = new_layer(L);
	l->dirfd = file_open_dir(AT_FDCWD, dir, &err);
	if (l->dirfd < 0)
		return script_fail(L, &err);
	l->cas = cas_open_dir(cas, true, &err);
	if (!l->cas)
		return script_fail(L, &err);
	materialize_init(&l->m, l->cas, l->dirfd);
	l->begun = true;
	for (lua_Integer i = 1; lua_rawgeti(L, list, i) == LUA_TTABLE; i++) {
		struct materialize_file f = { .size = -1 };

		check_input(L, &f);
		if (!f.sha256)
			return luaL_error(L, "input %s has no sha256", f.dst);
		if (materialize_file(&l->m, &f, &err) != MATERIALIZE_OK)
			return script_fail(L, &err);
		lua_pop(L, 3);
	}
	lua_pushboolean(L, 1);
	return 1;
}

void lib_materialize(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, LAYER_META, none, close_layer);
	lua_pushcfunction(L, materialize_);
	lua_setfield(L, -2, "materialize");
}
