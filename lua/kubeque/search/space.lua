-- What the stock searches share: their options, and rows as keys.

local misuse = require "kubeque.misuse"

local M = {}

---A whole number of at least `low`.
function M.integer(what, key, value, low)
  local n = math.type(value) and math.tointeger(value)
  if not n or n < low then
    misuse.raise("%s: option %s: a whole number of at least %d expected, got %s", what, key, low,
      tostring(value))
  end
  return n
end

---The sampler of a space, given as params.space{...} or as its factors; `columns` are its names.
function M.sampler(what, o)
  local space = require "kubeque.params.space"
  local given = o.space
  if type(given) ~= "table" then
    misuse.raise("%s: option space: factors expected, as in space = { lr = "
      .. "params.loguniform(1e-5, 1) }", what)
  elseif not space.is(given) then
    given = require("kubeque.params").space(given)
  end
  return given:sampler(M.integer(what, "seed", o.seed == nil and 0 or o.seed, math.mininteger)),
    given.columns
end

---Equal rows have equal keys, also after a journey through JSON.
---@param row table
---@return string
function M.key(row)
  return kubeque.json.encode(row)
end

---A value that counts as one: failures, infinities and NaN are none.
function M.finite(value)
  return type(value) == "number" and value - value == 0 and value or nil
end

return M
