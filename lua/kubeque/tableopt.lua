-- The options of a command as a Lua table: `-r cpu=2,memory=4G --env A=1` of the command line is
-- { resources = { cpu = 2, memory = "4G" }, env = { A = 1 } } in a script. Keys are the long names
-- with `_` for `-`; texts mean what they mean on the command line.
--
-- read() gives what kubeque.options.parse gives, so that whoever works with options need not know
-- where they were written.

local misuse = require "kubeque.misuse"
local names = require "kubeque.names"
local options = require "kubeque.options"
local values = require "kubeque.values"

local M = {}

---A number as it would be typed, with every digit that counts.
local function number_text(n)
  if math.type(n) == "integer" then
    return tostring(n)
  end
  local text = ("%.15g"):format(n)
  return tonumber(text) == n and text or ("%.17g"):format(n)
end
M.number_text = number_text

local function wrong(what, key, decl, value)
  local want = not decl.value and "true or false" or decl.value
  misuse.raise("%s: option %s: %s expected, got %s", what, key, want, type(value) == "table"
    and "a table" or type(value) == "boolean" and tostring(value) or "a " .. type(value))
end

---A text as it could be typed, or a number that has digits.
function M.typable(what, key, value)
  if type(value) == "string" and value:find "\0" then
    misuse.raise("%s: option %s: the text holds a NUL byte", what, key)
  elseif type(value) == "number" and value - value ~= 0 then
    misuse.raise("%s: option %s: %s is no finite number", what, key, tostring(value))
  end
  return value
end

---One text or number as the parser would have read it.
local function scalar(what, key, decl, value)
  local kind = decl.type or "string"
  M.typable(what, key, value)
  if type(value) == "number" then
    if (kind == "duration" or kind == "number") and not decl.min and value >= 0 then
      return value
    end
    value = number_text(value)
  elseif type(value) ~= "string" then
    wrong(what, key, decl, value)
  end
  local converted, why = options.convert(decl, value)
  if converted == nil then
    misuse.raise("%s: option %s: %s", what, key, values.refusal(value, why))
  end
  return converted
end

---{ cpu = 2, memory = "4G" } as words: "cpu=2", "memory=4G". `true` takes the value from here.
local function pairs_of(what, key, decl, value)
  local words = {}
  for _, name in ipairs(names.of(value)) do
    local v = value[name]
    if type(name) ~= "string" then
      wrong(what, key, decl, value)
    elseif name == "" or name:find "=" then
      misuse.raise('%s: option %s: "%s" is no name', what, key, name)
    elseif v == true and decl.bare then
      words[#words + 1] = name
    elseif type(v) == "string" then
      words[#words + 1] = name .. "=" .. v
    elseif type(v) == "number" then
      words[#words + 1] = name .. "=" .. number_text(M.typable(what, key, v))
    else
      misuse.raise("%s: option %s: %s: a text or a number expected, got %s", what, key, name,
        type(v) == "boolean" and tostring(v) or "a " .. type(v))
    end
  end
  return words
end

---Texts of a list, of lists in it, too.
local function flatten(what, key, decl, list, out)
  for name in pairs(list) do
    if math.type(name) ~= "integer" then
      wrong(what, key, decl, list)
    end
  end
  misuse.list(("%s: option %s"):format(what, key), list)
  for _, value in ipairs(list) do
    if type(value) == "table" then
      flatten(what, key, decl, value, out)
    else
      out[#out + 1] = value
    end
  end
  return out
end

local function is_map(value)
  return type(next(value)) == "string"
end

local function many(what, key, decl, value)
  local takes_map = decl.type == "kv" or (decl.value or ""):find "^K=V"
  local list = { value }
  if type(value) == "table" then
    list = takes_map and is_map(value) and pairs_of(what, key, decl, value)
      or flatten(what, key, decl, value, {})
  end
  for i, item in ipairs(list) do
    list[i] = scalar(what, key, decl, item)
  end
  return list[1] ~= nil and list or nil
end

local function convert(what, key, decl, value)
  if not decl.value or (decl.optional ~= nil and type(value) == "boolean") then
    if type(value) ~= "boolean" then
      wrong(what, key, decl, value)
    end
    return value and (decl.value and decl.optional or true) or nil
  elseif decl.type == "words" then
    local words = flatten(what, key, decl, type(value) == "table" and value or { value }, {})
    for i, word in ipairs(words) do
      words[i] = scalar(what, key, { value = decl.value }, word)
    end
    return words
  elseif decl.many then
    return many(what, key, decl, value)
  end
  return scalar(what, key, decl, value)
end

---Long names and aliases of a command's options -> declaration and key.
local function declared(command)
  local known = {}
  for _, option in ipairs(options.dump(command)) do
    if not option.common then
      for _, name in ipairs { option.name, table.unpack(option.aliases) } do
        known[name:gsub("-", "_")] = option.name
      end
    end
  end
  return known
end

local function declaration(command, name)
  for _, decl in ipairs(command.options) do
    for _, n in ipairs(decl) do
      if n == name then
        return decl
      end
    end
  end
end

---Reads a table of options. Raises misuse, with the script's line.
---@param command table the command whose options they are
---@param t table
---@param o table what (how messages call it), other (list of keys that are not the command's),
---instead (key -> what to write instead of an option that means nothing here)
---@return table opt as kubeque.options.parse gives it
---@return table rest the values of the other keys
function M.read(command, t, o)
  local what, known, other, opt, rest = o.what, declared(command), {}, {}, {}
  for _, key in ipairs(o.other or {}) do
    other[key] = true
  end
  for key, value in pairs(t) do
    local name = known[key]
    if other[key] then
      rest[key] = value
    elseif o.instead and o.instead[key] then
      misuse.raise("%s: %s is no option here: %s", what, key, o.instead[key])
    elseif not name then
      local there = { table.unpack(o.other or {}) }
      for one in pairs(known) do
        there[#there + 1] = not (o.instead and o.instead[one]) and one or nil
      end
      misuse.raise("%s: unknown option %s%s", what, tostring(key), math.type(key) == "integer"
        and " (every option has a name: command = ...)" or names.hint(key, there))
    else
      opt[name:gsub("-", "_")] = convert(what, key, declaration(command, name), value)
    end
  end
  return opt, rest
end

return M
