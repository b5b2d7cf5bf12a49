-- The declarations of the API (lua/api) say what is there, and all of it.

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua"
local tap = require "tap"
local is, same, like, ok = tap.is, tap.same, tap.like, tap.ok
local apidoc, apigen = require "kubeque.apidoc", require "kubeque.apigen"

-- ---- what is declared exists, what exists is declared ----

local index = apidoc.index()
local tree = apidoc.tree(true)

---The value at "kubeque.a.b", or nil.
local function value_at(path)
  local value = kubeque
  for part in path:gsub("^kubeque%.?", ""):gmatch "[^.]+" do
    local found, below = pcall(function() return value[part] end)
    value = found and below or nil
    if value == nil then
      return nil
    end
  end
  return value
end

local missing = {}
for path, e in pairs(index) do
  local value = path:find "^kubeque" and value_at(path)
  if e.kind == "function" and value == nil or e.kind == "table" and type(value) ~= "table"
    or e.kind == "value" and value == nil then
    missing[#missing + 1] = path
  end
end
same(missing, {}, "everything that is declared exists")

local undeclared = {}

---Names in a live table that the declarations do not know; those that begin with _ are private.
local function compare(path, live, declared)
  for name, value in pairs(live) do
    if type(name) == "string" and not name:find "^_" then
      local known = declared[name]
      if not known then
        undeclared[#undeclared + 1] = path .. "." .. name
      elseif type(known) == "table" and type(value) == "table" then
        compare(path .. "." .. name, value, known)
      end
    end
  end
end

for _, path in ipairs(kubeque.embedded.list "kubeque/") do -- what is loaded when it is first used
  value_at(path:gsub("/", "."))
end
compare("kubeque", kubeque, tree)
same(undeclared, {}, "everything that exists is declared")

local function methods_of(object)
  local names = {}
  for name in pairs(debug.getmetatable(object).__index) do
    names[#names + 1] = name
  end
  return names
end

local home = assert(kubeque.fs.tmpdir())
assert(kubeque.session { home = home, create = true })
assert(kubeque.submit { id = "a", rows = "one", words = { "true" }, default_image = "none",
  cluster = "local" })
local job = assert(kubeque.queue.job "a")
local objects = { manifest = assert(kubeque.manifest(job)), bell = assert(kubeque.watch(job.born)) }
for class, object in pairs(objects) do
  local unknown = {}
  for _, name in ipairs(methods_of(object)) do
    unknown[#unknown + 1] = not index[class .. ":" .. name] and name or nil
  end
  for path, e in pairs(index) do
    local name = e.kind == "method" and path:match("^" .. class .. ":(.*)")
    unknown[#unknown + 1] = name and not object[name] and name or nil
  end
  same(unknown, {}, "the methods of " .. class .. " are what is declared")
end

---Rows have the fields that are declared.
local function row(name, value)
  local fields, wrong = {}, {}
  for _, field in ipairs(index[name].decl.fields) do
    fields[field[1]] = true
    if value[field[1]] == nil and not field.optional then
      wrong[#wrong + 1] = "no " .. field[1]
    end
  end
  for key in pairs(value) do
    wrong[#wrong + 1] = not fields[key] and key or nil
  end
  same(wrong, {}, "a " .. name .. " is as declared")
end

row("job_row", job)
row("task_row", assert(kubeque.queue.task(job.born, 1)))
row("task_spec", assert(objects.manifest:task(1)))
row("machine_info", kubeque.machine())
row("file_info", kubeque.fs.stat(home))
assert(kubeque.queue.event_add { job = job.born, kind = "note" })
row("event_row", kubeque.queue.events(job.born)[1])
row("du_row", assert(kubeque.clean.du())[1])
objects.manifest:close()
kubeque.fs.remove_tree(home)

-- ---- types name what exists ----

local unknown = {}
local function types_of(at, list, where)
  for _, item in ipairs(list or {}) do
    for name in apidoc.type_names(item[where]) do
      local kind = (index[name] or {}).kind
      if kind ~= "class" and kind ~= "options" then
        unknown[#unknown + 1] = at .. ": " .. name
      end
    end
  end
end
for path, e in pairs(index) do
  types_of(path, e.decl.args, 2)
  types_of(path, e.decl.returns, 1)
  if e.kind ~= "table" then
    types_of(path, e.decl.fields, 2)
  end
end
same(unknown, {}, "every type is built in or declared")
same({ (function() local t = {} for n in apidoc.type_names 'fun(a: job, ...): table<string, "x"|row[]>' do
  t[#t + 1] = n end return table.unpack(t) end)() }, { "job", "row" }, "the names in a type")

local twice, seen = {}, {}
apidoc.each(function(path)
  twice[#twice + 1] = seen[path] and path or nil
  seen[path] = true
end)
same(twice, {}, "no name is declared twice")

-- ---- a declaration is read strictly ----

local function refused(change, pattern, name)
  local d = { name = "x", summary = "x", where = "host", global = "kubeque.x",
    functions = { { "f", help = "x", args = { { "a", "string" } } } } }
  change(d)
  local fine, why = pcall(apidoc.validate, d, "x.lua")
  ok(not fine, name .. ": refused")
  like(why, pattern, name)
end
refused(function(d) d.fuctions = {} end, "^x.lua: unknown key 'fuctions' %(did you mean functions%?%)",
  "a mistyped key")
refused(function(d) d.functions[1].args[1].opt = true end, "x.lua.functions%[1%].args%[1%]: unknown key 'opt'",
  "a key of an argument")
refused(function(d) d.functions[1].help = nil end, "functions%[1%]: 'help' is missing", "no help")
refused(function(d) d.functions[2] = d.functions[1] end, "'f' is there twice", "a name twice")
refused(function(d) d.where = "node" end, "'where' is", "an unknown place")
refused(function(d) d.functions[1].args[1][2] = nil end, "'2' is missing", "an argument without type")

-- ---- what is made from them ----

local cats = apigen.luacats()
ok(load(cats, "=cats", "t"), "the LuaCATS file is Lua")
like(cats, "^%-%-%-@meta\n", "and says what it is")
like(cats, "%-%-%-@param offset%? integer where to begin\n%-%-%-@return string%? # the content\n"
  .. "%-%-%-@return string%? why\n%-%-%-@return string%? code\n"
  .. "function kubeque%.fs%.read%(path, max, offset%) end", "a function with its types")
like(cats, "%-%-%-@class kubeque%.job_row\n%-%-%-@field born integer", "a row")
like(cats, "function bell:wait%(seconds%) end", "a method")
ok(not cats:find("kubeque.submitter", 1, true), "without what is internal")

local text = apigen.markdown()
like(text, "### `kubeque%.fs%.read%(path%[, max%[, offset%]%]%)`", "the reference has signatures")
like(text, "### `kubeque%.http%.request{options}`", "an option table stands in braces")
like(text, "%[fs%]%(#kubequefs%)", "and links")

local config = { files = {} }
ok(load(apigen.luacheckrc(), "=rc", "t", config), "the .luacheckrc is Lua")()
ok(config.read_globals.kubeque.fields.fs.fields.read, "and knows functions")
ok(not config.read_globals.kubeque.fields.submitter, "only public ones")
is(kubeque.json.decode(apigen.luarc())["runtime.version"], "Lua 5.4", "the .luarc.json is JSON")

local dir = assert(kubeque.fs.tmpdir())
same(apigen.write(dir), { dir .. "/.api/kubeque.lua", dir .. "/.luarc.json", dir .. "/.luacheckrc" },
  "all of them are written")
kubeque.fs.write(dir .. "/.luacheckrc", "-- mine")
same(apigen.write(dir), { dir .. "/.api/kubeque.lua" }, "again: only what is not the user's")
is(kubeque.fs.read(dir .. "/.luacheckrc"), "-- mine", "who may have changed it")
kubeque.fs.remove_tree(dir)

-- ---- help ----

like(apidoc.describe "fs.read", "^kubeque%.fs%.read%(path%[, max%[, offset%]%]%) %-> string, or nil, why, code\n",
  "help of a function")
like(apidoc.describe "kubeque.fs", "\n  read%(path", "help of a table lists its functions")
like(apidoc.describe "bell:wait", "^bell:wait%(seconds%)", "help of a method")
is(select(2, apidoc.describe "nothing"), nil, "what is near nothing")
local none, near = apidoc.describe "fs.raed"
ok(none == nil, "help of nothing")
is(near, "kubeque.fs.read", "names the nearest")

tap.done()
