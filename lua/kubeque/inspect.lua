-- Values as text for people: what the interactive shell prints. Never longer than a screen or two,
-- whatever the value.

local M = {}

local ITEMS <const> = 50  -- of a table
local DEPTH <const> = 5
local TEXT <const> = 4000 -- bytes of a string

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch "%a+" do
  keywords[word] = true
end

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(text)
  local more = #text > TEXT and ("... (%d bytes)"):format(#text) or ""
  return '"' .. text:sub(1, TEXT):gsub('[%c"\\]', function(char)
    return escapes[char] or ("\\x%02x"):format(char:byte())
  end) .. '"' .. more
end

---Keys in an order that is the same every time: numbers, then texts, then the rest.
local function sorted_keys(value)
  local keys = {}
  for key in next, value do
    keys[#keys + 1] = key
  end
  local function rank(key)
    return type(key) == "number" and 1 or type(key) == "string" and 2 or 3
  end
  table.sort(keys, function(a, b)
    local x, y = rank(a), rank(b)
    if x ~= y then
      return x < y
    elseif x < 3 then
      return a < b
    end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local show

---"key = value" for what is not in the list part.
local function entry(key, value, depth, seen)
  local text = show(value, depth, seen)
  if type(key) == "string" and key:match "^[%a_][%w_]*$" and not keywords[key] then
    return key .. " = " .. text
  end
  return "[" .. show(key, depth, seen) .. "] = " .. text
end

---The entries of a table as texts, the first ones only.
local function entries(value, depth, seen)
  local parts, n = {}, rawlen(value)
  local total = 0
  for i = 1, n do
    total = total + 1
    if total <= ITEMS then
      parts[total] = show(rawget(value, i), depth, seen)
    end
  end
  for _, key in ipairs(sorted_keys(value)) do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then
      total = total + 1
      if total <= ITEMS then
        parts[total] = entry(key, rawget(value, key), depth, seen)
      end
    end
  end
  if total > ITEMS then
    parts[#parts + 1] = ("... %d more"):format(total - ITEMS)
  end
  return parts
end

local function show_table(value, depth, seen)
  if seen[value] then
    return "{...}" -- it holds itself
  elseif next(value) == nil then
    return "{}"
  elseif depth >= DEPTH then
    return "{ ... }"
  end
  seen[value] = true
  local parts = entries(value, depth + 1, seen)
  seen[value] = nil
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #line + 2 * depth <= 80 and not line:find "\n" then
    return line
  end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(parts, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

function show(value, depth, seen)
  local kind = type(value)
  if kind == "string" then
    return quoted(value)
  elseif value == kubeque.json.null then
    return "kubeque.json.null"
  elseif kind ~= "table" then
    return tostring(value)
  end
  local meta = debug.getmetatable(value)
  if meta and rawget(meta, "__tostring") then
    local ok, text = pcall(tostring, value)
    return ok and text or "(it cannot be shown: " .. tostring(text) .. ")"
  end
  return show_table(value, depth, seen)
end

---One value, over several lines when it is long.
---@param value any
---@return string
function M.text(value)
  return show(value, 0, {})
end

---Results of a call, side by side: table.pack(...).
---@param values table
---@return string
function M.results(values)
  local parts = {}
  for i = 1, values.n do
    parts[i] = M.text(values[i])
  end
  return table.concat(parts, "  ")
end

return M
