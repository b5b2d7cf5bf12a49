-- Parameters: points, products, zips, chains, computed columns, filters, samples of rows, sources.
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local p = kubeque.params

---All rows as "a b;c d".
local function text(params)
  local lines = {}
  for row in params:each() do
    local cells = {}
    for i, name in ipairs(params.columns) do
      cells[i] = kubeque.csv.text(row[name])
    end
    lines[#lines + 1] = table.concat(cells, " ")
  end
  return table.concat(lines, ";")
end

---What a call raises: the message of a fault, or the text.
local function fails(fn, ...)
  local ok, why = pcall(fn, ...)
  return not ok and (type(why) == "table" and why.message or why) or "no error"
end

-- ---- points on a line ----

t.is(text(p.range(1, 5)), "1;2;3;4;5", "range counts")
t.is(text(p.range(3, 1)), "3;2;1", "range counts down")
t.is(text(p.range(0, 1, 0.1)), "0;0.1;0.2;0.3;0.4;0.5;0.6;0.7;0.8;0.9;1",
  "steps of 0.1 are written as such, and the last one is met")
t.is(text(p.range(0, 1, 0.3)), "0;0.3;0.6;0.9", "steps need not meet the end")
t.is(text(p.range(0, 10, 4)), "0;4;8", "nor need whole ones")
t.is(text(p.range(5, 5)), "5", "a range of one")
t.is(math.type(p.range(1, 5)[2].value), "integer", "whole bounds give integers")
t.is(text(p.linspace(0, 1, 5)), "0;0.25;0.5;0.75;1", "linspace")
t.is(text(p.linspace(0, 1, 11)), "0;0.1;0.2;0.3;0.4;0.5;0.6;0.7;0.8;0.9;1", "linspace of tenths")
t.is(text(p.linspace(1, 0, 3)), "1;0.5;0", "linspace downwards")
t.is(text(p.linspace(2, 9, 1)), "2", "one point is the first")
t.is(text(p.linspace(-1.7e308, 1.7e308, 3)), "-1.7e+308;0;1.7e+308", "bounds whose sum is no number")
t.is(text(p.logspace(1e-5, 1e-1, 5)), "1e-05;0.0001;0.001;0.01;0.1", "logspace of powers of ten")
t.is(text(p.logspace(1, 1024, 11)), "1;2;4;8;16;32;64;128;256;512;1024", "and of two")
t.is(text(p.logspace(1, 8, 4)), "1;2;4;8", "logspace of few points")
t.is(text(p.logspace(0.3, 30, 3)), "0.3;3;30", "logspace from 0.3")
t.is(text(p.values { "a", 2, true, 0.5 }), "a;2;true;0.5", "values of several types")
t.is(p.choice, p.values, "choice is values")
for name, call in pairs {
  ["step of 0"] = function() return p.range(1, 2, 0) end,
  ["leads away"] = function() return p.range(1, 2, -1) end,
  ["2^53"] = function() return p.range(math.mininteger, math.maxinteger) end,
  ["number is needed, not \"x\""] = function() return p.range("x", 2) end,
  ["finite"] = function() return p.linspace(0, 1 / 0, 2) end,
  ["at least 1"] = function() return p.linspace(0, 1, 0) end,
  ["above 0"] = function() return p.logspace(0, 1, 3) end,
  ["empty"] = function() return p.values {} end,
  ["not a table"] = function() return p.values { {} } end,
  ["has no key \"x\""] = function() return p.values { 1, x = 2 } end,
} do
  local why = fails(call)
  t.ok(why:find(name, 1, true) and why:find("test_params.lua:%d+: "),
    ("a mistake is refused with its line: %s"):format(name))
end

-- ---- products ----

local grid = p.product({ a = { 1, 2 } }, { b = { "x", "y", "z" } })
t.is(table.concat(grid.columns, ","), "a,b", "columns in the order of the factors")
t.is(text(grid), "1 x;1 y;1 z;2 x;2 y;2 z", "the last factor varies fastest")
t.is(grid:count(), 6, "a product knows its number of rows")
t.is(#grid, 6, "# gives it as well")
t.is(text(grid), text(grid), "each walk begins anew")
local one, two = grid:iter(), grid:iter()
one()
one()
t.same({ two() }, { 1, "x" }, "two walks do not disturb each other")
t.same({ one() }, { 1, "z" }, "an iterator gives values in the order of the columns")
t.same(grid[4], { a = 2, b = "x" }, "rows can be had by number")
t.is(grid[7], nil, "and end")
t.is(text(p.product { z = { 1, 2 }, a = { 3 } }), "3 1;3 2",
  "factors of one table are in the order of their names")
t.is(text(p.product({ a = 1 }, { b = true }, { c = "x y" })), "1 true x y", "single values")
t.is(text(p.range(1, 2):as "a" * p.range(1, 2):as "b"), "1 1;1 2;2 1;2 2", "* is product")
local five = p.product({ a = { 1, 2 } }, { b = { 1, 2, 3 } }, { c = { 1 } }, { d = { 1, 2 } },
  { e = p.range(1, 2) })
t.is(five:count(), 24, "five factors")
local same = true
local i = 0
for row in five:each() do
  i = i + 1
  for name, value in pairs(five[i]) do
    same = same and row[name] == value
  end
end
t.ok(same and i == 24, "a walk and access by number agree")
local pairs_ = p.rows({ { 1, "x" }, { 2, "y" } }, { "n", "s" })
t.is(text(p.product(pairs_, { k = { 7, 8 } })), "1 x 7;1 x 8;2 y 7;2 y 8", "factors of two columns")
t.is(text(p.product({ k = { 7, 8 } }, pairs_)), "7 1 x;7 2 y;8 1 x;8 2 y", "also as the inner one")
t.is(text(p.product({ k = { 1, 2 } }, pairs_:filter(function(row) return row.n > 1 end))),
  "1 2 y;2 2 y", "an inner factor that can only be walked")
local walked = p.product({ k = { 1, 2 } }, p.range(1, 300000):as "n":filter(function()
  return true
end))
local count, sum = 0, 0
for k, n in walked:iter() do
  count, sum = count + 1, sum + k * n
end
t.same({ count, sum }, { 600000, 3 * 300000 * 300001 // 2 }, "also one that is too long to be kept")
t.is(text(p.product({ k = { 1, 2 } }, pairs_:filter(function() return false end))), "",
  "an empty factor makes an empty product")
t.is(text(p.product { { b = { 1, 2 } }, { a = { 3 } } }), "1 3;2 3", "factors may be one list")
t.is(text(p.chain { p.range(1, 2), p.range(5, 5) }), "1;2;5", "as may parts of a chain")
t.like(fails(p.product), "at least one factor", "no factor")
t.like(fails(p.product, { a = { 1 } }, { a = { 2 } }), "both named \"a\"", "a name twice")
t.like(fails(p.product, { { 1, 2 } }), "a factor needs a name", "a factor without a name")
t.like(fails(p.product, { 1, 2 }), "a factor needs a name", "values without a name")
t.like(fails(p.product, { a = pairs_ }), "\"a\" has 2 columns %(n, s%)", "a name for two columns")
t.like(fails(p.product, { a = { 1 } }, 3), "not 3", "something that is no factor")
t.like(fails(p.product, { kq_a = { 1 } }), "kubeque's own", "a name of kubeque's")
t.like(fails(function()
  return p.product({ a = p.range(1, 1 << 30) }, { b = p.range(1, 1 << 30) })
end), "2%^53", "too many rows to count")

-- memory: ten million rows cost none
collectgarbage()
local before = collectgarbage "count"
local big = p.product({ a = p.range(1, 1000) }, { b = p.range(1, 100) }, { c = p.range(1, 100) })
local rows, most = 0, 0
for _ in big:iter() do
  rows = rows + 1
  if rows % 500000 == 0 then
    most = math.max(most, collectgarbage "count" - before)
  end
end
t.is(rows, 10000000, "a product of ten million rows is walked")
t.ok(most < 200, ("in less than 200 KiB (%.0f)"):format(most))
collectgarbage()
before = collectgarbage "count"
rows, most = 0, 0
for row in big:map { s = function(r) return r.a + r.b end }:filter(function(r)
  return r.s % 2 == 0
end):take(200000):each() do
  rows = rows + (row.s > 0 and 1 or 0)
  if rows % 10000 == 0 then
    most = math.max(most, collectgarbage "count" - before)
  end
end
t.ok(rows == 200000 and most < 2000, ("computed columns cost no more (%.0f KiB)"):format(most))

t.like(fails(p.product, { a = { 1 }, { b = { 2 } } }), "it has the key a", "a factor beside a list")
t.like(fails(p.zip, { { a = { 1 } }, nil, { b = { 2 } } }), "item 2 of the list is nil", "a hole")

-- ---- words that nothing knows ----

t.like(fails(function() return p.rnage end), "there is no kubeque.params.rnage %(did you mean "
  .. "kubeque.params.range%?%)", "a function")
t.like(fails(function() return p.range(1, 2):sampel(1) end),
  "test_params.lua:%d+: params have no sampel %(did you mean sample%?%)", "a method")
t.like(fails(function() p.range(1, 2).colums = {} end), "colums cannot be set", "a field")
t.like(fails(p.range(1, 2).rename, p.range(1, 2)), "rename: a table .* is needed, not nil", "no names")
t.like(fails(p.sobol, { a = p.uniform(0, 1) }, 2, { shift = "no" }), "shift: true or false is needed",
  "a flag that is a text")
t.like(fails(p.latin_hypercube, { a = p.uniform(0, 1) }, 2, { centered = 1 }),
  "centered: true or false is needed", "a flag that is a number")
t.like(fails(text, p.generate({ "a" }, function() return 3 end)),
  "generate: the function must return an iterator %(a function%), not 3", "no iterator")

-- ---- zip, chain ----

t.is(text(p.zip({ a = { 1, 2 } }, { b = { "x", "y" } })), "1 x;2 y", "zip goes side by side")
t.same(p.zip({ a = { 1, 2 } }, { b = { "x", "y" } })[2], { a = 2, b = "y" }, "by number, too")
t.is(p.zip({ a = { 1, 2 } }, { b = { "x", "y" } }):count(), 2, "zip knows its number of rows")
t.like(fails(p.zip, { a = { 1, 2 } }, { b = { 1 } }), "\"a\" has 2 rows and \"b\" has 1",
  "unequal lengths are refused, naming both")
local unknown = p.range(1, 3):as "u":filter(function() return true end)
t.like(fails(text, p.zip(unknown, { b = { 1, 2 } })),
  "\"b\" ends after 2 rows, \"u\" goes on", "also when they are known only at the end")
t.like(fails(text, p.zip({ b = { 1, 2, 3, 4 } }, unknown)),
  "\"u\" ends after 3 rows, \"b\" goes on", "whichever is shorter")
t.is(text(p.zip(unknown, { b = { 4, 5, 6 } })), "1 4;2 5;3 6", "equal ones are fine")
t.is(text(p.range(1, 2) .. p.range(7, 8)), "1;2;7;8", ".. is chain")
t.is(p.chain(p.range(1, 2), p.range(7, 8), p.range(1, 1)):count(), 5, "chain adds up")
t.is(text(p.chain(p.rows { { a = 1, b = 2 } }, p.rows({ { 3, 4 } }, { "b", "a" }))), "1 2;4 3",
  "columns in another order are put in order")
t.is(text(p.chain(unknown, unknown)), "1;2;3;1;2;3", "a part may come twice")
t.like(fails(p.chain, p.range(1, 2):as "a", p.range(1, 2):as "b"), "part 2 has no column \"a\"",
  "other columns are refused")
t.like(fails(p.chain, p.range(1, 2):as "a", p.zip({ a = { 1 } }, { c = { 2 } })),
  "part 2 has a column \"c\" that part 1 has not", "more columns as well")
t.like(fails(p.chain, 3), "part 1", "what is no params")

-- ---- columns ----

t.is(text(grid:map { c = function(row) return row.a .. row.b end }:take(2)), "1 x 1x;1 y 1y",
  "a computed column comes last")
t.is(text(grid:map { a = function(row) return row.a * 10 end }:take(1)), "10 x",
  "or replaces one in its place")
t.is(text(grid:map { a = function(row) return row.a * 10 end, n = function(row) return row.a end }
  :take(1)), "10 x 1", "each function sees the row as it was")
t.is(text(grid:map { z = function() return 1 end, y = function() return 2 end }:take(1)),
  "1 x 2 1", "several are in the order of their names")
t.is(text(grid:map(function(row) return { b = row.b, k = row.a + 1, d = 0 } end):take(2)),
  "x 0 2;y 0 2", "one function makes the row anew")
t.is(text(grid:map(function(row) row.c = row.a == 1 return row end):take(1)), "1 x true",
  "or changes it")
t.same(grid:map { c = function(row) return row.a end }[6], { a = 2, b = "z", c = 2 },
  "computed rows by number")
t.like(fails(text, grid:map { c = function(row) return row.b ~= "z" and 1 or nil end }),
  "test_params.lua:%d+: column \"c\", row 3: .* not nil", "nil names column, row and line")
t.like(fails(text, grid:map { c = function() return {} end }), "column \"c\", row 1: .* a table",
  "so does a table")
t.like(fails(text, grid:map(function(row) return row.b == "y" and 3 or row end)),
  "row 2: the function must return a row", "no row")
t.like(fails(text, grid:map(function(row) return row.b == "y" and { a = 1 } or row end)),
  "column \"b\", row 2: .* not nil", "a row without one of the columns")
t.like(fails(text, grid:map(function(row)
  row.extra = row.b == "y" and 1 or nil
  return row
end)), "row 2 has a column \"extra\"", "a row with one more")
t.like(fails(text, grid:map { c = function(row) return row.nope.x end }),
  "test_params.lua:%d+: attempt to index", "an error in the function keeps its line")
t.like(fails(grid.map, grid, { c = 3 }), "column \"c\": a function is needed, not 3", "no function")
t.is(text(grid:filter(function(row) return row.a == 2 and row.b ~= "y" end)), "2 x;2 z", "filter")
t.is(grid:filter(function() return true end):count(), nil, "a filter does not count")
t.like(fails(function() return #grid:filter(print) end), "not known without a walk", "# says so")
t.like(fails(function() return grid:filter(print)[1] end), "only be walked", "[1] says so")
t.is(#grid:filter(function() return true end):rows(), 6, "rows() walks")
t.same(grid:rename { a = "alpha" }[1], { alpha = 1, b = "x" }, "rename")
t.is(text(grid:rename { a = "b", b = "a" }:select "a":take(2)), "x;y", "names may be exchanged")
t.like(fails(grid.rename, grid, { c = "d" }), "no column \"c\"; the columns are a, b", "a wrong name")
t.like(fails(grid.rename, grid, { a = "b" }), "both named \"b\"", "a name that is there")
t.is(text(grid:select("b", "a"):take(2)), "x 1;y 1", "select puts in order")
t.same(grid:select { "b" }[3], { b = "z" }, "select by number")
t.is(text(grid:take(2)), "1 x;1 y", "take")
t.same({ grid:take(2):count(), grid:take(9):count(), text(grid:take(0)) }, { 2, 6, "" },
  "take counts")
t.is(tostring(grid), "params(a, b: 6 rows)", "what params print as")

-- ---- samples of rows ----

local many = p.product({ a = p.range(1, 1000) }, { b = p.range(1, 1000) })
local sample = many:sample(1000, { seed = 1 })
local seen, distinct, inside = {}, 0, true
for a, b in sample:iter() do
  if not seen[a * 1000 + b] then
    distinct = distinct + 1
  end
  seen[a * 1000 + b] = true
  inside = inside and a >= 1 and a <= 1000 and b >= 1 and b <= 1000
end
t.ok(distinct == 1000 and inside, "a sample of a large product has no row twice")
t.is(text(sample:take(3)), text(many:sample(1000, { seed = 1 }):take(3)), "a seed gives the same rows")
t.ok(text(sample:take(3)) ~= text(many:sample(1000, { seed = 2 }):take(3)), "another one others")
t.is(text(many:sample(5)), text(many:sample(5, { seed = 0 })), "the default is seed 0")
t.is(#grid:sample(6, { seed = 3 }):rows(), 6, "all rows in random order")
t.like(fails(grid.sample, grid, 7), "7 rows were asked for and there are 6", "more than there are")
t.like(fails(text, unknown:sample(4)), "4 rows were asked for and there are 3",
  "also when only a walk can tell")
t.like(fails(grid.sample, grid, 0), "at least 1", "none")
t.like(fails(grid.sample, grid, 2, { sed = 1 }), "unknown option sed %(did you mean seed%?%)",
  "a wrong option")

---How often each of 6 numbers is among samples of 2: 333 of 1,000 expected, in both ways.
local function chosen(params)
  local counts = { 0, 0, 0, 0, 0, 0 }
  for seed = 1, 1000 do
    for n in params:sample(2, { seed = seed }):iter() do
      counts[n] = counts[n] + 1
    end
  end
  local worst = 0
  for _, c in ipairs(counts) do
    worst = math.max(worst, math.abs(c - 1000 / 3))
  end
  return worst
end
-- the standard deviation is 15: four of them
t.ok(chosen(p.range(1, 6)) < 60, "rows by number: each is as likely")
t.ok(chosen(p.range(1, 6):filter(function() return true end)) < 60, "from a walk: each is as likely")

-- ---- other sources ----

t.is(text(p.rows { { b = 2, a = 1 }, { a = 3, b = 4 } }), "1 2;3 4", "rows: columns sorted by name")
t.is(text(p.rows({}, { "a" })), "", "no rows, with columns")
t.like(fails(p.rows, {}), "its columns are not known", "no rows, no columns")
t.like(fails(p.rows, { { a = 1 }, { b = 1 } }), "row 2 has a column \"b\"", "a row with another key")
t.like(fails(p.rows, { { a = 1, b = 1 }, { a = 1 } }), "row 2 has no column \"b\"", "a missing key")
t.like(fails(p.rows, { { a = {} } }), "column \"a\", row 1", "a value that is a table")
t.like(fails(p.rows, { { 1, 2 } }), "a row is a table with names", "lists without columns")
t.like(fails(p.rows, { { 1 } }, { "a", "b" }), "row 1 must be a list of 2 values", "a short list")
local function squares()
  local n = 0
  return function()
    n = n + 1
    if n <= 3 then
      return n, n * n
    end
  end
end
t.is(text(p.generate({ "n", "square" }, squares)), "1 1;2 4;3 9", "rows of a function")
t.is(text(p.product({ k = { 1, 2 } }, p.generate({ "n", "square" }, squares)):take(4)),
  "1 1 1;1 2 4;1 3 9;2 1 1", "which starts anew")
t.like(fails(text, p.generate({ "a", "b" }, function() return function() return 1 end end)),
  "column \"b\", row 1: .* not nil", "a missing value")
t.like(fails(p.generate, { "a" }, 3), "function that returns an iterator", "no function")
t.like(fails(p.of, 3), "name of a file", "what can be no params")
t.is(text(p.of { { a = 1 } }), "1", "of: a list of rows")
t.is(p.of(grid), grid, "of: params")

local dir = kubeque.fs.tmpdir()
local function file(name, content)
  local path = dir .. "/" .. name
  assert(kubeque.fs.write(path, content))
  return path
end
t.is(text(p.csv(file("a.csv", "x,y\n1,\"a,b\"\n 2 ,\n"))), "1 a,b; 2  ", "CSV: values as they stand")
t.is(text(p.file(file("a.tsv", "x\ty\n1\t\"q\"\n"))), "1 \"q\"", "TSV by its ending")
t.is(text(p.jsonl(file("a.jsonl", '{"x":1e2,"y":null}\n{"y":"é","x":true}\n'))), "1e2 ;true é",
  "JSON Lines")
t.is(text(p.json(file("a.json", ' [ {"x": 1.50, "y": "a]\\"},{"},\n{"y": [1, 2],"x": {"k": 1}} ]\n'))),
  "1.50 a]\"},{;{\"k\":1} [1,2]", "a JSON list")
t.is(text(p.of(dir .. "/a.json"):select "x"), "1.50;{\"k\":1}", "by its ending")
t.is(text(p.product({ k = { 1, 2 } }, p.csv(dir .. "/a.csv"):select "x")), "1 1;1  2 ;2 1;2  2 ",
  "files are factors")
for content, why in pairs {
  [""] = "the file is empty", ["{}"] = "a list of objects is needed", ["[1]"] = "object 1: not a JSON",
  ["[{\"a\":1}"] = "the list does not end", ["[{\"a\":1},]"] = "followed by no object",
  ["[{\"a\":1},,{\"a\":2}]"] = "followed by no object", ["[{\"a\":1}] x"] = "nothing may follow",
  ["[{\"a\":1},{\"b\":1}]"] = "object 2: the key \"b\"", ["[]"] = "has no rows",
  ["[{\"a\":1},{\"a\":}]"] = "object 2: not valid JSON", ["[{\"a\":1}}]"] = "object 1: not valid JSON",
} do
  local path = file("bad.json", content)
  t.like(fails(function() return text(p.json(path)) end), "bad.json.*" .. why, "JSON: " .. content)
end
t.like(fails(p.csv, dir .. "/nope.csv"), "nope.csv: No such file", "a missing file")
t.like(fails(text, p.csv(file("b.csv", "a,b\n1\n"))), "b.csv, line 2 %(row 1%)", "a bad row")
local moving = p.csv(file("m.csv", "a\n1\n2\n"))
local step = moving:iter()
step()
local out = assert(io.open(dir .. "/m.csv", "a"))
out:write "3\n"
out:close()
t.like(fails(function() while step() do end end), "changed while it was read",
  "a file that changes meanwhile")

-- a data base, made by Python's SQLite
assert(kubeque.proc.run { "python3", "-c",
  "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.executescript(sys.argv[2])", dir .. "/t.db",
  "create table t(a int, b text, c real); insert into t values (1,'x',0.1),(2,null,1e-9)" } == 0)
local db = dir .. "/t.db"
t.is(text(p.sqlite(db, "select * from t order by a desc")), "2  1e-09;1 x 0.1", "SQLite")
t.same(p.sqlite(db, "select a + 1 as n from t").columns, { "n" }, "columns of the query")
t.is(math.type(p.sqlite(db, "select a from t"):rows()[1].a), "integer", "numbers are numbers")
t.like(fails(p.sqlite, db, "select * from x"), "t.db: no such table: x", "a wrong query")
t.like(fails(p.sqlite, db, "delete from t"), "gives rows", "a query without rows")
t.like(fails(p.sqlite, db, "delete from t returning a"), "would change", "one that writes")
t.like(fails(p.sqlite, db, "select 1; select 2"), "one query", "two queries")
t.like(fails(text, p.sqlite(db, "select a, x'00ff' as d from t")), "row 1, column \"d\": a blob",
  "a blob")
t.is(text(p.product({ k = { 1 } }, p.sqlite(db, "select a from t"))), "1 1;1 2", "as a factor")
t.like(fails(p.sqlite, dir .. "/nope.db", "select 1"), "nope.db: No such file", "no database")
t.like(fails(p.sqlite, dir .. "/a.csv", "select * from sqlite_master"), "not a database",
  "what is no database")

-- ---- kept for a submission ----

local spool = assert(kubeque.spool(p.product({ s = { "a,b", "", "q\"" } }, { x = { 0.1, 2.0, true } })))
t.same({ spool.count, spool.columns }, { 9, { "s", "x" } }, "a spool knows rows and columns")
local csv = file("same.csv", "s,x\n\"a,b\",0.1\n\"a,b\",2\n\"a,b\",true\n,0.1\n,2\n,true\n"
  .. "\"q\"\"\",0.1\n\"q\"\"\",2\n\"q\"\"\",true\n")
t.is(spool.sha256, kubeque.cas.hash(csv), "its digest is that of the rows as CSV")
t.is(kubeque.spool(p.csv(csv)).sha256, spool.sha256, "which reads back to the same")
t.is(kubeque.spool(p.values { "", ";", "\t", "x" }).sha256,
  kubeque.cas.hash(file("one.csv", "value\n\"\"\n\";\"\n\"\t\"\nx\n")),
  "a single column is quoted where it would be misread")
t.is(kubeque.spool(p.csv(dir .. "/one.csv")).sha256, kubeque.cas.hash(dir .. "/one.csv"),
  "and reads back, too")
local function unfit(value)
  local got, why, code = kubeque.spool(p.values { 1, value })
  return not got and code == "script" and why or "accepted"
end
t.like(unfit(0 / 0), "^row 2, column \"value\": the number is not finite", "NaN")
t.like(unfit(math.huge), "^row 2, column \"value\": the number is not finite", "infinity")
t.like(unfit "a\0b", "^row 2, column \"value\": the text holds a NUL", "NUL")
t.like(unfit "\255", "^row 2, column \"value\": the text is not UTF%-8", "not UTF-8")
t.like(fails(kubeque.spool, p.values { 1 }:map { c = function() error "mine" end }),
  "test_params.lua:%d+: mine", "an error of the script's is raised as it is")
local huge, why = kubeque.spool(p.range(1, 100000001))
t.ok(not huge and why:find("more than 100,000,000 rows", 1, true), "more rows than a job may have")
t.like(fails(kubeque.spool, {}), "params expected", "what is no params")
t.like(fails(function() return spool.rows end), "a spool has no 'rows'", "what a spool has not")
spool:close()
t.like(fails(kubeque.submit, { rows = "params", spool = spool, words = { "x" } }), "it is closed",
  "a closed one is refused")
t.like(fails(kubeque.submit, { rows = "seq", spool = kubeque.spool(grid), words = { "x" } }),
  "goes with rows 'params'", "one that does not fit as well")
kubeque.fs.remove_tree(dir)
t.done()
