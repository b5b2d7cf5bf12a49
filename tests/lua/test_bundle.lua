-- kubeque.bundle: what travels with a job; kubeque.jobpolicy: how it is shown.

package.path = arg[0]:match("^(.*)/") .. "/?.lua"
local t = require "tap"
local fs = kubeque.fs
local bundle = require "kubeque.bundle"
local fault = require "kubeque.fault"
local jobpolicy = require "kubeque.jobpolicy"
local scripts = require "kubeque.scripts"

local top = fs.realpath(fs.tmpdir())
kubeque.proc.setenv("HOME", top)
kubeque.proc.setenv("XDG_CONFIG_HOME", nil)
kubeque.proc.setenv("KUBEQUE_ETC", top .. "/etc")

local function file(name, text)
  local path = top .. "/" .. name
  fs.mkdir_p(path:match "^(.*)/")
  assert(fs.write(path, text))
  scripts.refresh()
  return path
end

local function made(...)
  return kubeque.json.decode(bundle.make({ ... }).text)
end

local function refused(...)
  local ok, why = pcall(bundle.make, { ... })
  local f = not ok and fault.of(why)
  return f and f.message or tostring(why), f and f.code
end

local function modules(b)
  local names = {}
  for name, module in pairs(b.modules) do
    names[#names + 1] = name .. "=" .. module.file
  end
  table.sort(names)
  return table.concat(names, " ")
end

-- ---- what is in it ----

local b = made("memory:cap=2G", "failfast")
t.is(modules(b), "policies.failfast=policies/failfast.lua policies.memory=policies/memory.lua",
  "a stock policy is one module")
t.same(b.policies, { { name = "memory", module = "policies.memory", options = { cap = "2G" } },
  { name = "failfast", module = "policies.failfast", options = {} } },
  "the chain in the order chosen, options as values")
t.is(b.modules["policies.memory"].text, kubeque.embedded.text "policies/memory",
  "with its text, so that an upgrade changes nothing")

local a = file("a/p.lua", [[
local one, two = require "lib.one", require("two")
local ok, none = pcall(require, "nowhere")
-- require "not.this"
return { options = { k = one + two }, on_task_failed = function() return ok and none end }]])
file("a/lib/one.lua", 'return require "lib.deep"\n')
file("a/lib/deep.lua", "return 1\n")
file("a/two.lua", "return 2\n")
b = made(a)
t.is(modules(b), "lib.deep=lib/deep.lua lib.one=lib/one.lua p.lua=p.lua two=two.lua",
  "what a file requires comes along, and what that requires; names do not say where it was")
b = made(a .. ":k=1", a .. ":k=2")
t.is(#b.policies .. modules(b), "2lib.deep=lib/deep.lua lib.one=lib/one.lua p.lua=p.lua two=two.lua",
  "a file chosen twice is there once")
local other = file("b/p.lua", 'return { scale = function() return require "x" end }\n')
file("b/x.lua", "return 1\n")
t.is(modules(made(a, other)), "lib.deep=lib/deep.lua lib.one=lib/one.lua p.lua#2=p.lua p.lua=p.lua two=two.lua x=x.lua",
  "two files of one name are two modules")
file("b/two.lua", "return 22\n")
other = file("b/q.lua", 'return { options = { k = require "two" } }\n')
t.like(refused(a, other), "two policies require 'two' and mean different files: .*/a/two.lua and .*/b/two.lua",
  "two modules of one name are refused")
t.is(modules(made(other)), "q.lua=q.lua two=two.lua", "alone it is fine")

-- ---- where it comes from ----

file(".config/kubeque/lua/policies/memory.lua", [[
local stock = require "builtin.policies.memory"
local shared = require "shared"
return { summary = "mine " .. shared, options = stock.options, on_task_failed = stock.on_task_failed }]])
file(".config/kubeque/lua/shared.lua", 'return "and ours"\n')
b = bundle.make { "memory:cap=1G" }
t.is(b.policies[1].summary, "mine and ours", "a user's policy of that name is the stronger one")
t.is(modules(kubeque.json.decode(b.text)),
  "builtin.policies.memory=builtin/policies/memory.lua policies.memory=policies/memory.lua shared=shared.lua",
  "it may use the one it replaces, and modules beside the folder")
t.same(b.policies[1].defaults, { cap = "16G", factor = 2 }, "what may be chosen is known")
t.same(b.policies[1].hooks, { "on_task_failed" }, "and which hooks there are")

-- ---- the same bytes ----

local first = bundle.make({ a }).text
for _ = 1, 5 do
  t.is(bundle.make({ a }).text == first, true, "the same again")
end
fs.mkdir_p(top .. "/c")
for _, name in ipairs { "p.lua", "two.lua", "lib/one.lua", "lib/deep.lua" } do
  file("c/" .. name, fs.read(top .. "/a/" .. name))
end
t.is(bundle.make({ top .. "/c/p.lua" }).text, first, "from another directory")
t.ok(bundle.make({ a .. ":k=7" }).text ~= first, "not with another option")

-- ---- what is refused ----

local text, code = refused(file("bad/p.lua", '\nlocal x = require "twoo"\n'))
t.like(text, "bad/p.lua:2: there is no module 'twoo'", "a module that is not there")
t.is(code, "script", "is the script's fault")
text, code = refused(file("bad/p.lua", "return {\n  scal = function() end }\n"))
t.like(text, "bad/p.lua", "what the sandbox refuses")
t.is(code, "script", "too")
text, code = refused(file("bad/p.lua", ("-- %s\n"):format(("x"):rep(1 << 20))))
t.like(text, "at most 1048576 travel with a job: the largest file is .*/bad/p.lua %(1048580 bytes%)",
  "a file of more than 1 MB")
t.is(code, "usage", "is a matter of choice")
t.like(refused(file("bad/p.lua", "return {}\n-- \0\n")), "bad/p.lua:2: a policy is UTF%-8 text without NUL bytes",
  "a NUL byte")
t.like(refused(file("bad/p.lua", "\27Lua")), "bad/p.lua: bytecode is not allowed", "bytecode")

-- ---- choosing for a submission ----

local config = { policy = { "failfast:k=5" }, _source = { policy = "/x/.kubeque:3" } }
local function names(chosen, conf)
  local found = bundle.choose(chosen, conf)
  local list = {}
  for i, p in ipairs(found and kubeque.json.decode(found).policies or {}) do
    list[i] = jobpolicy.spec(p.name, p.options)
  end
  return table.concat(list, " ")
end
t.is(names(nil, {}), "", "nobody said anything")
t.is(names(nil, config), "failfast:k=5", "the configuration did")
t.is(names({ "spot" }, config), "spot", "the command line is stronger")
t.is(names({ "none" }, config), "", "also when it says none")
t.is(names("spot", {}), "spot", "a recipe may write one SPEC")
t.is(names({ "failfast", k = 2 }, {}), "failfast:k=2", "with options as a table")
t.is(names({ "spot", { "failfast", k = 2 } }, {}), "spot failfast:k=2", "or several")
local ok, why = pcall(bundle.choose, nil, { policy = { "nosuch" }, _source = config._source })
t.ok(not ok and fault.of(why).code == "config", "a mistake in the configuration is one")
t.like(fault.of(why).message, "^/x/.kubeque:3: policy: there is no policy", "and names its line")

-- ---- as a SPEC again ----

local policy = require "kubeque.policy"
for _, options in ipairs { {}, { cap = "1G" }, { a = 1, b = "x y" }, { command = 'say "hi", you' },
  { codes = { 1, 2 } },
  { on = true, n = 1.5 } } do
  local spec = jobpolicy.spec("p", options)
  local parsed = assert(policy.parse(spec))
  local defaults = { cap = "", a = 0, b = "", command = "", codes = { 0 }, on = false, n = 0 }
  t.same(policy.options("p", parsed.options, defaults), options, spec .. " means what it came from")
end

t.done()
