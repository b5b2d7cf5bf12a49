-- Successive halving: all configurations get little of a resource (epochs, samples), the best
-- 1/eta of them eta times as much, and so on: K. Jamieson, A. Talwalkar, "Non-stochastic best arm
-- identification and hyperparameter optimization", AISTATS 2016.
--
-- The amounts are max, max/eta, max/eta^2, ... down to min: the last rung has all of it.

local misuse = require "kubeque.misuse"
local space = require "kubeque.search.space"

local M = {}

local Halving = { __name = "search.halving" }
Halving.__index = Halving

local what = "search.halving"

local function number(o, key, default, low)
  local value = o[key] == nil and default or o[key]
  if type(value) ~= "number" or not (value >= low and value < math.huge) then
    misuse.raise("%s: option %s: a number of at least %s expected, got %s", what, key, low,
      tostring(value))
  end
  return value
end

---How much each rung gets, the least first.
local function amounts(min, max, eta)
  local whole = math.type(min) == "integer" and math.type(max) == "integer"
  local list, amount = {}, max
  while amount >= min * (1 - 1e-9) do
    table.insert(list, 1, whole and math.tointeger(math.floor(amount + 0.5)) or amount)
    amount = amount / eta
  end
  return list
end

---@param o table space, trials (27), seed (0), eta (3), resource ("epochs"), min (1), max (27)
function M.new(o)
  misuse.keys(what, o or {}, { "space", "trials", "seed", "eta", "resource", "min", "max" })
  o = o or {}
  local eta, min = number(o, "eta", 3, 1.5), number(o, "min", 1, 1e-300)
  local max = number(o, "max", 27, min)
  local resource = o.resource or "epochs"
  local sampler, columns = space.sampler(what, o)
  if type(resource) ~= "string" or resource == "" then
    misuse.raise("%s: option resource: the name of a column expected", what)
  end
  for _, name in ipairs(columns) do
    if name == resource then
      misuse.raise("%s: option resource: %s is a column of the space, too", what, resource)
    end
  end
  local self = setmetatable({ eta = eta, resource = resource, amounts = amounts(min, max, eta),
    rung = 1, waiting = {}, configurations = {}, asked = 0, told = 0, results = {} }, Halving)
  for i = 1, space.integer(what, "trials", o.trials or 27, 1) do
    self.configurations[i] = sampler()
  end
  self.trials = #self.configurations
  return self
end

---The row of a configuration in the rung of now.
local function row_of(self, configuration)
  local row = { [self.resource] = self.amounts[self.rung] }
  for name, value in pairs(configuration) do
    row[name] = value
  end
  return row
end

---The best 1/eta of what was told in this rung goes on; of equal ones the earlier.
local function next_rung(self)
  local list, keep = {}, math.max(1, math.floor(self.trials / self.eta ^ self.rung + 1e-9))
  for i, configuration in ipairs(self.configurations) do
    local value = self.results[i]
    list[#list + 1] = value and { i = i, value = value, configuration = configuration } or nil
  end
  table.sort(list, function(a, b)
    if a.value ~= b.value then
      return a.value < b.value
    end
    return a.i < b.i
  end)
  self.configurations = {}
  for i = 1, math.min(keep, #list) do
    self.configurations[i] = list[i].configuration
  end
  self.rung, self.asked, self.told = self.rung + 1, 0, 0
  self.results, self.waiting = {}, {}
end

function Halving:suggest(n)
  if self.told == #self.configurations then
    next_rung(self)
  end
  if not self.amounts[self.rung] or #self.configurations == 0 then
    return nil
  end
  local rows = {}
  while #rows < n and self.asked < #self.configurations do
    self.asked = self.asked + 1
    local row = row_of(self, self.configurations[self.asked])
    local key = space.key(row)
    self.waiting[key] = self.waiting[key] or {}
    table.insert(self.waiting[key], self.asked)
    rows[#rows + 1] = row
  end
  return rows
end

function Halving:tell(row, value)
  local places = self.waiting[space.key(row)]
  local i = places and table.remove(places, 1)
  if not i then
    misuse.raise("%s: told of a row that was not suggested, or was told already", what)
  end
  value = space.finite(value)
  self.results[i] = value
  self.told = self.told + 1
  -- values of different rungs do not compare: the last rung that has one decides
  if value and (self.best_rung ~= self.rung or value < self.value) then
    self.row, self.value, self.best_rung = row, value, self.rung
  end
end

function Halving:best()
  return self.row, self.value
end

return M
