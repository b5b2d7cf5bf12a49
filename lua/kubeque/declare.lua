-- Strict tables that scripts hand to kubeque.command, kubeque.policy, kubeque.provider.

local names = require "kubeque.names"

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

---Raises unless the word is one of some names.
---@param what string how messages call the declaration
---@param kind string what the word is
---@param word string
---@param known string[]
function M.one_of(what, kind, word, known, level)
  for _, name in ipairs(known) do
    if name == word then
      return
    end
  end
  M.fail(word, ("%s: unknown %s %s%s"):format(what, kind, word, names.hint(word, known)),
    (level or 1) + 1)
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
      M.fail(type(key) == "string" and key or nil, ("%s: unknown key '%s'%s"):format(what,
        tostring(key), names.hint(key, names.of(fields))), level)
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
