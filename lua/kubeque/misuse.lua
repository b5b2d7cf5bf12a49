-- Mistakes in a script: an error that names the script's own line, however deep in kubeque it was
-- found.

local M = {}

local context

---The level, seen from the caller of the caller, of the first function that is not kubeque's own;
---nil when there is none.
local function outside()
  local level = 3
  while true do
    local info = debug.getinfo(level, "S")
    if not info then
      return nil
    elseif info.what ~= "C" and not info.source:find "^@kubeque/" and not info.source:find
      "^@commands/" then
      return level - 1
    end
    level = level + 1
  end
end

---Raises, with the line of the script that asked for it. Without a script it was the command line
---that asked: a fault of usage.
---@param format string
function M.raise(format, ...)
  local text, level = (context or "") .. string.format(format, ...), outside()
  if not level then
    require("kubeque.fault").raise("usage", text)
  end
  error(text, level)
end

---Calls fn(...); what it raises by raise() begins with `text`.
---@param text string
---@param fn function
function M.within(text, fn, ...)
  local before = context
  context = text
  local result = table.pack(pcall(fn, ...))
  context = before
  if not result[1] then
    error(result[2], 0)
  end
  return table.unpack(result, 2, result.n)
end

---Seconds, given as a number or as a text such as "5m"; nil for nil.
---@param what string how messages call it
---@param value any
---@return number|nil
function M.seconds(what, value)
  if type(value) == "string" then
    local n, why = kubeque.units.duration(value)
    return n or M.raise("%s: %s", what, why)
  elseif value ~= nil and not (type(value) == "number" and value >= 0) then
    M.raise("%s: seconds expected, got %s", what, type(value) == "number" and tostring(value)
      or "a " .. type(value))
  end
  return value
end

---Raises unless the value is one of some texts, or nil.
---@param what string how messages call it
---@param value any
---@param names string[]
function M.choice(what, value, names)
  for _, name in ipairs(names) do
    if value == name then
      return
    end
  end
  if value ~= nil then
    M.raise("%s: %s expected, got %s", what, table.concat(names, " or "), tostring(value))
  end
end

---Raises unless the table is a list, without a hole and without other keys.
---@param what string how messages call it
---@param t table
---@return table t
function M.list(what, t)
  local count = 0
  for key in pairs(t) do
    if math.type(key) ~= "integer" or key < 1 then
      M.raise("%s: a list expected: it has the key %s", what, tostring(key))
    end
    count = count + 1
  end
  for i = 1, count do
    if t[i] == nil then
      M.raise("%s: item %d of the list is nil", what, i)
    end
  end
  return t
end

---The nearest of some names as a hint: " (did you mean X?)", or what there is.
---@param word any
---@param names string[] may be sorted by this
---@return string
function M.hint(word, names)
  local near = type(word) == "string" and require("kubeque.options").nearest(word, names)
  if near then
    return (" (did you mean %s?)"):format(near)
  end
  table.sort(names)
  local list = {}
  for _, name in ipairs(names) do
    list[#list + 1] = name ~= list[#list] and name or nil
  end
  return (" (there is: %s)"):format(table.concat(list, ", "))
end

---Raises unless every key of the table is one of the names.
---@param what string how messages call the table
---@param t any
---@param names string[]
function M.keys(what, t, names)
  if t == nil then
    return
  elseif type(t) ~= "table" then
    M.raise("%s: a table of options expected, got %s", what, type(t))
  end
  local known = {}
  for _, name in ipairs(names) do
    known[name] = true
  end
  for key in pairs(t) do
    if not known[key] then
      M.raise("%s: unknown option %s%s", what, tostring(key), M.hint(key, names))
    end
  end
end

return M
