/*
 * kubeque.json: integers keep all 64 bits, texts are as they are, objects are written with sorted
 * keys so that equal values give equal bytes.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/buf.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/sandbox.h"
#include "script/sandbox_view.h"
#include "script/state.h"

#define ARRAY_META "kubeque.json.array"
#define BUF_META "kubeque.buf"
enum { DEPTH_MAX = 200, SANDBOX_JSON = 1 << 20, LOOK = 16 };

/* ---- decoding --------------------------------------------------------------------------- */

static void push_value(lua_State *L, json_t *v)
{
	luaL_checkstack(L, 4, "JSON nested too deep");
	switch (json_typeof(v)) {
	case JSON_OBJECT: {
		json_t *item;
		const char *key;
		void *iter = json_object_iter(v);

		lua_createtable(L, 0, (int)MIN(json_object_size(v), 1000000));
		for (; iter; iter = json_object_iter_next(v, iter)) {
			key = json_object_iter_key(iter);
			item = json_object_iter_value(iter);
			lua_pushlstring(L, key, json_object_iter_key_len(iter));
			push_value(L, item);
			lua_rawset(L, -3);
		}
		return;
	}
	case JSON_ARRAY:
		lua_createtable(L, (int)MIN(json_array_size(v), 1000000), 0);
		luaL_setmetatable(L, ARRAY_META);
		for (size_t i = 0; i < json_array_size(v); i++) {
			push_value(L, json_array_get(v, i));
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		return;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(v), json_string_length(v));
		return;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(v));
		return;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(v));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(v));
		return;
	case JSON_NULL:
		lua_pushlightuserdata(L, NULL);
		return;
	}
}

static void push_json(lua_State *L, const void *p)
{
	json_t *const *v = p;

	push_value(L, *v);
}

int script_push_json(lua_State *L, const char *text, size_t n, struct err *err)
{
	json_error_t why;
	json_t *v;
	int ret;

	luaL_checkstack(L, 6, NULL);
	v = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (!v)
		return err_set(err, ERR_USAGE, "not JSON: line %d, column %d: %s", why.line,
			       why.column, why.text);
	ret = script_push(L, push_json, &v);
	json_decref(v);
	if (ret < 0)
		lua_error(L);
	return 0;
}

void script_set_json(lua_State *L, const char *name, const char *text)
{
	struct err err = ERR_INIT;

	if (!text || !*text)
		return;
	if (script_push_json(L, text, strlen(text), &err) < 0)
		luaL_error(L, "%s: %s", name, err.text);
	lua_setfield(L, -2, name);
}

static int json_decode_(lua_State *L)
{
	struct err err = ERR_INIT;
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);

	sandbox_tick(L);
	if (script_of(L)->sandbox && n > SANDBOX_JSON)
		return luaL_error(L, "JSON: more than %d KiB", SANDBOX_JSON / 1024);
	if (script_push_json(L, text, n, &err) < 0)
		return script_fail(L, &err);
	return 1;
}

/* ---- encoding --------------------------------------------------------------------------- */

struct encoder {
	lua_State *L;
	struct buf *out;
	int indent;
	size_t limit; /* length of out that is too much */
	unsigned values;
};

static void encode(struct encoder *e, int idx, int depth);

/* raises when so many bytes more are too many. */
static void too_much(const struct encoder *e, size_t more)
{
	if (e->out->n > e->limit || more > e->limit - e->out->n)
		luaL_error(e->L, "JSON: more than %d KiB", (int)(e->limit / 1024));
}

static void newline(struct encoder *e, int depth)
{
	if (!e->indent)
		return;
	buf_addch(e->out, '\n');
	for (int i = 0; i < e->indent * depth; i++)
		buf_addch(e->out, ' ');
}

static void encode_number(struct encoder *e, int idx)
{
	char text[40];
	double v;

	if (lua_isinteger(e->L, idx)) {
		buf_addi(e->out, lua_tointeger(e->L, idx));
		return;
	}
	v = lua_tonumber(e->L, idx);
	if (!isfinite(v))
		luaL_error(e->L, "JSON has no word for %f", v);
	for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back */
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_adds(e->out, text);
}

/* An array is what json.array marked, or a table with an item 1 and nothing but 1..n. */
static bool is_array(lua_State *L, int idx)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, idx), count = 0;

	if (lua_getmetatable(L, idx)) {
		bool marked;

		luaL_getmetatable(L, ARRAY_META);
		marked = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
		if (marked)
			return true;
	}
	if (n == 0)
		return false;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		count++;
	return count == n;
}

static void encode_array(struct encoder *e, int idx, int depth)
{
	lua_Integer n = (lua_Integer)lua_rawlen(e->L, idx);

	buf_addch(e->out, '[');
	for (lua_Integer i = 1; i <= n; i++) {
		if (i > 1)
			buf_addch(e->out, ',');
		newline(e, depth + 1);
		lua_rawgeti(e->L, idx, i);
		encode(e, lua_gettop(e->L), depth + 1);
		lua_pop(e->L, 1);
	}
	if (n)
		newline(e, depth);
	buf_addch(e->out, ']');
}

struct key {
	const char *p; /* the table holds it */
	size_t n;
};

static int by_bytes(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int d = memcmp(x->p, y->p, MIN(x->n, y->n));

	return d ? d : (x->n > y->n) - (x->n < y->n);
}

/* [-0, +1] A userdata with the sorted keys of the table. */
static struct key *sorted_keys(lua_State *L, int idx, size_t *count)
{
	struct key *keys;
	size_t n = 0, i = 0;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "JSON: a table with names and other keys (a %s)",
				   luaL_typename(L, -2));
		n++;
	}
	keys = lua_newuserdatauv(L, (n + 1) * sizeof(*keys), 0);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		keys[i].p = lua_tolstring(L, -2, &keys[i].n);
		i++;
	}
	qsort(keys, n, sizeof(*keys), by_bytes);
	*count = n;
	return keys;
}

static void encode_object(struct encoder *e, int idx, int depth)
{
	size_t n;
	struct key *keys = sorted_keys(e->L, idx, &n);

	buf_addch(e->out, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addch(e->out, ',');
		newline(e, depth + 1);
		too_much(e, keys[i].n);
		buf_add_json(e->out, keys[i].p, keys[i].n);
		buf_adds(e->out, e->indent ? ": " : ":");
		lua_pushlstring(e->L, keys[i].p, keys[i].n);
		lua_rawget(e->L, idx);
		encode(e, lua_gettop(e->L), depth + 1);
		lua_pop(e->L, 1);
	}
	lua_pop(e->L, 1);
	if (n)
		newline(e, depth);
	buf_addch(e->out, '}');
}

static void encode(struct encoder *e, int idx, int depth)
{
	int top = lua_gettop(e->L);
	size_t n;
	const char *s;

	luaL_checkstack(e->L, 8, NULL);
	if (++e->values % LOOK == 0) /* an empty table may have been a large one */
		sandbox_tick(e->L);
	if (depth > DEPTH_MAX)
		luaL_error(e->L, "JSON: nested deeper than %d (or a table within itself)",
			   DEPTH_MAX);
	too_much(e, 0);
	switch (lua_type(e->L, idx)) {
	case LUA_TNIL:
		buf_adds(e->out, "null");
		return;
	case LUA_TBOOLEAN:
		buf_adds(e->out, lua_toboolean(e->L, idx) ? "true" : "false");
		return;
	case LUA_TNUMBER:
		encode_number(e, idx);
		return;
	case LUA_TSTRING:
		s = lua_tolstring(e->L, idx, &n);
		too_much(e, n);
		buf_add_json(e->out, s, n);
		return;
	case LUA_TTABLE:
		if (sandbox_view_data(e->L, idx))
			idx = lua_gettop(e->L);
		if (is_array(e->L, idx))
			encode_array(e, idx, depth);
		else
			encode_object(e, idx, depth);
		lua_settop(e->L, top);
		return;
	default:
		if (!lua_islightuserdata(e->L, idx) || lua_touserdata(e->L, idx))
			luaL_error(e->L, "JSON has no word for a %s", luaL_typename(e->L, idx));
		buf_adds(e->out, "null"); /* json.null */
	}
}

static int buf_close(lua_State *L)
{
	buf_release(luaL_checkudata(L, 1, BUF_META));
	return 0;
}

struct buf *script_new_buf(lua_State *L)
{
	struct buf *b = lua_newuserdatauv(L, sizeof(*b), 0);

	*b = (struct buf)BUF_INIT;
	luaL_setmetatable(L, BUF_META);
	lua_toclose(L, -1);
	return b;
}

void script_add_json(lua_State *L, int idx, struct buf *out, size_t limit)
{
	struct encoder e = { .L = L, .out = out, .limit = out->n + limit };
	int top = lua_gettop(L);

	encode(&e, idx, 0);
	if (out->n > e.limit)
		luaL_error(L, "JSON: more than %d KiB", (int)(limit / 1024));
	lua_settop(L, top);
}

/* In a sandbox a text of 64 MB could become many times that outside of its memory. */
static size_t limit_of(lua_State *L)
{
	return script_of(L)->sandbox ? SANDBOX_JSON : SIZE_MAX;
}

/* json.encode(value[, {indent = n}]) -> text */
static int json_encode_(lua_State *L)
{
	int64_t indent = 0;
	const struct opt opts[] = { { "indent", .i64 = &indent, .lo = 0, .hi = 8 } };
	struct encoder e = { .L = L, .limit = limit_of(L) };

	sandbox_tick(L);
	luaL_checkany(L, 1);
	script_options(L, 2, opts, ARRAY_SIZE(opts));
	e.indent = (int)indent;
	e.out = script_new_buf(L);
	encode(&e, 1, 0);
	lua_pushlstring(L, e.out->p, e.out->n);
	return 1;
}

/* json.array(t): t is written as [], also when it is empty. */
static int json_array_(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	luaL_setmetatable(L, ARRAY_META);
	return 1;
}

static const luaL_Reg json_functions[] = {
	{ "array", json_array_ },
	{ "decode", json_decode_ },
	{ "encode", json_encode_ },
	{ NULL, NULL },
};

void lib_json(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	luaL_newmetatable(L, ARRAY_META);
	if (script_of(L)->sandbox) { /* nobody keeps anything in it */
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
	script_metatable(L, BUF_META, none, buf_close);
	script_lib(L, "json", json_functions);
	lua_getfield(L, -1, "json");
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	lua_pop(L, 1);
}
