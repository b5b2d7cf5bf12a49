-- Policies as users write and choose them: kubeque.policy{...} declares one, a SPEC chooses one, a
-- bundle carries what was chosen with the job.
--
--   SPEC    NAME or FILE.lua, then options: memory:cap=16G   mine.lua:codes=75,111,after=10
--           A value with blanks or an `,other=` in it stands in double quotes ("" is a quote).
--   bundle  one JSON text: the policies in the order chosen, with their options, and every module
--           they require, as it was read: {"schema":1,"policies":[{"name":,"module":,"options":}],
--           "modules":{NAME:{"file":,"text":}}}. Equal content gives equal bytes.
--
-- Nodes run the bundle (src/script/policy_lua.h), never these files again.

local names = require "kubeque.names"

local M = {}

M.SCHEMA = 1
M.MAX_BYTES = 1 << 20

---The hooks of a policy, in the order in which a job meets them.
M.hooks = { "on_submit", "on_task_failed", "on_task_lost", "scale", "on_event" }

-- ---- declaring: kubeque.policy{...} ----

local keys = { name = "text", summary = "text", options = "table", same = "boolean" }
for _, hook in ipairs(M.hooks) do
  keys[hook] = "function"
end

local function is_list(value)
  local count = 0
  for i, item in pairs(value) do
    count = count + 1
    if math.type(i) ~= "integer" or type(item) ~= "string" and type(item) ~= "number" then
      return false
    end
  end
  return count == #value
end

---Why a default is none: options are texts, numbers, booleans, or lists of texts or numbers.
local function option_fault(name, value)
  if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
    return "the name of an option is letters, digits and _"
  elseif type(value) == "table" and is_list(value) then
    return nil
  elseif type(value) ~= "string" and type(value) ~= "number" and type(value) ~= "boolean" then
    return ("option '%s': its default is a text, a number, a boolean or a list, not a %s"):format(
      name, type(value))
  end
end

---What is wrong with a policy's table, in one sentence, and the word that is; nil when it is one.
---The sandbox says it in the same words (src/script/policy_state.c).
---@param policy any
---@return string|nil, string|nil
function M.fault(policy)
  if type(policy) ~= "table" then
    return ("a policy file returns a table of hooks, not a %s"):format(type(policy))
  end
  for key, value in pairs(policy) do
    local want, got = keys[key], type(value)
    if type(key) ~= "string" then
      return ("a policy is a table of names, it has a %s as a key"):format(type(key))
    elseif not want then
      return ("a policy has no '%s'%s"):format(key, names.hint(key, names.of(keys),
        { other = "hooks are on_submit, on_task_failed, on_task_lost, scale and on_event" })), key
    elseif got ~= (want == "text" and "string" or want) then
      return ("'%s' is a %s, not a %s"):format(key, want, got), key
    end
  end
  for name, value in pairs(policy.options or {}) do
    local why = option_fault(name, value)
    if why then
      return why, type(name) == "string" and name or nil
    end
  end
end

---kubeque.policy{...}: the table, checked. Raises with the line of what is wrong.
---@param policy table
---@return table
function M.public(policy)
  local why, word = M.fault(policy)
  if why then
    require("kubeque.declare").fail(type(word) == "string" and word or nil, why, 2)
  end
  return policy
end

-- ---- SPEC ----

---One value from `at`: up to the `,key=` that follows it, or in quotes. Value, position behind it.
local function value_at(text, at)
  local parts = {}
  while true do
    local quote, stop = text:match('^"([^"]*)"()', at)
    if quote then
      -- "a""b" is one value with a quote in it
      local again = text:sub(stop, stop) == '"'
      parts[#parts + 1], at = quote .. (again and '"' or ""), stop
    else
      local plain = text:match('^[^,"]+', at)
      if plain then
        parts[#parts + 1], at = plain, at + #plain
      elseif text:sub(at, at) == "," and not text:find("^,[%a_][%w_]*=", at) then
        parts[#parts + 1], at = ",", at + 1
      else
        return table.concat(parts), at
      end
    end
  end
end

---The options of a SPEC: {key = text}; nil and why.
local function parse_options(text)
  local out, at = {}, 1
  while at <= #text do
    local key, stop = text:match("^([%a_][%w_]*)=()", at)
    if not key then
      return nil, ('"%s" is not KEY=VALUE'):format(text:sub(at))
    elseif out[key] then
      return nil, ("option %s is given twice"):format(key)
    end
    out[key], at = value_at(text, stop)
    if text:sub(at, at) == '"' then
      return nil, ("option %s: a quote that does not end"):format(key)
    end
    at = at + 1
  end
  return out
end

---Takes a SPEC apart: { spec =, name = | path =, options = {key = text} }. A list {SPEC, key =
---value...} gives options as values. Nil and why when it is none.
---@param spec string|table
---@return table|nil, string|nil
function M.parse(spec)
  local given = {}
  if type(spec) == "table" then
    for key, value in pairs(spec) do
      if key ~= 1 then
        given[key] = value
      end
    end
    spec = spec[1]
  end
  if type(spec) ~= "string" or spec == "" then
    return nil, "a policy is a NAME or FILE.lua, with :KEY=VALUE,... behind it for options"
  end
  local head, rest = spec:match "^(.-):([%a_][%w_]*=.*)$"
  head = head or spec
  local texts, why = parse_options(rest or "")
  if not texts then
    return nil, ("policy %s: %s"):format(head, why)
  elseif head == "" then
    return nil, ('policy "%s": it begins with a NAME or FILE.lua'):format(spec)
  end
  for key, value in pairs(texts) do
    given[key] = value
  end
  local is_file = head:find("/", 1, true) or head:find "%.lua$"
  if not is_file and head:find(":", 1, true) then
    return nil, ("policy %s: options are KEY=VALUE: %s:KEY=VALUE,..."):format(head,
      head:match "^[^:]*")
  end
  return { spec = spec, name = not is_file and head or nil, path = is_file and head or nil,
    options = given }
end

---SPECs separated by blanks (in quotes a blank is one): what the configuration key `policy` holds.
---@param text string
---@return string[]
function M.split(text)
  local list, at = {}, 1
  while true do
    at = text:match("^%s*()", at)
    if at > #text then
      return list
    end
    local from = at
    while at <= #text and not text:find("^%s", at) do
      local stop = text:match('^"[^"]*"()', at)
      at = stop or at + 1
    end
    list[#list + 1] = text:sub(from, at - 1)
  end
end

---A SPEC whose file is named by an absolute path; relative ones start at `base`.
---@param spec string
---@param base string
---@return string
function M.rooted(spec, base)
  local parsed = M.parse(spec)
  if not parsed or not parsed.path or parsed.path:sub(1, 1) == "/" then
    return spec
  elseif parsed.path:sub(1, 2) == "~/" then
    local home = require("kubeque.config").user_home()
    return home and home .. spec:sub(2) or spec
  end
  return base .. "/" .. spec
end

-- ---- options ----

---A value of an option as it is written in a SPEC, without quotes.
---@param value any
---@return string
function M.shown(value)
  if type(value) == "table" then
    local parts = {}
    for i, item in ipairs(value) do
      parts[i] = tostring(item)
    end
    return table.concat(parts, ",")
  end
  return tostring(value)
end

local function number_of(value)
  local number = type(value) == "string" and tonumber(value) or value
  return type(number) == "number" and number == number and math.abs(number) < math.huge
    and number or nil
end

---A list from "a,b" or a list; numbers when the default holds numbers.
local function list_of(value, default)
  local list, numbers = {}, type(default[1]) == "number"
  if type(value) == "table" then
    table.move(value, 1, #value, 1, list)
  else
    for word in tostring(value):gmatch "[^,]+" do
      list[#list + 1] = word
    end
  end
  for i, item in ipairs(list) do
    list[i] = numbers and number_of(item) or not numbers and tostring(item) or nil
    if not list[i] then
      return nil, "numbers separated by commas"
    end
  end
  return kubeque.json.array(list)
end

---A given value as the type of the default; nil and what was expected.
local function converted(value, default)
  if type(default) == "number" then
    return number_of(value), "a number"
  elseif type(default) == "boolean" then
    if value == "true" or value == true then
      return true
    elseif value == "false" or value == false then
      return false
    end
    return nil, "true or false"
  elseif type(default) == "table" then
    return list_of(value, default)
  elseif type(value) == "string" or type(value) == "number" then
    return tostring(value)
  end
  return nil, "a text"
end

---The options given, each as the type of its default. Nil and why for one that the policy does not
---have or cannot take.
---@param name string
---@param given table
---@param defaults table
---@return table|nil, string|nil
function M.options(name, given, defaults)
  local out = {}
  for key, value in pairs(given) do
    local default = defaults[key]
    if default == nil then
      return nil, ("policy %s has no option '%s'%s"):format(name, tostring(key),
        next(defaults) ~= nil and names.hint(key, names.of(defaults)) or "")
    end
    local typed, want = converted(value, default)
    if typed == nil then
      return nil, ("policy %s: option %s=%s: %s expected (the default is %s)"):format(name, key,
        M.shown(value), want, M.shown(default))
    end
    out[key] = typed
  end
  return out
end

return M
