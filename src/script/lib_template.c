/*
 * kubeque.template: `{name}` in texts, by the rules of commands (model/template.h).
 *   template.expand(text, {name = value, ...}) -> text; nil, why, "usage" when a name is none of
 *     the row's
 *   template.shell(line, row) -> the line with each value quoted for the place where it stands
 */
#include "model/template.h"

#include "base/arena.h"
#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"

#define TEMPLATE_META "kubeque.template.call"

/* What one call owns. */
struct expansion {
	struct template t;
	struct arena arena;
};

static int close_expansion(lua_State *L)
{
	struct expansion *e = luaL_checkudata(L, 1, TEMPLATE_META);

	template_release(&e->t);
	e->t = (struct template){ 0 };
	arena_release(&e->arena);
	return 0;
}

/* raises. Names and values of the row at 2; the values' texts are kept on a list that is pushed. */
static void read_row(lua_State *L, struct expansion *e, struct str **names, struct str **values,
		     size_t *n)
{
	size_t i = 0;

	*n = 0;
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "a row is {name = value, ...}");
		(*n)++;
	}
	*names = arena_alloc(&e->arena, (*n + 1) * sizeof(**names));
	*values = arena_alloc(&e->arena, (*n + 1) * sizeof(**values));
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 2), i++) {
		struct str s;

		s.p = lua_tolstring(L, -2, &s.n);
		(*names)[i] = arena_str(&e->arena, s);
		s.p = luaL_tolstring(L, -1, &s.n);
		(*values)[i] = arena_str(&e->arena, s);
	}
}

static int expand(lua_State *L, enum template_kind kind)
{
	struct expansion *e;
	struct err err = ERR_INIT;
	struct columns columns = { 0 };
	struct str *names, *values, text;
	struct buf *out;

	text.p = luaL_checklstring(L, 1, &text.n);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	e = lua_newuserdatauv(L, sizeof(*e), 0);
	*e = (struct expansion){ 0 };
	luaL_setmetatable(L, TEMPLATE_META);
	lua_toclose(L, -1);
	read_row(L, e, &names, &values, &columns.n);
	columns.name = names;
	out = script_new_buf(L);
	if (template_compile(&e->t, text, kind, &columns, &err) < 0)
		return script_fail(L, &err);
	template_expand(&e->t, values, out);
	lua_pushlstring(L, out->n ? out->p : "", out->n);
	return 1;
}

static int template_expand_(lua_State *L)
{
	return expand(L, TEMPLATE_TEXT);
}

static int template_shell(lua_State *L)
{
	return expand(L, TEMPLATE_SHELL);
}

static const luaL_Reg template_functions[] = {
	{ "expand", template_expand_ },
	{ "shell", template_shell },
	{ NULL, NULL },
};

void lib_template(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, TEMPLATE_META, none, close_expansion);
	script_lib(L, "template", template_functions);
}
