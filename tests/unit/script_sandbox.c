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

#define CHAIN "local t = {} local last = t\n" \
	"for i = 1, 1900 do local n = {} setmetatable(last, { __index = n }) last = n end\n"

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
	/* tables that claim to be long, or to hold what they do not */
	{ "inserting into a table that says it is long",
	  "table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 0)" },
	{ "removing from it",
	  "table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)" },
	{ "joining what is made on the way",
	  "return table.concat(setmetatable({}, { __index = rawlen }), '', 1, math.maxinteger)" },
	{ "moving through a chain of tables", CHAIN "return table.move(t, 1, 8000000, 1, {})" },
	{ "unpacking through it", CHAIN "while true do select('#', table.unpack(t, 1, 200000)) end" },
	{ "joining through it", CHAIN "for i = 1, 200000 do last[i] = '' end\n"
	  "while true do table.concat(t, '', 1, 200000) end" },
	{ "replacing through it", CHAIN "return ('x'):rep(30000000):gsub('.', t)" },
	{ "sorting long texts that are alike", "local a, b = ('x'):rep(8000000) .. 'a', ('x'):rep(8000000) .. 'b'\n"
	  "local t = {} for i = 1, 100000 do t[i] = i % 2 == 0 and a or b end table.sort(t)" },
	{ "sorting by an order in C", "local t = {} for i = 1, 1000 do t[i] = i end\n"
	  "while true do table.sort(t, rawequal) end" },
	{ "a long chain of __call", "local t = {} for i = 1, 150000 do t = setmetatable({}, { __call = t }) end t()" },
	/* long texts */
	{ "comparing texts of zeros", "local a = ('\\0'):rep(20000000) local b = a .. 'b'\n"
	  "while true do local _ = a < b end" },
	{ "repeating nothing", "return (''):rep(1 << 62)" },
	{ "repeating again and again", "while true do ('x'):rep(30000000) end" },
	{ "quoting", "local a = ('\\0'):rep(8000000) while true do ('%q'):format(a) end" },
	{ "formatting by a long format", "local a = ('%%'):rep(9000000) while true do a:format() end" },
	{ "a long format of numbers in bytes", "local f = ('x'):rep(30000000) while true do string.packsize(f) end" },
	{ "a number of many digits", "local a = (' '):rep(30000000) while true do tonumber(a) end" },
	{ "a glob of many ways",
	  "local a = ('a'):rep(100) return kubeque.glob('**' .. a .. '*' .. a .. 'b', ('a'):rep(20000))" },
	{ "a long glob", "return kubeque.glob('*' .. ('a'):rep(100000) .. 'b', ('a'):rep(1000000))" },
	{ "a glob with a long set", "return kubeque.glob('*[' .. ('a'):rep(1000000) .. ']b', ('a'):rep(1000000))" },
	{ "a glob with a set that does not end",
	  "return kubeque.glob('*[' .. ('a'):rep(1000000), ('a'):rep(1000000))" },
	{ "a pattern with a long set", "return ('b'):rep(100000):find('[' .. ('a'):rep(1000000) .. ']')" },
	{ "a long replacement of nothing", "return ('x'):rep(1000000):gsub('', ('%0'):rep(10000))" },
	{ "a long reference back", "return ('a'):rep(2000000):find('(.*)%1b')" },
	{ "JSON of a table that was large", "local t, list = {}, {} for i = 1, 300000 do t[i] = 1 end\n"
	  "for i = 1, 300000 do t[i] = nil end for i = 1, 300000 do list[i] = t end\n"
	  "return kubeque.json.encode(list)" },
	{ "JSON again and again",
	  "local s = '[' .. ('1,'):rep(500000) .. '1]' while true do kubeque.json.decode(s) end" },
	{ "labels without number", "local p = {} for i = 1, 20000 do p[i] = '::a' .. i .. ':: x=1 ' end\n"
	  "p = 'do local function f() ' .. table.concat(p) .. ' end end ' while true do load(p:rep(30)) end" },
	{ "memory that is full", "local t = {} pcall(function() for i = 1, 1e9 do t[i] = { i } end end)\n"
	  "while true do pcall(string.rep, 'x', 60000000) end" },
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
				   strstr(err.text, "not enough memory") || strstr(err.text, "more than 256 KiB")),
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
	ok(strstr(run(s, "return ('\\0%p'):format('x')"), "no addresses"), "wherever it stands");
	ok(strstr(run(s, "_G[{}] = 1 string[{}] = 1"), "('table')"), "nor what is said of a key");
	is_str(run(s, "local t, out = { zebra = 1, apple = 2, [7] = 3, mango = 4, [2] = 5 }, {}\n"
		      "for k in next, t do out[#out + 1] = k end\n"
		      "return table.concat(out, ' ') .. ' ' .. next(t) .. next(t, 'apple')"),
	       "2 7 apple mango zebra 2mango", "next goes as pairs does");
	is_str(run(s, "local t, out = {}, {} for i = 1, 40 do t['k' .. i % 20], t[i] = i, i end\n"
		      "for k in next, t do t[k] = nil out[#out + 1] = k\n"
		      "  for j in next, t do for i in next, t do if i == j then break end end end end\n"
		      "return #out .. tostring(next(t)) .. out[1] .. out[41] .. out[60]"),
	       "60nil1k0k9", "while fields go, and within itself");
	is_str(run(s, "local t, out = { b = 1, a = 2 }, {}\n"
		      "for _ in next, t do break end t.c = 3\n"
		      "for k in next, t do out[#out + 1] = k end return table.concat(out)"),
	       "abc", "one that begins anew sees what is new");
	ok(strstr(run(s, "for k in pairs { [{}] = 1, [{}] = 2 } do end"), "t.lua:1: keys that are tables"),
	   "where there is no order but that of addresses, there is none");
	is_str(run(s, "local function order(salt)\n"
		      "  local t, out = {}, {}\n"
		      "  for i = 1, 3000 do t[i] = { i, i * salt % 7 < 3 and 1 or i // 1500 } end\n"
		      "  table.sort(t, function(a, b) return a[2] < b[2] end)\n"
		      "  for i = 2, #t do out[#out + 1] = t[i - 1][2] < t[i][2]\n"
		      "    or t[i - 1][2] == t[i][2] and t[i - 1][1] < t[i][1] end\n"
		      "  for _, good in ipairs(out) do if not good then return false end end return #out end\n"
		      "return tostring(order(1)) .. tostring(order(3)) .. tostring(order(5))"),
	       "299929992999", "what is equal stays as it was when it is sorted");
	ok(strstr(run(s, "return setmetatable({}, { __mode = 'k' })"), "not allowed"),
	   "no weak tables, which show when memory is collected");
	script_free(s);
}

/* ---- the table library -------------------------------------------------------------------- */

/* Calls of its functions with what comes to mind, as text. */
static const char tables[] =
	"local out = {}\n"
	"local function show(...)\n"
	"  local list = { n = select('#', ...), ... }\n"
	"  for i = 1, list.n do local v = list[i]\n"
	"    if type(v) == 'table' then local l = {} for j = -1, 9 do l[#l + 1] = tostring(v[j]) end\n"
	"      v = '{' .. table.concat(l, ',') .. '}' end\n"
	"    list[i] = tostring(v):gsub('^[^:]*:%d+: ', ''):gsub('#%d', '#') end\n"
	"  out[#out + 1] = table.concat(list, '|') end\n"
	"local function try(name, ...) local t = ... show(name, t, pcall(table[name], ...)) end\n"
	"local places = { -1, 0, 1, 2, 3, 4, 5, 6, 1.0, 1.5, '2', 'x', math.maxinteger, math.mininteger }\n"
	"for _, i in ipairs(places) do\n"
	"  try('insert', { 1, 2, 3, 4 }, i, 'new') try('remove', { 1, 2, 3, 4 }, i) try('remove', {}, i)\n"
	"  try('concat', { 1, 'b', 3.5 }, i) try('concat', { 1, 2, 3 }, ',', i)\n"
	"  for _, j in ipairs(places) do\n"
	"    if not (j == math.maxinteger and i ~= j) and i ~= math.mininteger then\n"
	"      try('concat', { 1, 2, 3 }, ',', i, j) try('unpack', { 1, 2, 3 }, i, j)\n"
	"      for k = -1, 5 do try('move', { 1, 2, 3, 4, 5 }, i, j, k)\n"
	"        try('move', { 1, 2, 3 }, i, j, k, { 'a', 'b' }) end end end end\n"
	"try('insert', {}, 'x') try('insert', { 1 }) try('insert', { 1 }, 1, 2, 3) try('insert', 5, 1)\n"
	"try('remove', { 1, 2 }) try('remove', {}) try('remove', nil) try('concat', {}) try('concat', { true })\n"
	"try('unpack', { 1, nil, 3 }) try('unpack', {}, 1, 1e8) try('unpack', { n = 2 }) try('move', {}, 1, 2)\n"
	"try('sort', { 3, 1, 2 }) try('sort', { 'b', 'a', 'C' }) try('sort', { 1, 'a' }) try('sort', {}, 5)\n"
	"try('sort', { 3, 1, 2 }, function(a, b) return a > b end) try('sort', {}) try('sort', { 1 })\n"
	"try('sort', nil)\n"
	"try('sort', { 1, 2, 3 }, function() error('stop', 0) end)\n"
	"return out\n";

static bool try_tables(lua_State *L)
{
	struct err err = ERR_INIT;

	lua_settop(L, 0);
	if (luaL_loadbufferx(L, tables, strlen(tables), "@t.lua", "t") == LUA_OK &&
	    script_call(L, 0, 1, &err) == 0)
		return true;
	printf("# %s\n", err.text);
	return false;
}

static void test_tables(void)
{
	struct err err = ERR_INIT;
	struct script *host = script_host_new(&err), *box = fresh();
	int different = 0;
	lua_Integer n;

	ok(host && try_tables(host->L) && try_tables(box->L), "tables are handled in both");
	n = (lua_Integer)lua_rawlen(host->L, 1);
	ok(n > 2000 && (lua_Integer)lua_rawlen(box->L, 1) == n, "%lld calls", (long long)n);
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
	is_int(different, 0, "and give what the table library gives");
	script_free(host);
	script_free(box);
}

/* ---- errors name their line --------------------------------------------------------------- */

static void test_lines(void)
{
	static const char *const wrong[] = {
		"local x = 1\nreturn ('%d'):format('x')", "local x = 1\nreturn ('x'):rep({})",
		"local x = 1\nreturn table.concat({ {} })", "local x = 1\ntable.sort({ 1, 'a' })",
		"local x = 1\ntable.insert(nil, 1)", "local x = 1\nreturn ('x'):upper() .. nil",
		"local x = 1\nreturn kubeque.units.memory(nil)", "local x = 1\nerror('no', 0)",
		"local x = 1\nreturn kubeque.json.encode(print or next)", "local x = 1\nreturn (3)()",
	};
	struct script *s = fresh();

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		const char *said = run(s, wrong[i]);

		ok(strncmp(said, "t.lua:2: ", 9) == 0, "%s", said);
	}
	is_str(run(s, "error('other.lua:7: no', 0)"), "other.lua:7: no", "what has one keeps it");
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
	test_tables();
	test_lines();
	test_equal();
	test_constant();
	test_views();
	test_nothing_stays();
	return tap_done();
}
