-- What `kubeque scripts check` finds: every kind of mistake with its line, and none where there is none.

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua"
local tap = require "tap"
local is, like, ok = tap.is, tap.like, tap.ok
local check = require "kubeque.check"

---"LINE: text" of each problem.
local function problems(path, text)
  local out = {}
  for i, p in ipairs((check.text(path, text))) do
    out[i] = p.line .. ": " .. p.text
  end
  return table.concat(out, "\n")
end

local function found(text, want, name, path)
  is(problems(path or "x.lua", text), want, name)
end

-- ---- any script ----

like(problems("x.lua", "local a = = 1"), "^1: unexpected symbol near '='$", "a syntax error")
like(problems("x.lua", "\n\nif x then"), "^3: 'end' expected", "with its line")
found("#!/usr/bin/env kubeque lua\nprint(1)", "", "a first line for the system is fine")
found("local t = kubeque.fs.raed 'x'", "1: there is no kubeque.fs.raed (did you mean kubeque.fs.read?)",
  "an unknown function")
found("\nkubeque.quue.job('x')", "2: there is no kubeque.quue (did you mean kubeque.queue?)", "an unknown table")
found("local fs = kubeque.fs\nlocal q = fs\nq.lsit '.'",
  "3: there is no kubeque.fs.lsit (did you mean kubeque.fs.list?)", "through a local")
found("local fs = kubeque.fs fs = other() fs.lsit '.'", "1: there is no global other", "one that became something else")
found("local kubeque = { raed = 1 } print(kubeque.raed)", "", "a local of that name is another table")
found("-- kubeque.raed\nprint 'kubeque.raed' print [[kubeque.raed]]", "", "comments and strings are none")
found("print(kubeque.version.whatever, kubeque.json.null.x)", "", "behind a value nothing is known")
found("kubeque.queue.jobs { limt = 3, pattern = 'x' }",
  "1: kubeque.queue.jobs has no key 'limt' (did you mean limit?)", "a key of an option table")
found("local q = kubeque.queue\nq.tasks(1, {\n  sates = { 'failed' } })",
  "3: kubeque.queue.tasks has no key 'sates' (did you mean states?)", "in the second argument, on its own line")
found("kubeque.proc.run { 'ls', '-l', stdn = 'x' }", "1: kubeque.proc.run has no key 'stdn' (did you mean stdin?)",
  "beside words")
found("prnt(1)", "1: there is no global prnt (did you mean print?)", "an unknown global")
found("local f = function() return xyz end", "1: there is no global xyz", "in a function")
found("local n = 1\nif n then\n  cuont = n\nend\nprint(cuont)", '3: cuont becomes a global: write "local cuont"',
  "an assigned one, once")
found("function helper() end", '1: helper becomes a global: write "local helper"', "a function")
found("print(late) late = 1", '1: late becomes a global: write "local late"', "used before it is assigned")
found("package.path = 'x' string.trim = 1 _G.x = 1", "", "fields of globals are not globals")
found("local x <const> = 1; for i = 1, x do print(i) end goto e ::e::", "", "a script without mistakes")

-- ---- policies ----

local P = "policies/x.lua"
found([[return kubeque.policy { name = "x", on_task_failed = function(task, attempt) return "retry" end }]], "",
  "a policy", P)
found("return { on_task_failed = function() end }", "", "a plain table is one, too", P)
found("return kubeque.policy {\n  on_task_faild = function() end }",
  "2: kubeque.policy has no key 'on_task_faild' (did you mean on_task_failed?)", "an unknown hook", P)
found("local p = {}\np.on_task_faild = function() end\nreturn p",
  "2: a policy has no 'on_task_faild' (did you mean on_task_failed?)", "one that only shows when it is loaded", P)
found("return kubeque.policy {\n  on_task_lost = function(a, b, c, d, e) end }",
  "2: on_task_lost is called with (task, node, job, options), and takes 5 parameters", "too many parameters", P)
found("return kubeque.policy { on_event = function(...) end, scale = function() end }", "",
  "fewer, or any, are fine", P)
found("return kubeque.policy { scale = 3 }", "1: 'scale' is a function, not a number", "a hook that is none", P)
found("local f = io.open\nreturn kubeque.policy { scale = function() return os.time() end }",
  "1: a policy has no io: it decides, on a node, without files, processes, network and clock\n"
  .. "2: a policy has no os: it decides, on a node, without files, processes, network and clock",
  "no files, no clock", P)
found("return kubeque.policy {\n scale = function() return #kubeque.fs.list '.' end }",
  "2: a policy has no kubeque.fs.list: it decides, on a node, without files, processes, network and clock",
  "nothing of the host", P)
found("local m = kubeque.units.memory '1G' return kubeque.policy { scale = function() return m end }", "",
  "what the sandbox has is fine", P)
found("local t = nil\nlocal x = t.y\nreturn kubeque.policy {}", "2: attempt to index a nil value (local 't')",
  "an error while it is loaded", P)
found("while true do end", "1: it took longer than 0.5 s to load: do the work in its functions, not in the body of "
  .. "the file", "a body without end", P)
found("local x = 1", "1: the file returns nothing: a policy ends with `return kubeque.policy{...}`",
  "no declaration", P)
is(select(2, check.text("x.lua", "return kubeque.policy {}")), "policy", "the content tells the kind")
is(select(2, check.text("x.lua", "return { on_event = f }")), "policy", "also of a plain table")

-- ---- what is said to be in the sandbox is there, and nothing else ----

---What a policy file's body raises in the sandbox.
local function from_sandbox(body)
  local bundle = kubeque.json.encode { schema = 1, policies = { { name = "x", module = "x",
    options = kubeque.json.decode "{}" } }, modules = { x = { file = "x.lua", text = body } } }
  local answer, why = kubeque.policies.check(bundle)
  return not answer and why:match "<(.*)>" or why or "it loads"
end

---Which of these names a table of the sandbox has, and which it should have.
local function compare(table_name, all, wanted, name)
  local asked, want = {}, {}
  for key in pairs(all) do
    asked[#asked + 1] = ("%q"):format(key)
    want[#want + 1] = wanted(key) and key or nil
  end
  table.sort(asked)
  table.sort(want)
  is(from_sandbox(([[local found = {}
for _, name in ipairs { %s } do
  local ok, value = pcall(function() return %s[name] end)
  found[#found + 1] = ok and value ~= nil and name or nil
end
error("<" .. table.concat(found, " ") .. ">")]]):format(table.concat(asked, ", "), table_name)),
    table.concat(want, " "), name)
end

local known = require "kubeque.check_names"
compare("_G", known.host_globals, function(key) return known.policy_globals[key] end,
  "the globals of a policy")
local index = require("kubeque.apidoc").index()
compare("kubeque", require("kubeque.apidoc").tree(true), function(key)
  local e = index["kubeque." .. key]
  return e and (e.decl.where or e.domain.where) ~= "host"
end, "what kubeque gives a policy")

-- ---- commands, providers, recipes ----

local C = "commands/x.lua"
local command = 'return kubeque.command {\n  name = "x", summary = "x",\n  %s }'
found(command:format "run = function(opt, args, ctx) end", "", "a command", C)
found(command:format "rnu = function() end", "3: kubeque.command has no key 'rnu' (did you mean run?)",
  "an unknown key", C)
like(problems(C, command:format "args = {}"), "kubeque%.command: 'run' is missing", "a missing one")
found(command:format "run = function(a, b, c, d) end", "3: run is called with (opt, args, ctx), and takes 4 parameters",
  "parameters of run", C)
like(problems(C, command:format 'options = { { "n", typ = "int" } }, run = print'), "^%d+: .*unknown key 'typ' "
  .. "%(did you mean type%?%)$", "a key of an option")
found("kubeque.fs.write('x', 'y')\nreturn kubeque.command { name = 'x', summary = 'x', run = print }",
  "1: kubeque.fs.write is called while the file is loaded: call it in one of its functions", "work in the body", C)
found("os.execute 'true'\nreturn kubeque.command { name = 'x', summary = 'x', run = print }",
  "1: os.execute is called while the file is loaded: call it in one of its functions", "of any kind", C)
found("local fs = kubeque.fs\nlocal function f() return fs.read 'x' end\n"
  .. "return kubeque.command { name = 'x', summary = 'x', run = f }", "", "to name a function is fine", C)
ok(not kubeque.fs.stat "x", "and nothing was done")
like(problems("providers/x.lua", "return kubeque.provider { name = 'x', summary = 'x', requires = 'any queue',\n"
  .. "list = function() end }"), "'add' is missing", "a provider")
found("return kubeque.provider { name = 'x', summary = 'x', requires = 'any queue', add = function() end,\n"
  .. "list = function(a, b, c, d) end }", "2: list is called with (cluster, options, place), and takes 4 parameters",
  "its functions")
is(select(2, check.text("x.lua", "job { command = 'x' }:submit()")), "recipe", "a recipe by its content")
found("local p = params.range(1, 3) print(args[1], set.x, job)", "", "knows its globals", "recipes/x.lua")
found("error 'never run'", "", "and is not run", "recipes/x.lua")
found("print(params)", "", "as is any script", "examples/x.lua")

-- ---- files ----

local dir = assert(kubeque.fs.tmpdir())
kubeque.fs.write(dir .. "/bad.lua", "prnt()\n\nkubeque.raed()")
is(#check.file(dir .. "/bad.lua"), 2, "a file")
is(select(3, check.file(dir .. "/none.lua")), "not_found", "that is not there")
kubeque.fs.write(dir .. "/p.lua", "local f = string.dump\n"
  .. "return kubeque.policy { on_event = function() return f() end }")
is(#check.file(dir .. "/p.lua"), 0, "a policy that is a file")
kubeque.fs.write(dir .. "/p.lua", "local x = 1\nlocal f = coroutine\nreturn kubeque.policy {}")
is(check.file(dir .. "/p.lua")[1].line, 2, "is loaded")
kubeque.fs.write(dir .. "/p.lua", "return kubeque.policy {}\n, require 'nosuch'")
is(#check.file(dir .. "/p.lua"), 1, "also what it requires")
local deep = dir .. ("/a-folder-with-a-long-name"):rep(4)
kubeque.fs.mkdir_p(deep)
kubeque.fs.write(deep .. "/s.lua", "\nx = = 1")
is(check.file(deep .. "/s.lua")[1].line, 2, "a long path, which Lua cuts in its messages")
kubeque.fs.write(deep .. "/p.lua", "\n\nlocal x = nil + 1\nreturn kubeque.policy {}")
is(check.file(deep .. "/p.lua")[1].line, 3, "also while it is loaded")
kubeque.fs.write(dir .. "/p.lua", "-- 1\nlocal n = #string.dump(print)\nreturn kubeque.policy {}")
local problem = check.file(dir .. "/p.lua")[1]
is(problem and problem.line, 2, "in the sandbox, as on a node")
kubeque.fs.remove_tree(dir)

-- ---- what is part of the program ----

for _, path in ipairs(kubeque.embedded.list()) do
  local text = problems("lua/" .. path .. ".lua", kubeque.embedded.text(path))
  if text ~= "" then
    is(text, "", path .. " is fine")
  end
end
ok(#kubeque.embedded.list() > 50, "every script of the program is fine")

local root = arg[0]:match("^(.*)/tests/") or "."
local examples = kubeque.fs.glob(root .. "/examples/**/*.lua")
for _, path in ipairs(examples) do
  is(problems(path, kubeque.fs.read(path)), "", path:sub(#root + 2) .. " is fine")
end

tap.done()
