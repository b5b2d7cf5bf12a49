-- Options of jobs as tables, and collections of results: what needs no store.

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua"
local tap = require "tap"
local is, same, like, ok = tap.is, tap.same, tap.like, tap.ok
local jobopt, results = require "kubeque.jobopt", require "kubeque.results"
local options = require "kubeque.options"
local sub = require "builtin.commands.sub"

local function read(t)
  return jobopt.read(t)
end

local function fails(t, pattern, name)
  local fine, why = pcall(jobopt.read, t)
  ok(not fine, name .. ": refused")
  like(tostring(why), pattern, name)
end

-- ---- a table says what a command line says ----

local function as_typed(words, t, name)
  local opt = assert(options.parse(sub, words))
  same(read(t).opt, opt, name)
end

as_typed({ "-r", "cpu=2,memory=4G", "true" }, { command = "true", resources = "cpu=2,memory=4G" },
  "resources as a text")
same(read({ resources = { cpu = 2, memory = "4G" } }).opt, { resources = { "cpu=2", "memory=4G" } },
  "resources as a table")
same(read({ resources = { cpu = 0.1 } }).opt.resources, { "cpu=0.1" }, "a fraction keeps its digits")
as_typed({ "--env", "A=1", "--env", "B=x y", "true" }, { env = { B = "x y", A = 1 } }, "variables")
as_typed({ "--env", "A=1", "--env", "HOME", "true" }, { env = { A = "1", HOME = true } },
  "a variable from here")
as_typed({ "--env", "A=1", "true" }, { env = "A=1" }, "a variable as typed")
as_typed({ "-u", "a", "-u", "b:c", "true" }, { push = { "a", "b:c" } }, "inputs")
as_typed({ "-u", "a", "true" }, { push = "a" }, "one input")
same(read({ push = { "a", { "b", { "c" } } } }).opt.push, { "a", "b", "c" }, "lists in a list")
as_typed({ "--timeout", "5m", "--retries", "3", "true" }, { timeout = "5m", retries = 3 }, "limits")
is(read({ timeout = 0.5 }).opt.timeout, 0.5, "seconds as a number")
is(read({ max_stdout = "1M" }).opt.max_stdout, 1000000, "a size")
is(read({ max_stdout = 1000000 }).opt.max_stdout, 1000000, "a size in bytes")
as_typed({ "--clean-env", "--keep-work", "true" }, { clean_env = true, keep_work = true,
  link_inputs = false }, "flags")
as_typed({ "--label", "a=b", "--label", "c=1", "true" }, { label = { a = "b", c = 1 } }, "labels")
as_typed({ "--seq", "5", "true" }, { seq = 5 }, "a number where a text stands")
as_typed({ "--no-nodes", "true" }, { no_nodes = true }, "an option of two words")
as_typed({ "--no-nodes", "true" }, { skipkube = true }, "and its alias")
as_typed({ "--outputs", "failed", "true" }, { outputs = "failed" }, "a choice")
is(read({ rerun = true }).opt.rerun, "unchanged", "an option whose value may be left out")
is(read({ rerun = "any" }).opt.rerun, "any", "or given")
same(read({ each = { "a", "b" } }).opt.each, { "a", "b" }, "words")
same({ read({ env = {}, push = {} }).opt }, { {} }, "empty lists are nothing")

same(read({ command = "echo a | cat" }).words, { "echo a | cat" }, "a shell line is one word")
same(read({ command = { "echo", 1, 2.5 } }).words, { "echo", "1", "2.5" }, "a list is words")
is(read({ params = "p.csv" }).opt.params, "p.csv", "a params file is sub's option")
local rows = read({ params = { { b = 1, a = "x" }, { a = "y", b = 2 } } }).rows
same(rows.columns, { "a", "b" }, "rows of a list")
same(rows:rows(), { { a = "x", b = 1 }, { a = "y", b = 2 } }, "with their values")

-- ---- mistakes name the line and the nearest word ----

fails({ comand = "x" }, "test_job.lua:%d+: job: unknown option comand %(did you mean command%?%)",
  "a misspelt option of its own")
fails({ retrys = 1 }, "unknown option retrys %(did you mean retries%?%)", "a misspelt option of sub")
fails({ "echo" }, "every option has a name: command = %.%.%.", "an option without a name")
fails({ retries = "many" }, 'job: option retries: "many" is not a whole number', "no number")
fails({ retries = 11 }, 'option retries: "11" is too large', "a number out of range")
fails({ retries = 1.5 }, '"1.5" is not a whole number', "a fraction")
fails({ timeout = "soon" }, 'job: option timeout: .*"soon"', "no duration")
fails({ outputs = "some" }, 'option outputs: "some" is none of all, failed, none', "no choice")
fails({ clean_env = "yes" }, "option clean_env: true or false expected, got a string", "no flag")
fails({ env = { A = {} } }, "option env: A: a text or a number expected, got a table", "no value")
fails({ push = { a = "b" } }, "option push: SPEC expected, got a table", "a table where a list is")
fails({ push = function() end }, "option push: SPEC expected, got a function", "a function")
fails({ command = {} }, "option command is empty", "an empty command")
fails({ command = "  " }, "option command is empty", "a blank one")
fails({ command = { "echo a" } }, 'command = "echo a" is a shell line', "a shell line in a list")
fails({ command = { "echo", {} } }, "word 2 is a table", "a word that is none")
fails({ params = { x = { 1, 2 } } }, "params.product{...}", "columns in place of rows")
fails({ params = { { a = 1 }, { b = 2 } } }, "row 2 has", "rows that differ")
fails({ params = "-" }, "stdin", "parameters from stdin")
fails({ fetch = "dir" }, "fetch is no option here: call :fetch%(DIR%)", "what belongs to waiting")
fails({ dry_run = true }, "kubeque run %-%-dry%-run", "a dry run of one job")
fails({ name = 3 }, "option name: a text expected, got a number", "a name that is no text")
fails("true", "a table of options expected", "no table")
fails({ name = "" }, "option name is empty", "an empty name")
fails({ id = "LAST" }, 'option id: "LAST": LAST stands for the last job', "an id with a meaning")
fails({ id = "a b" }, 'option id: "a b": ', "an id that is none")
fails({ command = { "echo", nil, "b" } }, "option command: item 2 of the list is nil", "a hole")
fails({ command = { "echo", x = "b" } }, "option command: a list expected: it has the key x", "a key")
fails({ command = "a\0b" }, "option command: the text holds a NUL byte", "NUL in a shell line")
fails({ command = { "a", "\0" } }, "option command: the text holds a NUL byte", "NUL in a word")
fails({ command = { "a", 0 / 0 } }, "option command: .* is no finite number", "no number")
fails({ cd = "a\0b" }, "option cd: the text holds a NUL byte", "NUL in an option")
fails({ push = { "a", nil, "b" } }, "option push: item 2 of the list is nil", "a hole in a list")
fails({ each = { "a", print } }, "option each: WORD... %-%- expected, got a function", "a word of --each")
fails({ timeout = 1 / 0 }, "test_job.lua:%d+: job: option timeout: inf is no finite number", "no time")
fails({ timeout = 0 / 0 }, "option timeout: .* is no finite number", "no number of seconds")
fails({ env = { ["A=B"] = 1 } }, 'option env: "A=B" is no name', "a variable with =")
fails({ env = { [""] = 1 } }, 'option env: "" is no name', "a variable without a name")
fails({ resources = { cpu = 0 / 0 } }, "option resources: .* is no finite number", "no amount")
fails({ params = { { a = 1 }, nil, { a = 2 } } }, "rows: item 2 of the list is nil", "a row that is nil")
fails({ nosuch = 1 }, "env, exclude, file", "each option is listed")
fails({ zzz = 1 }, "command, commands, each, env, exclude, file, id, image,", "once")

local outputs = setmetatable({ "/r/1/{x}.json:1/{x}.json" }, { __name = "outputs" })
same(read({ params = "p.csv", push = { "{x}.csv", outputs } }).opt.push,
  { "{x}.csv", "/r/1/{{x}}.json:1/{{x}}.json" }, "names of outputs are no templates")
same(read({ push = { outputs } }).opt.push, { "/r/1/{x}.json:1/{x}.json" },
  "and stand as they are where nothing is one")

-- ---- values ----

for text, want in pairs { ["1"] = 1, ["-5"] = -5, ["0.1"] = 0.1, ["1.0"] = 1.0, ["1e-3"] = 0.001,
  ["1e-05"] = 1e-05 } do
  local value = results.value(text)
  ok(value == want and math.type(value) == math.type(want), text .. " is a number")
end
for _, text in ipairs { "007", "1.10", "0x10", "nan", "inf", "12345678901234567890", "1e400", "", "5.",
  " 1", "2024-01-01", "-" } do
  is(results.value(text), text, ("%q is a text"):format(text))
end

-- ---- collections ----

local function collection()
  local list = {}
  for i, loss in ipairs { 0.5, 0.25, 1, 0.25 } do
    list[i] = { kq_task = i, lr = i / 10, loss = loss, opt = i % 2 == 0 and "adam" or "sgd" }
  end
  list[5] = { kq_task = 5, lr = 0.5, opt = "sgd" } -- without a loss
  list[6] = { kq_task = 6, lr = 0.6, opt = "sgd", loss = 0 / 0 }
  return results.new(list, { "lr", "opt" })
end

do
  local task = { kq_task = 7, x = 1 }
  local row = results.merge(task, { kq_task = 9, kq_mine = 1, x = 2 })
  same({ row.kq_task, row.x }, { 7, 2 }, "a file says what it likes of parameters, nothing of the task")
  local list = results.new({ { kq_task = 1, v = "nan" }, { kq_task = 2, v = "" }, { kq_task = 3, v = "NA" },
    { kq_task = 4, v = "-inf" }, { kq_task = 5, v = "2" } }, {})
  is(list:min("v").kq_task, 4, "texts that say inf are numbers")
  is(list:max("v").kq_task, 5, "texts that say nan, NA or nothing do not count")
  local fine, why = pcall(list.min, results.new({ { v = "NaN" } }, {}), "v")
  ok(not fine and why:find("no result has a number in v", 1, true), "none that counts")
  fine, why = pcall(list.min, results.new({ { v = "abc", kq_task = 1 } }, {}), "v")
  ok(not fine and why:find('v is "abc", not a number', 1, true), "a text that is no number")
end

local c = collection()
is(#c, 6, "a collection is a list")
is(c:min("loss").kq_task, 2, "min: the first of equal ones")
is(c:max("loss").kq_task, 3, "max")
is(c:min(function(row) return -row.lr end).kq_task, 6, "a function as field")
is(c:filter(function(r) return r.kq_task < 5 end):sum("loss"), 2.0, "sum")
is(c:mean("loss"), 0.5, "mean, without those that have none")
is(c:median("loss"), 0.375, "median of an even number")
is(c:filter(function(r) return r.kq_task < 4 end):median("loss"), 0.5, "and of an odd one")
same(c:list("opt"), { "sgd", "adam", "sgd", "adam", "sgd", "sgd" }, "list")
local function tasks(list)
  local out = {}
  for i, row in ipairs(list) do
    out[i] = row.kq_task
  end
  return out
end
local known = c:filter(function(r) return r.kq_task < 5 end)
same(tasks(known:sort("loss")), { 2, 4, 1, 3 }, "sort is stable")
same(tasks(known:sort("loss", "down")), { 3, 1, 2, 4 }, "down, too")
same(tasks(known:top(2, "loss")), { 2, 4 }, "top")
same(tasks(known:top(9, "loss", "down")), { 3, 1, 2, 4 }, "top of more than there are")
local groups = {}
for opt, list in c:group("opt") do
  groups[#groups + 1] = opt .. #list
end
same(groups, { "sgd4", "adam2" }, "group")
same(known:top(2, "loss"):params():rows(), { { lr = 0.2, opt = "adam" }, { lr = 0.4, opt = "adam" } },
  "params of the next job")
same(c:params { "opt" }:rows(), { { opt = "sgd" }, { opt = "adam" } }, "equal rows are one")
is(#c:rows(), 6, "a plain list")
is(getmetatable(c:rows()), nil, "without methods")

local function misuse(fn, pattern, name)
  local fine, why = pcall(fn)
  ok(not fine, name .. ": refused")
  like(tostring(why), pattern, name)
end
misuse(function() return c:min("los") end, "no result has a field los %(did you mean loss%?%)",
  "a field that nobody has")
misuse(function() return c:min("opt") end, 'task 1: opt is "sgd", not a number', "a text")
misuse(function() return results.new({}, {}):min("loss") end, "there are no results", "nothing")
misuse(function() return c:minn("loss") end, "results have no method minn %(did you mean min%?%)",
  "a misspelt method")
misuse(function() return c:sort("loss", "desc") end, '"up" or "down" expected', "another direction")
misuse(function() return c:params { "nosuch" } end, "task 1: nosuch is not there", "no such column")
misuse(function() return c:top("2", "loss") end, "a whole number expected", "top of a text")

local merged = results.new({ results.merge({ kq_task = 1, v = 1.5, w = 1 }, { loss = 2 },
  { v = "1.50", w = "1" }) }, { "v", "w" })
local row = merged:params():rows()[1]
ok(row.v == 1.5 and row.w == 1, "a value that is not what was submitted is written anew")
merged = results.new({ results.merge({ kq_task = 1, v = 0.001 }, nil, { v = "1e-3" }) }, { "v" })
is(merged:params():rows()[1].v, "1e-3", "a parameter goes on exactly as it was submitted")

-- ---- files ----

local dir = kubeque.fs.tmpdir()
local function file(name, text)
  local path = dir .. "/" .. name
  assert(kubeque.fs.write(path, text))
  return path
end
same(results.read(file("a.json", '{"loss": 0.5, "n": 3, "gone": null}')), { { loss = 0.5, n = 3 } },
  "a JSON object")
same(results.read(file("b.json", '[{"a": 1}, {"a": 2}]')), { { a = 1 }, { a = 2 } }, "a JSON list")
same(results.read(file("e.json", "[]")), {}, "an empty one")
same(results.read(file("n.json", "7")), { { value = 7 } }, "a JSON number")
local odd = results.read(file("nan.json", '\xef\xbb\xbf{"a": NaN, "b": [-Infinity, Infinity], '
  .. '"c": "NaN \\"Infinity", "d": 12345678901234567890123, "e": 1.25, "f": -1e-3}'))[1]
ok(odd.a ~= odd.a and odd.b[1] == -1 / 0 and odd.b[2] == 1 / 0, "numbers as Python writes them")
same({ odd.c, odd.d, odd.e, odd.f }, { 'NaN "Infinity', 12345678901234567890123, 1.25, -1e-3 },
  "texts are left alone, long numbers are rounded")
for _, bad in ipairs { "{NaN: 1}", '{"a": nan}', '{"a": NaNa}', '{"a": "NaN}', "NaN NaN" } do
  ok(not pcall(results.read, file("bad.json", bad)), "no JSON: " .. bad)
end
same(results.read(file("a.jsonl", '{"a": 1}\n\n{"a": 2}\n')), { { a = 1 }, { a = 2 } }, "JSONL")
same(results.read(file("a.csv", 'a,b\n1,"x,y"\n02,z\n')), { { a = 1, b = "x,y" },
  { a = "02", b = "z" } }, "CSV")
same(results.read(file("h.csv", "a,b\n")), {}, "CSV without rows")
same(results.read(file("a.tsv", "a\tb\n1\t2\n")), { { a = 1, b = 2 } }, "TSV")
same(results.read(file("a.txt", "hello\n")), { { text = "hello\n" } }, "any other file")
local fine, why = pcall(results.read, file("bad.json", "{"))
ok(not fine and tostring(why):find("bad.json: ", 1, true), "a damaged file is named")
kubeque.fs.remove_tree(dir)

tap.done()
