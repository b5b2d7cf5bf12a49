-- Names in a script that lead nowhere, found without running it: below `kubeque`, keys of option
-- tables, globals. kubeque.check puts it together with what loading a script shows.

local apidoc = require "kubeque.apidoc"
local names = require "kubeque.names"
local syntax = require "kubeque.syntax"

local M = {}

local function set(text)
  local words = {}
  for name in text:gmatch "%S+" do
    words[name] = true
  end
  return words
end

-- What the sandbox of policies leaves of Lua (docs/lua.md says why); tests compare it.
M.policy_globals = set [[_G _VERSION assert error getmetatable ipairs load next pairs pcall
  rawequal rawget rawlen require select setmetatable tonumber tostring type xpcall
  kubeque math string table utf8]]
M.host_globals = set [[_G _VERSION assert collectgarbage dofile error getmetatable ipairs load
  loadfile next pairs pcall print rawequal rawget rawlen rawset require select setmetatable tonumber
  tostring type warn xpcall arg kubeque coroutine debug io math os package string table utf8]]
M.recipe_globals = set "args job params set"

local function hint(word, known, before)
  return names.hint(word, known, { before = before, other = "" })
end

---The names behind `kubeque` that a path stands for, as { {name =, line =}, ... }; nil when it
---leads elsewhere. Sees through `local fs = kubeque.fs`.
local function below_kubeque(path)
  if not path.binding then
    return path.name == "kubeque" and path.fields or nil
  end
  local value = path.binding.value
  local start = value and value.kind == "path" and below_kubeque(value)
  if not start then
    return nil
  end
  local all = table.move(start, 1, #start, 1, {})
  return table.move(path.fields, 1, #path.fields, #all + 1, all)
end

---Looks a path up. The entry of the declarations that its full name has, or nil.
local function check_path(c, path)
  local fields = below_kubeque(path)
  if not fields then
    return nil
  end
  local node, name = c.tree, "kubeque"
  for _, field in ipairs(fields) do
    local full = name .. "." .. field.name
    if type(node) ~= "table" then -- behind a function or a value: not ours to know
      return nil
    elseif not node[field.name] then
      c.add(field.line, ("there is no %s%s"):format(full,
        hint(field.name, names.of(node), name .. ".")), full)
      return nil
    end
    node, name = node[field.name], full
  end
  local entry = c.index[name]
  local where = entry and (entry.decl.where or entry.domain.where)
  if c.kind == "policy" and where == "host" then
    local line = fields[#fields].line
    c.add(line, ("a policy has no %s: it decides, on a node, without files, processes, network and "
      .. "clock"):format(name), name)
  end
  return entry
end

---Keys of a table that an option table of this name does not have.
local function check_keys(c, what, kind, given)
  local known = {}
  for _, field in ipairs(kind.decl.fields) do
    known[field[1]] = true
  end
  for _, key in ipairs(given.keys) do
    if not known[key.name] then
      c.add(key.line, ("%s has no key '%s'%s"):format(what, key.name,
        hint(key.name, names.of(known))))
    end
  end
end

local function check_call(c, path, args)
  local fields = below_kubeque(path)
  local entry = fields and check_path(c, path)
  local called = entry and (entry.kind == "function" and entry.decl or entry.decl.call)
  for i, declared in ipairs(called and called.args or {}) do
    for name in apidoc.type_names(declared[2]) do
      local kind = c.index[name]
      if kind and kind.kind == "options" and args[i] and args[i].kind == "table" then
        check_keys(c, entry.path, kind, args[i])
      end
    end
  end
end

local function check_global(c, path, write)
  local name = path.name
  if path.binding or c.known[name] and not (write and #path.fields == 0) then
    return
  elseif write and #path.fields == 0 then
    if not c.assigned[name] then
      c.add(path.line, ('%s becomes a global: write "local %s"'):format(name, name), name)
    end
    c.assigned[name] = true
  elseif c.kind == "policy" and M.host_globals[name] then
    c.add(path.line, ("a policy has no %s: it decides, on a node, without files, processes, network "
      .. "and clock"):format(name), name)
  else
    c.unknown[#c.unknown + 1] = path -- it may be assigned further down
  end
end

---Checks a text that compiles; `kind` as of kubeque.check. Calls add(line, text) for each problem;
---returns what the file returns, as kubeque.syntax sees it.
---@param text string
---@param kind string
---@param add fun(line: integer, text: string)
function M.check(text, kind, add)
  local seen = {}
  local c = { kind = kind, tree = apidoc.tree(true), index = apidoc.index(), assigned = {},
    unknown = {}, known = kind == "policy" and M.policy_globals or M.host_globals }
  if kind == "recipe" then
    c.known = setmetatable(names.of(M.recipe_globals), { __index = M.host_globals })
    for name in pairs(M.recipe_globals) do
      c.known[name] = true
    end
  end
  function c.add(line, problem, once)
    local key = once and ("%d %s"):format(line, once) or problem .. line
    if not seen[key] then
      seen[key] = true
      add(line, problem)
    end
  end
  local result = syntax.walk(text, {
    read = function(path)
      check_path(c, path)
      check_global(c, path, false)
    end,
    write = function(path)
      check_path(c, path)
      check_global(c, path, true)
    end,
    call = function(path, args)
      check_call(c, path, args)
    end,
  })
  for _, path in ipairs(c.unknown) do
    if not c.assigned[path.name] then
      c.add(path.line, ("there is no global %s%s"):format(path.name,
        hint(path.name, names.of(c.known))), path.name)
    end
  end
  return result
end

return M
