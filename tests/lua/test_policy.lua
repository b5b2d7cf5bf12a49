-- kubeque.policy: declaring a policy, choosing one by a SPEC, its options.

package.path = arg[0]:match("^(.*)/") .. "/?.lua"
local t = require "tap"
local policy = require "kubeque.policy"
local declare = policy.public

-- ---- declaring ----

local good = { name = "x", summary = "y", options = { k = 1, s = "", b = false, l = { 1 } }, same = true,
  on_submit = print, on_task_failed = print, on_task_lost = print, scale = print, on_event = print }
t.is(declare(good), good, "a declared policy is the table itself")
for _, case in ipairs {
  { 7, "returns a table of hooks, not a number" },
  { { on_task_fialed = print }, "a policy has no 'on_task_fialed' %(did you mean on_task_failed%?%)" },
  { { wholly_else = 1 }, "a policy has no 'wholly_else' %(hooks are on_submit, on_task_failed, " },
  { { [1] = print }, "a policy is a table of names, it has a number as a key" },
  { { scale = 4 }, "'scale' is a function, not a number" },
  { { name = 4 }, "'name' is a text, not a number" },
  { { same = 1 }, "'same' is a boolean, not a number" },
  { { options = 1 }, "'options' is a table, not a number" },
  { { options = { ["a-b"] = 1 } }, "the name of an option is letters, digits and _" },
  { { options = { f = print } },
    "option 'f': its default is a text, a number, a boolean or a list, not a function" },
  { { options = { l = { {} } } }, "option 'l': its default is .* or a list, not a table" },
  { { options = { l = { x = 1 } } }, "option 'l': its default is .* or a list, not a table" },
} do
  local ok, why = pcall(declare, case[1])
  t.ok(not ok, "refused")
  t.like(why, case[2], "with the sentence: " .. case[2])
end
local _, why = pcall(function() declare { scal = print } end)
t.like(why, "test_policy.lua:%d+: a policy has no 'scal'", "an error names the line that declares")

-- ---- SPEC ----

local function parsed(spec)
  local p, fault = policy.parse(spec)
  if not p then
    return fault
  end
  local list = {}
  for key, value in pairs(p.options) do
    list[#list + 1] = key .. "=" .. tostring(value)
  end
  table.sort(list)
  return (p.name and "name " .. p.name or "file " .. p.path) .. " " .. table.concat(list, ";")
end

for spec, want in pairs {
  ["memory"] = "name memory ",
  ["memory:cap=16G"] = "name memory cap=16G",
  ["memory:cap=16G,factor=3"] = "name memory cap=16G;factor=3",
  ["mine.lua"] = "file mine.lua ",
  ["a/b.lua:k=1"] = "file a/b.lua k=1",
  ["./b"] = "file ./b ",
  ["C:x/p.lua:k=1"] = "file C:x/p.lua k=1",
  ["backoff:codes=75,111,after=3"] = "name backoff after=3;codes=75,111",
  ["webhook:url=http://h:1/a?b=c,events=task_failed,job_ended"] =
    "name webhook events=task_failed,job_ended;url=http://h:1/a?b=c",
  ['command:command="a b,c=d ""e""",x=1'] = 'name command command=a b,c=d "e";x=1',
  ['m:k=a"b,c=1"d'] = "name m k=ab,c=1d",
  ["m:k="] = "name m k=",
  [""] = "a policy is a NAME or FILE.lua, with :KEY=VALUE,... behind it for options",
  ["m:cap"] = "policy m:cap: options are KEY=VALUE: m:KEY=VALUE,...",
  [":k=1"] = 'policy ":k=1": it begins with a NAME or FILE.lua',
  ["m:k=1,k=2"] = "policy m: option k is given twice",
  ['m:k="a'] = "policy m: option k: a quote that does not end",
} do
  t.is(parsed(spec), want, ("SPEC %q"):format(spec))
end
t.is(parsed { "memory", cap = "8G", factor = 3 }, "name memory cap=8G;factor=3", "options as values")
t.is(parsed { "memory:cap=1G", factor = 3 }, "name memory cap=1G;factor=3", "of both kinds")

t.same(policy.split " memory  a.lua:k=1 command:command=\"a b\" ",
  { "memory", "a.lua:k=1", 'command:command="a b"' }, "SPECs of the configuration, separated by blanks")
t.same(policy.split "", {}, "none")
t.is(policy.rooted("a/b.lua:k=c/d.lua", "/x"), "/x/a/b.lua:k=c/d.lua", "a file starts at the configuration file")
t.is(policy.rooted("memory:k=/", "/x"), "memory:k=/", "a name does not")
t.is(policy.rooted("/a.lua", "/x"), "/a.lua", "nor an absolute path")
t.is(policy.rooted("~/a.lua:k=1", "/x"), os.getenv "HOME" .. "/a.lua:k=1", "~ is the home directory")

-- ---- options ----

local defaults = { cap = "16G", k = 3, on = false, codes = { 75 }, events = { "x" } }
local function options(given)
  local out, fault = policy.options("p", given, defaults)
  return out or fault
end
t.same(options { cap = "1G", k = "4", on = "true", codes = "1,2", events = "a,b" },
  { cap = "1G", k = 4, on = true, codes = { 1, 2 }, events = { "a", "b" } }, "each as the type of its default")
t.same(options { cap = 5, k = 1.5, on = false, codes = { 7 }, events = "a" },
  { cap = "5", k = 1.5, on = false, codes = { 7 }, events = { "a" } }, "values as well as texts")
t.is(math.type(options { k = "4" }.k), "integer", "a whole number stays one")
t.same(options {}, {}, "defaults are not repeated")
for text, given in pairs {
  ["policy p has no option 'kk' (did you mean k?)"] = { kk = 1 },
  ["policy p has no option 'zzzzz' (there is: cap, codes, events, k, on)"] = { zzzzz = 1 },
  ["policy p: option k=x: a number expected (the default is 3)"] = { k = "x" },
  ["policy p: option k=nan: a number expected (the default is 3)"] = { k = "nan" },
  ["policy p: option on=yes: true or false expected (the default is false)"] = { on = "yes" },
  ["policy p: option codes=1,x: numbers separated by commas expected (the default is 75)"] = { codes = "1,x" },
  ["policy p: option cap=true: a text expected (the default is 16G)"] = { cap = true },
} do
  t.is(options(given), text, text)
end
t.is(select(2, policy.options("p", { a = 1 }, {})), "policy p has no option 'a'", "a policy without options")

t.done()
