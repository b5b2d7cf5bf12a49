-- Mistakes in a script: an error that names the script's own line, however deep in kubeque it was
-- found.

local names = require "kubeque.names"

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
---@param choices string[]
function M.choice(what, value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then
      return
    end
  end
  if value ~= nil then
    M.raise("%s: %s expected, got %s", what, table.concat(choices, " or "), tostring(value))
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

---Raises unless every key of the table is one of some names.
---@param what string how messages call the table
---@param t any
---@param allowed string[]
function M.keys(what, t, allowed)
  if t == nil then
    return
  elseif type(t) ~= "table" then
    M.raise("%s: a table of options expected, got %s", what, type(t))
  end
  local known = {}
  for _, name in ipairs(allowed) do
    known[name] = true
  end
  for key in pairs(t) do
    if not known[key] then
      M.raise("%s: unknown option %s%s", what, tostring(key), names.hint(key, allowed))
    end
  end
end

return M
