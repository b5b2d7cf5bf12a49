-- The declarations of kubeque's Lua API: lua/api/NAME.lua, one file a domain. From them come the
-- reference (docs/lua-reference.md), the LuaCATS file of editors, .luacheckrc, `kubeque scripts
-- check`, and completion and help of `kubeque lua`. A test compares them with what exists.
--
-- A file returns a table; all keys are checked when it is loaded:
--
--   name      of the domain = of the file;   summary   what it is for, half a sentence
--   global    the table it describes: "kubeque", "kubeque.fs"; none: only classes and tables
--   where     "host" (commands, recipes, providers), "policy" (the sandbox of policies) or "both"
--   help      paragraphs for the reference
--   internal  true: kubeque's own, may change at any time; only the names count
--   functions { { "read", args = {...}, returns = {...}, fails = true, help =, example =, where = } }
--             fails: `nil, why, code` when the world says no
--   call      the same without a name, for a table that is called: kubeque.fs{...}
--   fields    { { "null", "any", "help" } }: values in the table
--   classes   { { "params", help =, fields = {...}, methods = { as functions } } }: objects
--   tables    { { "job_row", help =, fields = {...} } }: option tables and rows
--
--   an argument is { "path", "string", "help", optional = true, default = "what it then is" };
--   "..." is allowed as a name; a field is written like an argument; a returned value is
--   { "string", "help" }. Types are those of LuaCATS ("string", "integer", "number", "boolean",
--   "table", "function", "any", "T[]", "T|U", "T?", "table<K,V>", "fun(a: T): U", '"literal"');
--   other names are classes and tables of any domain, unique among all.

local names = require "kubeque.names"

local M = {}

local places = { host = true, policy = true, both = true }

-- ---- checking a declaration: where something is wrong is said as a path into it ----

local check = {}

local function wrong(at, format, ...)
  error(at .. ": " .. format:format(...), 0)
end

---Raises unless the keys of `value` are in `known` {key = type, key = {type, required}}.
local function check_keys(at, value, known)
  if type(value) ~= "table" then
    wrong(at, "a table is needed, not a %s", type(value))
  end
  for key, item in pairs(value) do
    local kind = known[key] or type(key) == "number" and known["#"]
    if not kind then
      local words = {}
      for name in pairs(known) do
        words[#words + 1] = type(name) == "string" and name ~= "#" and name or nil
      end
      wrong(at, "unknown key '%s'%s", key, names.hint(key, words, { other = "" }))
    end
    kind = type(kind) == "table" and kind[1] or kind
    if type(item) ~= kind then
      wrong(at, "'%s' must be a %s, not a %s", key, kind, type(item))
    end
  end
  for key, kind in pairs(known) do
    if type(kind) == "table" and value[key] == nil then
      wrong(at, "'%s' is missing", key)
    end
  end
end

---Calls check[kind] for every item of a list. Names in it must differ.
local function check_list(at, list, kind)
  local seen = {}
  for i, item in ipairs(list or {}) do
    check[kind](("%s[%d]"):format(at, i), item)
    local name = kind ~= "result" and item[1]
    if name and seen[name] then
      wrong(at, "'%s' is there twice", name)
    end
    seen[name or i] = true
  end
end

function check.argument(at, a)
  check_keys(at, a, { { "string" }, { "string" }, "string", optional = "boolean",
    default = "string" })
  if a[1] ~= "..." and not a[1]:match "^[%a_][%w_]*$" then
    wrong(at, "'%s' is no name", a[1])
  end
end

check.field = check.argument

function check.result(at, r)
  check_keys(at, r, { { "string" }, "string" })
end

function check.called(at, f, name)
  check_keys(at, f, { name and { "string" } or nil, args = "table", returns = "table",
    fails = "boolean", help = { "string" }, example = "string", where = "string" })
  check_list(at .. ".args", f.args, "argument")
  check_list(at .. ".returns", f.returns, "result")
  if f.where and not places[f.where] then
    wrong(at, "'where' is \"host\", \"policy\" or \"both\"")
  end
end

check["function"] = function(at, f)
  check.called(at, f, true)
end

check.method = check["function"]

function check.class(at, c)
  check_keys(at, c, { { "string" }, help = "string", fields = "table", methods = "table" })
  check_list(at .. ".fields", c.fields, "field")
  check_list(at .. ".methods", c.methods, "method")
end

function check.table(at, t)
  check_keys(at, t, { { "string" }, help = "string", fields = { "table" } })
  check_list(at .. ".fields", t.fields, "field")
end

---Raises with a path and a reason unless `d` is a declaration as above; returns it.
function M.validate(d, at)
  check_keys(at, d, { name = { "string" }, summary = { "string" }, where = { "string" },
    global = "string", help = "string", internal = "boolean", functions = "table", call = "table",
    fields = "table", classes = "table", tables = "table" })
  if not places[d.where] then
    wrong(at, "'where' is \"host\", \"policy\" or \"both\"")
  elseif d.global and not d.global:match "^kubeque[%w_.]*$" then
    wrong(at, "'global' is kubeque or a table in it")
  end
  check_list(at .. ".functions", d.functions, "function")
  check_list(at .. ".fields", d.fields, "field")
  check_list(at .. ".classes", d.classes, "class")
  check_list(at .. ".tables", d.tables, "table")
  if d.call then
    check.called(at .. ".call", d.call)
  end
  return d
end

-- ---- all of them ----

local domains

---Every domain, sorted by name, checked.
function M.domains()
  if not domains then
    domains = {}
    for i, path in ipairs(kubeque.embedded.list "api/") do
      local d = M.validate(require("builtin." .. path:gsub("/", ".")), "lua/" .. path .. ".lua")
      if "api/" .. d.name ~= path then
        wrong("lua/" .. path .. ".lua", "its name is '%s'", d.name)
      end
      domains[i] = d
    end
  end
  return domains
end

---Walks everything that has a name: fn(path, kind, declaration, domain). Kinds: "table" (a global
---one), "function", "value", "class", "method", "field" (of a class) and "options" (option tables
---and rows). Paths: "kubeque.fs", "kubeque.fs.read", "params", "params:iter", "job_row".
function M.each(fn)
  for _, d in ipairs(M.domains()) do
    if d.global and d.global ~= "kubeque" then
      fn(d.global, "table", d, d)
    end
    for _, f in ipairs(d.functions or {}) do
      fn(d.global .. "." .. f[1], "function", f, d)
    end
    for _, v in ipairs(d.fields or {}) do
      fn(d.global .. "." .. v[1], "value", v, d)
    end
    for _, c in ipairs(d.classes or {}) do
      fn(c[1], "class", c, d)
      for _, m in ipairs(c.methods or {}) do
        fn(c[1] .. ":" .. m[1], "method", m, d)
      end
      for _, v in ipairs(c.fields or {}) do
        fn(c[1] .. "." .. v[1], "field", v, d)
      end
    end
    for _, t in ipairs(d.tables or {}) do
      fn(t[1], "options", t, d)
    end
  end
end

---{path = {kind =, decl =, domain =}} of everything.
function M.index()
  local index = {}
  M.each(function(path, kind, decl, domain)
    index[path] = { path = path, kind = kind, decl = decl, domain = domain }
  end)
  return index
end

---The names below `kubeque` as nested tables; a name without any below it is true. Internal ones
---only with `all`.
function M.tree(all)
  local root = {}
  M.each(function(path, kind, _, domain)
    if (kind == "table" or kind == "function" or kind == "value") and (all or not domain.internal) then
      local node = root
      for part, dot in path:gsub("^kubeque%.?", ""):gmatch "([^.]+)(%.?)" do
        if dot == "." or kind == "table" then
          node[part] = type(node[part]) == "table" and node[part] or {}
          node = node[part]
        else
          node[part] = node[part] or true
        end
      end
    end
  end)
  return root
end

---The names in a type that must be classes or tables: an iterator.
function M.type_names(text)
  local builtin = { ["nil"] = true, any = true, boolean = true, string = true, number = true,
    integer = true, ["function"] = true, table = true, fun = true, ["true"] = true,
    ["false"] = true, userdata = true, lightuserdata = true, thread = true }
  local bare = text:gsub('"[^"]*"', "")
  return coroutine.wrap(function()
    for name, after in bare:gmatch "([%a_][%w_]*)([?]?%s*:?)" do
      if not builtin[name] and not after:find(":", 1, true) then
        coroutine.yield(name)
      end
    end
  end)
end

-- ---- for people ----

---"path[, max[, offset]]"
local function arguments_text(args)
  local out, open = "", 0
  for i, a in ipairs(args or {}) do
    local comma = i > 1 and ", " or ""
    if a.optional then
      out, open = out .. "[" .. comma .. a[1], open + 1
    else
      out = out .. comma .. a[1]
    end
  end
  return out .. ("]"):rep(open)
end

---"kubeque.fs.read(path[, max[, offset]])"; an only argument that is an option table stands in
---braces.
function M.signature(path, f, index)
  local only = f.args and #f.args == 1 and f.args[1]
  if only and index and (index[only[2]] or {}).kind == "options" and not only.optional then
    return path .. "{" .. only[1] .. "}"
  end
  return path .. "(" .. arguments_text(f.args) .. ")"
end

---"text" or "text, or nil, why, code".
function M.returns_text(f)
  local types = {}
  for i, r in ipairs(f.returns or {}) do
    types[i] = r[1]
  end
  local text = table.concat(types, ", ")
  if f.fails then
    return (text == "" and "true" or text) .. ", or nil, why, code"
  end
  return text
end

---What `help` of the interactive shell prints about a path, or nil and the nearest known one.
function M.describe(path)
  local index = M.index()
  local e = index[path] or index["kubeque." .. path]
  if not e then
    local known, whole = {}, {} -- what all names begin with counts for nothing
    for name, item in pairs(index) do
      if not item.domain.internal then
        local short = name:gsub("^kubeque%.", "")
        known[#known + 1], whole[short] = short, name
      end
    end
    local near = names.nearest(path:gsub("^kubeque%.", ""), known)
    return nil, near and whole[near]
  end
  local out, d = {}, e.decl
  if e.kind == "function" or e.kind == "method" then
    local returns = M.returns_text(d)
    out[1] = M.signature(e.path, d, index) .. (returns ~= "" and " -> " .. returns or "")
    out[2] = "  " .. d.help
    for _, a in ipairs(d.args or {}) do
      out[#out + 1] = ("  %s: %s%s"):format(a[1], a[2], a[3] and ", " .. a[3] or "")
    end
    if d.example then
      out[#out + 1] = "\n" .. d.example:gsub("%s+$", "")
    end
    return table.concat(out, "\n")
  elseif e.kind == "value" or e.kind == "field" then
    return ("%s: %s%s"):format(e.path, d[2], d[3] and "\n  " .. d[3] or "")
  end
  out[1] = e.path .. ": " .. (d.summary or d.help or "")
  for _, f in ipairs(d.functions or d.methods or {}) do
    out[#out + 1] = "  " .. M.signature(f[1], f, index)
  end
  for _, v in ipairs(d.fields or {}) do
    out[#out + 1] = ("  %s: %s%s"):format(v[1], v[2], v[3] and ", " .. v[3] or "")
  end
  return table.concat(out, "\n")
end

return M
