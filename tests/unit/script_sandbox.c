/*
 * The sandbox: what code in it can see, that it sees the same every time, that nothing of it stays,
 * and that nothing in it runs for long.
 */
#include "script/sandbox.h"

#include <string.h>

#include "base/base.h"
#include "base/clock.h"
#include "script/call.h"
#include "script/sandbox_keep.h"
#include "script/sandbox_view.h"
#include "tap.h"

static int load(struct script *s, const char *text, struct err *err)
{
	if (luaL_loadbufferx(s->L, text, strlen(text), "@t.lua", "t") != LUA_OK)
		return err_set(err, ERR_SCRIPT, "%s", lua_tostring(s->L, -1));
	return 0;
}

/* Runs text in the state; what it returns as text, or its error. */
static const char *run(struct script *s, const char *text)
{
	static char out[1 << 20];
	struct err err = ERR_INIT;

	out[0] = '\0';
	lua_settop(s->L, 0);
	if (load(s, text, &err) < 0 || sandbox_call(s, 0, 1, 2000, &err) < 0)
		(void)snprintf(out, sizeof(out), "%s", err.text);
	else if (lua_isstring(s->L, -1))
		(void)snprintf(out, sizeof(out), "%s", lua_tostring(s->L, -1));
	else
		(void)snprintf(out, sizeof(out), "(%s)", luaL_typename(s->L, -1));
	return out;
}

static struct script *fresh(void)
{
	struct err err = ERR_INIT;
	struct script *s = sandbox_new(&err);

	if (!s) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return s;
}

/* ---- patterns ----------------------------------------------------------------------------- */

/* Thousands of patterns and texts made of the same numbers, everything they give in one text. */
static const char patterns[] =
	"local seed = ...\n"
	"local state = seed\n"
	"local function number(n) state = (state * 1103515245 + 12345) % 2147483648\n"
	"  return state // 65536 % n + 1 end\n"
	"local atoms = { 'a', 'b', '.', '%a', '%d', '%s', '%w', '%p', '%x', '%u', '%l', '%c', '%g', '%A',\n"
	"  '%D', '%W', '%%', '[ab]', '[^ab]', '[a-c]', '[%d_]', '[]a]', '[^]]', '[a-]', '[%a-z]', '(', ')',\n"
	"  '()', '%1', '%2', '%b()', '%bxx', '%f[%w]', '%f[^%a]', '$', '^', 'x', '\\0', '-', '[', '%', '%f',\n"
	"  '%b', ']', '[^', 'é' }\n"
	"local suffixes = { '', '', '', '*', '+', '-', '?' }\n"
	"local letters = { 'a', 'b', 'c', 'x', '1', '_', ' ', '(', ')', '.', '-', 'A', 'é', '\\0', '\\n', 'ab' }\n"
	"local out = {}\n"
	"local function show(...)\n"
	"  local list = { n = select('#', ...), ... }\n"
	"  for i = 1, list.n do list[i] = tostring(list[i]) end\n"
	"  return table.concat(list, '|') end\n"
	"for case = 1, 4000 do\n"
	"  local p, s = {}, {}\n"
	"  for i = 1, number(6) do p[i] = atoms[number(#atoms)] .. suffixes[number(#suffixes)] end\n"
	"  for i = 1, number(14) - 1 do s[i] = letters[number(#letters)] end\n"
	"  p, s = table.concat(p), table.concat(s)\n"
	"  if number(6) == 1 then p = '^' .. p end\n"
	"  local init = number(12) - 6\n"
	"  out[#out + 1] = show(pcall(string.find, s, p, init))\n"
	"  out[#out + 1] = show(pcall(string.find, s, p, init, true))\n"
	"  out[#out + 1] = show(pcall(string.match, s, p, init))\n"
	"  out[#out + 1] = show(pcall(string.gsub, s, p, number(2) == 1 and '<%0%1>' or '[%2]%%'))\n"
	"  out[#out + 1] = show(pcall(string.gsub, s, p, function(a, b) return b and a end, number(4)))\n"
	"  out[#out + 1] = show(pcall(string.gsub, s, p, { a = 'A', ab = false, x = 1, b = 2.5 }))\n"
	"  out[#out + 1] = show(pcall(function()\n"
	"    local all = {}\n"
	"    for a, b in s:gmatch(p, init) do all[#all + 1] = tostring(a) .. tostring(b) end\n"
	"    return table.concat(all, ';') end))\n"
	"end\n"
	"return out\n";

/* The list that the patterns give in a state is left on its stack. */
static bool try_patterns(lua_State *L, int64_t seed)
{
	struct err err = ERR_INIT;

	lua_settop(L, 0);
	if (luaL_loadbufferx(L, patterns, strlen(patterns), "@p.lua", "t") != LUA_OK)
		return false;
	lua_pushinteger(L, seed);
	if (script_call(L, 1, 1, &err) == 0)
		return true;
	printf("# %s\n", err.text);
	return false;
}

static void test_patterns(void)
{
	struct err err = ERR_INIT;
	struct script *host = script_host_new(&err), *box = fresh();
	int different = 0;
	lua_Integer n;

	ok(host && try_patterns(host->L, 99) && try_patterns(box->L, 99), "patterns run in both");
	n = (lua_Integer)lua_rawlen(host->L, 1);
	ok(n == 28000 && (lua_Integer)lua_rawlen(box->L, 1) == n, "all of them");
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(host->L, 1, i);
		lua_rawgeti(box->L, 1, i);
		if (strcmp(lua_tostring(host->L, -1), lua_tostring(box->L, -1)) != 0 &&
		    different++ < 5)
			printf("# %lld: %s\n#  but: %s\n", (long long)i, lua_tostring(host->L, -1),
			       lua_tostring(box->L, -1));
		lua_settop(host->L, 1);
		lua_settop(box->L, 1);
	}
	is_int(different, 0, "and give what the string library gives");
	script_free(host);
	script_free(box);
}

/* ---- nothing runs for long ---------------------------------------------------------------- */

/* Each of them, in a budget of 100 ms, must come back soon: C that loops is not reached by a hook. */
static const struct {
	const char *what, *text;
} slow[] = {
	{ "a pattern that tries all ways", "return ('a'):rep(700):find(('.-'):rep(30) .. 'b')" },
	{ "the same in pcall, again and again",
	  "while true do pcall(string.find, ('a'):rep(700), ('.-'):rep(30) .. 'b') end" },
	{ "gsub of it", "return ('a'):rep(700):gsub(('a*'):rep(20) .. 'b', '')" },
	{ "gmatch of it", "for _ in ('a'):rep(700):gmatch(('a?'):rep(40) .. ('a'):rep(40)) do end\n"
	  "return ('a'):rep(700):match(('a*'):rep(20) .. 'b')" },
	{ "a plain search in a long text",
	  "local s = ('a'):rep(20000000) return s:find(('a'):rep(10000000) .. 'b', 1, true)" },
	{ "balanced ones without end", "return ('('):rep(200000):match('.-%b()$')" },
	{ "compiling a long text", "local t = ('x = 1 '):rep(3000000) while true do load(t) end" },
	{ "sorting again and again", "local t = {} for i = 1, 200000 do t[i] = i * 7919 % 200003 end\n"
	  "while true do table.sort(t, function(a, b) return a > b end) table.sort(t) end" },
	{ "moving again and again", "local t = {} for i = 1, 1000000 do t[i] = i end\n"
	  "while true do table.move(t, 1, 1000000, 2) end" },
	{ "joining again and again", "local t = {} for i = 1, 500000 do t[i] = 'x' end\n"
	  "while true do table.concat(t) end" },
};

static void test_slow(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
		struct script *s = fresh();
		struct err err = ERR_INIT;
		int64_t start = clock_mono_ms(), took;
		int ret = load(s, slow[i].text, &err);

		if (ret == 0)
			ret = sandbox_call(s, 0, 0, 100, &err);
		took = clock_mono_ms() - start;
		ok(took < 5000 && (ret == 0 || strstr(err.text, "too long") ||
				   strstr(err.text, "too complex") ||
				   strstr(err.text, "not enough memory")),
		   "%s ends (%lld ms)", slow[i].what, (long long)took);
		if (ret < 0)
			printf("# %s\n", err.text);
		script_free(s);
	}
}

/* ---- the same every time ------------------------------------------------------------------ */

static void test_equal(void)
{
	const char *walk = "local t = { zebra = 1, apple = 2, [3] = 3, [1] = 4, mango = 5, [2.5] = 6,\n"
			   "  [true] = 7 } local out = {}\n"
			   "for k, v in pairs(t) do out[#out + 1] = tostring(k) .. v end\n"
			   "return table.concat(out, ' ')";
	struct script *s = fresh();

	is_str(run(s, walk), "14 2.56 33 apple2 mango5 zebra1 true7", "pairs goes by key");
	is_str(run(s, "local t, n = { a = 1, b = 2, c = 3 }, 0 for k in pairs(t) do t[k] = nil n = n + 1 end\n"
		      "return n .. tostring(next(t))"), "3nil", "fields may go on the way");
	is_str(run(s, "local t = setmetatable({}, { __pairs = function() return next, { x = 1 } end })\n"
		      "for k in pairs(t) do return k end"), "x", "__pairs is asked");
	is_str(run(s, "return tostring({}) .. tostring(print or next) .. ('%s'):format({})"),
	       "tablefunctiontable", "nothing shows an address");
	is_str(run(s, "return tostring(setmetatable({}, { __tostring = function() return 'x' end })) ..\n"
		      "('%5.1f|%-4s|%d%%'):format(1.25, 'a', 3)"), "x  1.2|a   |3%",
	       "what has a text keeps it");
	ok(strstr(run(s, "return ('%-20p'):format({})"), "no addresses"), "nor %%p");
	ok(strstr(run(s, "return setmetatable({}, { __mode = 'k' })"), "not allowed"),
	   "no weak tables, which show when memory is collected");
	script_free(s);
}

/* ---- libraries and globals ---------------------------------------------------------------- */

static void test_constant(void)
{
	struct script *s = fresh();
	struct err err = ERR_INIT;

	ok(strstr(run(s, "string.format = nil"), "cannot be changed"), "libraries are constant");
	ok(strstr(run(s, "kubeque.units.memory = nil"), "cannot be changed"), "kubeque, too");
	ok(strstr(run(s, "getmetatable('').__index.x = 1"), "attempt to index"),
	   "the metatable of texts is not there");
	is_str(run(s, "return tostring(getmetatable(kubeque.json.array{}))"), "false",
	       "nor that of lists");
	is_str(run(s, "x = 1 return x + (_G.x or 5)"), "2", "a file may make globals");
	is_int(sandbox_seal(s, &err), 0, "sealed");
	ok(strstr(run(s, "x = 2"), "no globals"), "not any more");
	ok(strstr(run(s, "_G.y = 2"), "no globals"), "nor by _G");
	ok(strstr(run(s, "pairs = nil"), "no globals"), "nor change one");
	ok(strstr(run(s, "load('z = 1')()"), "no globals"), "nor by load");
	is_str(run(s, "return x .. load('return x')() .. load('return y', 'n', 't', { y = 7 })()"), "117",
	       "what is there is read");
	is_str(run(s, "local names = {} for _, n in ipairs { 'os', 'io', 'debug', 'package', 'coroutine',\n"
		      "  'dofile', 'loadfile', 'print', 'collectgarbage', 'rawset', 'warn', 'require' } do\n"
		      "  if _G[n] then names[#names + 1] = n end end\n"
		      "return table.concat(names, ' ') .. tostring(string.dump) .. tostring(math.randomseed)"),
	       "nilnil", "what would do something is absent");
	is_str(run(s, "local f, why = load('\\27Lua') return tostring(f) .. why:match('binary')"), "nilbinary",
	       "no bytecode");
	is_str(run(s, "return kubeque.json.encode { a = { 1, 2 } } .. kubeque.json.decode('[5]')[1]\n"
		      ".. kubeque.units.memory '1K' .. tostring(kubeque.glob('a*', 'ab'))"),
	       "{\"a\":[1,2]}51000true", "what computes is there");
	ok(strstr(run(s, "return kubeque.http.request {}"), "policies have no kubeque.http"),
	   "what would do something is missed by name");
	ok(strstr(run(s, "return kubeque.glob(('*a'):rep(1000), 'a')"), "256"), "of paths, not of novels");
	ok(strstr(run(s, "local t = {} for i = 1, 30 do t = { t, t } end return kubeque.json.encode(t)"),
		  "more than 1024 KiB"), "JSON that would grow outside of its memory");
	ok(strstr(run(s, "return kubeque.json.decode('[' .. ('1,'):rep(1e6) .. '1]')"), "more than 1024"),
	   "in both directions");
	script_free(s);
}

/* ---- views -------------------------------------------------------------------------------- */

static int push_view(lua_State *L)
{
	(void)luaL_dostring(L, "return { n = 3, list = { 'a', 'b', { c = 'd' } }, z = false }");
	sandbox_read_only(L);
	lua_setglobal(L, "view");
	return 0;
}

static void test_views(void)
{
	struct script *s = fresh();
	struct err err = ERR_INIT;
	static const char *const writes[] = {
		"view.n = 4", "view.new = 4", "view.list[1] = 'x'", "view.list[3].c = 'x'",
		"table.insert(view.list, 'x')", "table.remove(view.list)",
		"table.sort(view.list, function(a, b) return tostring(a) > tostring(b) end)",
		"for _, v in pairs(view) do if type(v) == 'table' then v[1] = 'x' end end",
		"for _, v in ipairs(view.list) do if type(v) == 'table' then v.c = 'x' end end",
		"local _, v = next(view, 'list') ; (next(view) and view.list)[2] = 'x'",
		"setmetatable(view, nil)", "table.move({ 'x' }, 1, 1, 1, view.list)",
	};

	lua_pushcfunction(s->L, push_view);
	is_int(script_call(s->L, 0, 0, &err), 0, "a view");
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		const char *got = run(s, writes[i]);

		ok(strstr(got, "cannot be changed") || strstr(got, "protected metatable"), "%s",
		   writes[i]);
	}
	is_str(run(s, "local out = {} for k, v in pairs(view) do out[#out + 1] = k .. tostring(v) end\n"
		      "for i, v in ipairs(view.list) do out[#out + 1] = i .. tostring(v) end\n"
		      "return table.concat(out, ' ') .. #view.list .. table.concat(view.list, '', 1, 2)\n"
		      ".. select('#', table.unpack(view.list)) .. view.list[3].c .. type(view)\n"
		      ".. kubeque.json.encode(view) .. tostring(rawget(view, 'n'))"),
	       "listtable n3 zfalse 1a 2b 3table3ab3dtable"
	       "{\"list\":[\"a\",\"b\",{\"c\":\"d\"}],\"n\":3,\"z\":false}nil",
	       "it reads as a table does");
	is_str(run(s, "local n = 0 for k, v in next, view do n = n + 1 assert(view[k] == v) end return n"),
	       "3", "by next, too");
	script_free(s);
}

/* ---- nothing stays ------------------------------------------------------------------------ */

static int keep_body(lua_State *L)
{
	lua_createtable(L, 1, 0);
	lua_getglobal(L, "hook");
	lua_rawseti(L, -2, 1);
	sandbox_keep(L);
	return 0;
}

static int restore_body(lua_State *L)
{
	sandbox_restore(L);
	return 0;
}

static void test_nothing_stays(void)
{
	const char *file = "local count, cache, deep = 0, { a = 1 }, { { x = {} } }\n"
			   "local class = setmetatable({}, { __index = function(_, k) return k end })\n"
			   "local iterate = pairs { 1, 2, 3 }\n"
			   "shared = { n = 0 }\n"
			   "local function bump() count = count + 1 end\n"
			   "function hook()\n"
			   "  bump() shared.n = shared.n + 1 cache.a, cache.b = nil, count\n"
			   "  deep[1].x[#deep[1].x + 1] = 'y' deep[2] = deep\n"
			   "  local before = class.z getmetatable(class).__index = nil setmetatable(class, nil)\n"
			   "  return table.concat({ count, shared.n, tostring(cache.a), cache.b, #deep[1].x,\n"
			   "    #deep, before, tostring(iterate()) }, ' ')\n"
			   "end\n";
	struct script *s = fresh();
	struct err err = ERR_INIT;
	const char *want = "1 1 nil 1 1 2 z 1";

	(void)run(s, file);
	is_int(sandbox_seal(s, &err), 0, "a file has run");
	lua_pushcfunction(s->L, keep_body);
	is_int(script_call(s->L, 0, 0, &err), 0, "what it left is remembered");
	is_str(run(s, "return hook()"), want, "a hook changes what it likes");
	for (int i = 0; i < 3; i++) {
		lua_settop(s->L, 0);
		lua_pushcfunction(s->L, restore_body);
		is_int(script_call(s->L, 0, 0, &err), 0, "put back");
		is_str(run(s, "return hook()"), want, "and finds it as it was");
	}
	script_free(s);
}

int main(void)
{
	test_patterns();
	test_slow();
	test_equal();
	test_constant();
	test_views();
	test_nothing_stays();
	return tap_done();
}
