/*
 * kubeque.embedded: the Lua scripts compiled into the program (script/embed.h), by path below lua/
 * without the ending.
 *   embedded.list([prefix]) -> paths that begin with prefix, sorted: "commands/status", ...
 *   embedded.text(path) -> the source as written, or nil, why, "not_found"
 */
#include "script/embed.h"

#include <limits.h>
#include <string.h>

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"

static int embedded_list_(lua_State *L)
{
	const char *prefix = script_opt_text(L, 1, "");
	size_t n = strlen(prefix);
	lua_Integer count = 0;

	lua_createtable(L, (int)MIN(embedded_count, INT_MAX), 0);
	for (size_t i = 0; i < embedded_count; i++) {
		if (strncmp(embedded_set[i].path, prefix, n) != 0)
			continue;
		lua_pushstring(L, embedded_set[i].path);
		lua_rawseti(L, -2, ++count);
	}
	return 1;
}

static int embedded_text_(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	const struct embedded *e = embedded_find(path);
	struct err err = ERR_INIT;

	if (!e) {
		err_set(&err, ERR_NOT_FOUND, "no script '%s' is part of kubeque", path);
		return script_fail(L, &err);
	}
	lua_pushlstring(L, e->text, e->text_n);
	return 1;
}

static const luaL_Reg embedded_functions[] = {
	{ "list", embedded_list_ },
	{ "text", embedded_text_ },
	{ NULL, NULL },
};

void lib_embedded(lua_State *L)
{
	script_lib(L, "embedded", embedded_functions);
}
