-- Strict tables that scripts hand to kubeque.command, kubeque.policy, kubeque.provider.

local M = {}

---Raises about a word of a declaration. In a script that is being loaded the message begins with
---its file and the line that holds the word (a tail call such as `return kubeque.command{...}` has
---no line of its own); elsewhere with the caller's, `level` functions up.
function M.fail(word, message, level)
  local scripts = require "kubeque.scripts"
  if scripts.current then
    local place = scripts.locate(scripts.current, word)
    error({ code = "script", message = place .. ": " .. message }, 0)
  end
  error(message, (level or 1) + 1)
end

local function type_fits(value, want)
  if want == "integer" then
    return math.type(value) == "integer"
  end
  for one in want:gmatch "[^|]+" do
    if type(value) == one then
      return true
    end
  end
  return false
end

local function unknown(what, key, fields)
  local names = {}
  for name in pairs(fields) do
    names[#names + 1] = name
  end
  table.sort(names)
  local near = type(key) == "string" and require("kubeque.options").nearest(key, names)
  local hint = near and (" (did you mean '%s'?)"):format(near)
    or (" (it has: %s)"):format(table.concat(names, ", "))
  return ("%s: unknown key '%s'%s"):format(what, tostring(key), hint)
end

---Checks a table against its fields: { name = { type = "string|table", required = true } }. `what`
---is how messages call it. Raises (see fail).
function M.check(what, spec, fields, level)
  level = (level or 1) + 1
  if type(spec) ~= "table" then
    M.fail(nil, ("%s: a table expected, got %s"):format(what, type(spec)), level)
  end
  for key, value in pairs(spec) do
    local field = fields[key]
    if not field then
      M.fail(type(key) == "string" and key or nil, unknown(what, key, fields), level)
    elseif not type_fits(value, field.type) then
      M.fail(key, ("%s: '%s' is a %s, not a %s"):format(what, key,
        field.type:gsub("|", " or a "), type(value)), level)
    end
  end
  for key, field in pairs(fields) do
    if field.required and spec[key] == nil then
      M.fail(what:match "^[%w.]+", ("%s: '%s' is missing"):format(what, key), level)
    end
  end
end

return M
