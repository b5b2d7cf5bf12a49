-- Names that a word could become: completion of the interactive shell. Looking must do nothing, so
-- no metamethod is called but that of `kubeque`, which loads its tables when they are named.

local apidoc = require "kubeque.apidoc"

local M = {}

local words = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch "%a+" do
  words[word] = true
end

---Names in a value, and in what its metatable lends it.
local function names_in(value, names)
  if type(value) == "table" then
    for key in next, value do
      if type(key) == "string" and key:match "^[%a_][%w_]*$" then
        names[key] = true
      end
    end
  end
  local meta = debug.getmetatable(value)
  local index = type(meta) == "table" and rawget(meta, "__index")
  if type(index) == "table" and index ~= value then
    names_in(index, names)
  end
end

local function field(value, name)
  if value == kubeque then
    local ok, found = pcall(function() return kubeque[name] end)
    return ok and found or nil
  elseif type(value) == "table" then
    local found = rawget(value, name)
    if found ~= nil then
      return found
    end
  end
  local meta = debug.getmetatable(value)
  local index = type(meta) == "table" and rawget(meta, "__index")
  if type(index) == "table" then
    return rawget(index, name)
  end
end

---Names that kubeque's declarations know below a path ("kubeque", "kubeque.fs").
local function declared(path, names)
  local node = path:match "^kubeque" and apidoc.tree()
  for part in path:gsub("^kubeque%.?", ""):gmatch "[^.]+" do
    node = type(node) == "table" and node[part]
  end
  for name in pairs(type(node) == "table" and node or {}) do
    names[name] = true
  end
end

---The texts that `word` ("kubeque.fs.re", "job:", "pri") could be made into, sorted.
---@param word string
---@param env table the globals
---@return string[]
function M.candidates(word, env)
  local base, mark, start = word:match "^(.*)([.:])([%w_]*)$"
  local names, value = {}, env
  if base then
    for part in base:gmatch "[^.:]+" do
      value = field(value, part)
    end
    if value == nil then
      return {}
    end
    names_in(value, names)
    declared(base, names)
  else
    start = word
    names_in(env, names)
    for name in pairs(words) do
      names[name] = true
    end
  end
  local list = {}
  for name in pairs(names) do
    if name:sub(1, #start) == start and (start ~= "" or name:sub(1, 1) ~= "_") then
      list[#list + 1] = (base and base .. mark or "") .. name
    end
  end
  table.sort(list)
  return list
end

return M
