-- Places, trust and what is run; the strict, lazy global `kubeque`; budgets; declarations.
-- luacheck: globals kubeque
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local fs, proc = kubeque.fs, kubeque.proc

local top = fs.realpath(fs.tmpdir())
local project = top .. "/project"
assert(fs.mkdir_p(project, 448))
proc.setenv("HOME", top)
proc.setenv("XDG_CONFIG_HOME", nil)
proc.setenv("KUBEQUE_ETC", top .. "/etc")
fs.chdir(project)

local scripts = require "kubeque.scripts"
local trust = require "kubeque.trust"
local command = require "kubeque.command"
local places = { user = top .. "/.config/kubeque/lua", site = top .. "/etc/lua",
  project = project .. "/.kubeque.d/lua" }

---Writes a script into a place, and forgets what was known.
local function write(place, rel, text)
  local path = places[place] .. "/" .. rel
  assert(fs.mkdir_p(path:match "^(.*)/", 493))
  assert(fs.write(path, text, 420))
  scripts.refresh()
  return path
end

local function agree()
  assert(trust.add(assert(trust.snapshot(places.project))))
  scripts.refresh()
end

local function fails(...)
  local ok, why = pcall(...)
  return not ok and (type(why) == "table" and why.message or tostring(why)) or nil
end

-- ---- the global kubeque ----
t.like(fails(function() return kubeque.fs.raed end),
  "test_scripts.lua:%d+: there is no kubeque.fs.raed %(did you mean kubeque.fs.read%?%)",
  "in a table below")
t.like(fails(function() return kubeque.quue end),
  "there is no kubeque.quue %(did you mean kubeque.queue%?%)", "in kubeque itself")
t.like(fails(function() return kubeque.comand end), "did you mean kubeque.command", "one that is not loaded yet")
t.like(fails(function() return kubeque.xyzzyx end), "there is no kubeque.xyzzyx$", "without any near")
t.is(kubeque[1], nil, "a key that is no name is nil")
t.is(rawget(kubeque, "open"), nil, "a module is not there before its first use")
t.is(type(kubeque.open), "function", "it is loaded then")
t.is(rawget(kubeque, "open"), kubeque.open, "once")
t.is(kubeque.command, command.declare, "kubeque.command is what its module makes public")
t.is(kubeque.config.linger, 30, "kubeque.config has the configuration's values")
t.like(fails(function() return kubeque.config.ligner end),
  "no kubeque.config.ligner %(did you mean kubeque.config.linger%?%)", "by their names")
t.is(require "kubeque.fs", kubeque.fs, "require knows what is in C")
t.like(fails(require, "kubeque.nosuch"), "there is no module 'kubeque.nosuch'", "and what is not there")

-- ---- open ----
t.like(fails(kubeque.open, { craete = true }),
  "kubeque.open: unknown key 'craete' %(did you mean create%?%)", "open is strict")
proc.setenv("KUBEQUE_HOME", top .. "/store")
t.is(kubeque.open(), false, "no store: false, and none is made")
t.is(fs.stat(top .. "/store"), nil, "none")
t.is(kubeque.open { create = true }, true, "made when asked for")
t.same(kubeque.queue.jobs {}, {}, "and open")
fs.write(top .. "/bad", "[config]\nlease = x\n")
local none, why, code = kubeque.open { config = top .. "/bad" }
t.ok(none == nil and code == "config" and why:find "bad:2", "what is wrong is nil, why, code")

-- ---- finding ----
t.is(scripts.find("policies", "default").place, "builtin", "built in")
t.like(scripts.find("policies", "default").text(), "on_task_failed", "its text")
none, why, code = scripts.find("policies", "defualt")
t.same({ none, why, code }, { nil, 'there is no policy "defualt" (did you mean default?)', "not_found" },
  "the nearest name")
write("site", "policies/default.lua", "return 'site'")
write("user", "policies/default.lua", "return 'user'")
local found = scripts.find("policies", "default")
t.is(found.place, "user", "the user's before the site's")
t.same(found.overrides, { { place = "site", path = places.site .. "/policies/default.lua" }, { place = "builtin" } },
  "what it overrides, the strongest first")
t.is(scripts.load(found), "user", "it runs")
t.is(scripts.find("policies", "default", { own = true }).overrides[2], nil, "own: not the built-in one")
t.is(require("builtin.policies.default") ~= "user", true, "require builtin.X is the built-in one whatever there is")
t.is(require "policies.default", "user", "require of the name is the strongest")
local path = write("user", "any/where.lua", "return 7")
found = scripts.find("recipes", path)
t.same({ found.place, found.name, scripts.load(found) }, { "file", "where", 7 }, "a name with a slash is a file")
none, why, code = scripts.find("recipes", "nosuch/file.lua")
t.same({ none, why, code }, { nil, "there is no file nosuch/file.lua", "usage" }, "that has to be there")
none, why, code = scripts.find("recipes", top)
t.ok(none == nil and code == "usage" and why:find "is a directory", "and to be one")
for _, name in ipairs { "", ".", "..", ".hidden", "a b", "-x" } do
  t.is(select(3, scripts.find("policies", name)), "usage", '"' .. name .. '" is no name')
end
write("user", "policies/a b.lua", "return 1")
write("user", "policies/.hidden.lua", "return 1")
write("user", "policies/notes.txt", "x")
t.same(scripts.names("policies", true), { "default" }, "nor are files with such names scripts")
local listed
for _, item in ipairs(scripts.list { kind = "policies" }) do
  listed = item.name == "default" and item.place or listed
end
t.is(listed, "user", "list() has what is in effect")

-- ---- trust: what was hashed is what runs ----
path = write("project", "policies/default.lua", "return 'project'")
write("project", "helper.lua", "return 'first'")
found, why = scripts.find("policies", "default")
t.is(found.place, "user", "an untrusted project is passed over")
t.is(why, "policy default of this project is not used: " .. places.project
  .. " is not trusted (look at its scripts, then: kubeque trust)", "with the reason")
agree()
found = scripts.find("policies", "default")
t.same({ found.place, found.path }, { "project", path }, "trusted, it comes first")
fs.write(path, "return 'swapped'")
fs.write(places.project .. "/helper.lua", "return 'swapped'")
t.is(scripts.load(found), "project", "a file that is exchanged after the check: what was hashed runs")
t.is(load(found.text())(), "project", "the text is that, too")
t.is(require "helper", "first", "also of a module")
t.same({ trust.state(places.project) }, { "changed", nil, places.project
  .. " has changed since it was trusted (look at its scripts, then: kubeque trust)" }, "the next process notices")
fs.write(path, "return 'project'")
fs.write(places.project .. "/helper.lua", "return 'first'")
t.is((trust.state(places.project)), "trusted", "and that it is as it was")

local a = trust.snapshot(places.project).sha256
fs.rename(places.project .. "/helper.lua", places.project .. "/helpe.lua")
t.ok(trust.snapshot(places.project).sha256 ~= a, "names count")
fs.remove(places.project .. "/helpe.lua")
fs.write(places.project .. "/a", "1\nb")
local one = trust.snapshot(places.project).sha256
fs.remove(places.project .. "/a")
fs.write(places.project .. "/a", "1")
t.ok(trust.snapshot(places.project).sha256 ~= one, "no content looks like a name")

-- ---- budgets ----
local clock = os.clock()
local budget = require "kubeque.budget"
t.like(fails(budget.run, 0.05, function() while true do end end),
  "test_scripts.lua:%d+: it took longer than 0.05 s", "a loop")
t.like(fails(budget.run, 0.05, function()
  while true do pcall(function() while true do end end) end
end), "took longer", "in pcall")
t.like(fails(budget.run, 0.05, function() local function f() pcall(f) return f() end f() end), "took longer",
  "where the C stack is used up")
t.like(fails(budget.run, 0.05, function() coroutine.wrap(function() while true do end end)() end), "took longer",
  "in a coroutine")
t.ok(os.clock() - clock < 2, "each was stopped in time")
t.same({ budget.run(1, function(...) return ... end, 1, nil, 3) }, { 1, nil, 3 }, "values pass")
t.same(fails(budget.run, 1, error, { message = "as it was" }), "as it was", "errors too")
t.is(budget.run(nil, function() return 5 end), 5, "no limit")
local outer = fails(budget.run, 0.1, function()
  pcall(budget.run, 10, function() while true do end end)
  while true do end
end)
t.like(outer, "took longer than 0.1 s", "a longer one inside does not extend it")
local sum = 0
for i = 1, 100000 do sum = sum + i end
t.is(sum, 5000050000, "nothing is left behind")
local fault = select(2, pcall(kubeque.budget,
  { seconds = 0.02, wall = true, message = "slow", code = "busy" }, function() while true do end end))
t.ok(fault.code == "busy" and fault.message:find "slow$", "a clock on the wall, a code")

-- ---- declarations ----
local function run() end
t.is(command.declare({ name = "x", summary = "s", run = run }).usage, "x", "usage is made")
t.is(command.declare({ name = "x", summary = "s", run = run, options = { { "a" } },
  args = { { "JOB" }, { "FILE", many = true, optional = true } } }).usage,
  "x [options] JOB [FILE...]", "from all of it")
t.like(fails(function() local c = command.declare { name = "x", sumary = "s" } return c end),
  "test_scripts.lua:%d+: kubeque.command: unknown key 'sumary'", "outside of a script: the caller's line")
t.like(fails(command.declare, 5), "a table expected, got number", "no table")
t.is(scripts.locate({ path = "x.lua", text = function() return "a\n-- word\nword = 1" end }, "word"),
  "x.lua:3", "a comment is no place")

t.done()
