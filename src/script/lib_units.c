/*
 * What the model knows of texts: kubeque.units, kubeque.csv, kubeque.glob, kubeque.distance,
 * kubeque.job_id_fault, kubeque.ranges, kubeque.version.
 */
#include <jansson.h>
#include <openssl/crypto.h>
#include <sqlite3.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/number.h"
#include "base/str.h"
#include "base/version.h"
#include "model/class.h"
#include "model/params.h"
#include "model/units.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/sandbox.h"
#include "script/ranges.h"

#define RANGES_META "kubeque.ranges"

static int give_buf(lua_State *L, const struct buf *b)
{
	lua_pushlstring(L, b->p, b->n);
	return 1;
}

/* units.memory("1.5G") -> bytes */
static int units_memory_(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t bytes;

	if (units_memory(script_check_text(L, 1), &bytes, &err) < 0)
		return script_fail(L, &err);
	lua_pushinteger(L, bytes);
	return 1;
}

/* units.duration("1h30m") -> seconds (an integer when it is whole) */
static int units_duration_(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t ms;

	if (units_duration(script_check_text(L, 1), &ms, &err) < 0)
		return script_fail(L, &err);
	if (ms % 1000 == 0)
		lua_pushinteger(L, ms / 1000);
	else
		lua_pushnumber(L, (double)ms / 1000);
	return 1;
}

/* units.format_bytes(1500000) -> "1.5M", for people */
static int units_format_bytes(lua_State *L)
{
	int64_t bytes = script_check_i64(L, 1, 0, INT64_MAX);
	struct buf *b = script_new_buf(L);

	units_add_bytes(b, bytes);
	return give_buf(L, b);
}

/* units.format_memory(bytes) -> exact, reads back to the same */
static int units_format_memory(lua_State *L)
{
	int64_t bytes = script_check_i64(L, 1, 0, INT64_MAX);
	struct buf *b = script_new_buf(L);

	units_add_memory(b, bytes);
	return give_buf(L, b);
}

/* units.format_duration(seconds) -> "1h30m" */
static int units_format_duration(lua_State *L)
{
	int64_t ms = script_check_ms(L, 1);
	struct buf *b = script_new_buf(L);

	units_add_duration(b, ms);
	return give_buf(L, b);
}

/* units.resources("cpu=1,memory=2G,licence=1") -> {cpu = 1, memory = 2000000000, licence = 1},
 * only what was named. */
static int units_resources(lua_State *L)
{
	struct err err = ERR_INIT;
	const char *text = script_check_text(L, 1);
	struct resources r = { 0 };
	unsigned given = 0;

	if (resources_parse(text, &r, &given, &err) < 0)
		return script_fail(L, &err);
	lua_newtable(L);
	if (given & RESOURCE_CPU)
		script_set_num(L, "cpu", (double)r.cpu / 1000);
	if (given & RESOURCE_MEMORY)
		script_set_i64(L, "memory", r.memory);
	if (given & RESOURCE_GPU)
		script_set_i64(L, "gpu", r.gpu);
	if (given & RESOURCE_DISK)
		script_set_i64(L, "disk", r.disk);
	for (size_t i = 0; i < r.n_named; i++) {
		if (r.named[i].milli % 1000 == 0)
			script_set_i64(L, r.named[i].name, r.named[i].milli / 1000);
		else
			script_set_num(L, r.named[i].name, (double)r.named[i].milli / 1000);
	}
	return 1;
}

/*
 * units.possible(need, have...) -> true, or nil, one sentence, "usage": does it fit a node that has
 * the larger of these in each resource? All are JSON objects as text.
 */
static int units_possible(lua_State *L)
{
	struct err err = ERR_INIT;
	struct resources need = { 0 }, have = { 0 }, one;

	if (resources_parse_json(script_check_text(L, 1), &need, NULL, &err) < 0)
		return script_fail(L, &err);
	for (int i = 2; i <= lua_gettop(L); i++) {
		one = (struct resources){ 0 };
		if (resources_parse_json(script_check_text(L, i), &one, NULL, &err) < 0)
			return script_fail(L, &err);
		resources_max(&have, &one);
	}
	if (resources_possible(&need, &have, &err) < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static const luaL_Reg units_functions[] = {
	{ "duration", units_duration_ },
	{ "format_bytes", units_format_bytes },
	{ "format_duration", units_format_duration },
	{ "format_memory", units_format_memory },
	{ "memory", units_memory_ },
	{ "possible", units_possible },
	{ "resources", units_resources },
	{ NULL, NULL },
};

/* raises. [-0, +1] The text of the value at idx: whole numbers without point, others by the
 * shortest decimal that reads back. */
static struct str push_text(lua_State *L, int idx)
{
	char number[NUMBER_TEXT_SIZE];
	struct str s;

	if (lua_type(L, idx) == LUA_TNUMBER && !lua_isinteger(L, idx)) {
		s.n = number_text(lua_tonumber(L, idx), number);
		if (s.n)
			s.p = lua_pushlstring(L, number, s.n);
		else
			s.p = luaL_tolstring(L, idx, &s.n);
	} else {
		s.p = luaL_tolstring(L, idx, &s.n);
	}
	return s;
}

/* csv.text(value) -> the text that csv.row() and kubeque.spool() write for it, without quotes */
static int csv_text(lua_State *L)
{
	luaL_checkany(L, 1);
	(void)push_text(L, 1);
	return 1;
}

/* csv.row(list) -> one line of RFC 4180, "\n" included; items are texts, numbers, booleans */
static int csv_row(lua_State *L)
{
	lua_Integer n;
	struct buf *b;

	luaL_checktype(L, 1, LUA_TTABLE);
	n = luaL_len(L, 1);
	b = script_new_buf(L);
	for (lua_Integer i = 1; i <= n; i++) {
		struct str s;

		lua_geti(L, 1, i);
		s = push_text(L, lua_gettop(L));
		if (n == 1) {
			csv_add_row(b, &s, 1); /* quoted where it would be no row, or look wrong */
			return give_buf(L, b);
		}
		if (i > 1)
			buf_addch(b, ',');
		csv_add_field(b, s);
		lua_pop(L, 2);
	}
	buf_addch(b, '\n');
	return give_buf(L, b);
}

static const luaL_Reg csv_functions[] = {
	{ "row", csv_row },
	{ "text", csv_text },
	{ NULL, NULL },
};

/* ---- on the table itself ---------------------------------------------------------------- */

static void glob_pace(void *L)
{
	sandbox_tick(L);
}

static int glob_(lua_State *L)
{
	const char *pattern = script_check_text(L, 1), *text = script_check_text(L, 2);

	lua_pushboolean(L, glob_match_paced(pattern, text, glob_pace, L));
	return 1;
}

static int is_pattern_(lua_State *L)
{
	lua_pushboolean(L, glob_is_pattern(script_check_text(L, 1)));
	return 1;
}

static int distance_(lua_State *L)
{
	const char *a = script_check_text(L, 1), *b = script_check_text(L, 2);

	lua_pushinteger(L, str_distance(a, b));
	return 1;
}

/* kubeque.job_id_fault(id) -> nil when it is fine, else why not */
static int job_id_fault_(lua_State *L)
{
	size_t n;
	const char *id = luaL_checklstring(L, 1, &n), *fault;

	for (size_t i = 0; i < n; i++)
		if (!id[i]) {
			lua_pushliteral(L, "it holds a NUL byte");
			return 1;
		}
	fault = job_id_fault(id);
	if (fault)
		lua_pushstring(L, fault);
	else
		lua_pushnil(L);
	return 1;
}

static int ranges_close(lua_State *L)
{
	ranges_release(luaL_checkudata(L, 1, RANGES_META));
	return 0;
}

int script_ranges(lua_State *L, const char *text, struct ranges *out, struct err *err)
{
	struct ranges *r = lua_newuserdatauv(L, sizeof(*r), 0);
	int ret;

	*r = (struct ranges)RANGES_INIT;
	luaL_setmetatable(L, RANGES_META);
	lua_toclose(L, -1);
	ret = ranges_parse(str_of(text), r, err);
	*out = *r;
	return ret;
}

/* kubeque.ranges("3-7,9") -> {{3, 7}, {9, 9}} */
static int ranges_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct ranges r;

	if (script_ranges(L, script_check_text(L, 1), &r, &err) < 0)
		return script_fail(L, &err);
	lua_createtable(L, (int)MIN(r.n, 1000), 0);
	for (size_t i = 0; i < r.n; i++) {
		lua_createtable(L, 2, 0);
		lua_pushinteger(L, r.p[i].first);
		lua_rawseti(L, -2, 1);
		lua_pushinteger(L, r.p[i].last);
		lua_rawseti(L, -2, 2);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static const luaL_Reg root_functions[] = {
	{ "distance", distance_ },
	{ "glob", glob_ },
	{ "is_pattern", is_pattern_ },
	{ "job_id_fault", job_id_fault_ },
	{ "ranges", ranges_ },
	{ NULL, NULL },
};

static void set_version(lua_State *L)
{
	lua_newtable(L);
	script_set_str(L, "kubeque", KUBEQUE_VERSION);
	script_set_str(L, "lua", LUA_RELEASE);
	script_set_str(L, "sqlite", sqlite3_libversion());
	script_set_str(L, "openssl", OpenSSL_version(OPENSSL_VERSION));
	script_set_str(L, "jansson", JANSSON_VERSION);
	lua_setfield(L, -2, "version");
}

void lib_units(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, RANGES_META, none, ranges_close);
	script_lib(L, "units", units_functions);
	script_lib(L, "csv", csv_functions);
	luaL_setfuncs(L, root_functions, 0);
	set_version(L);
}
