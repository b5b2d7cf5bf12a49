-- kubeque.search: sweeps whose next tasks depend on the results of the last.
--
-- A search is a table with three methods:
--
--   search:suggest(n)       at most n rows of parameters to try next; nil when it is over; an empty
--                           list when it has to be told results first
--   search:tell(row, value) what a row gave: a number, smaller is better; nil: it failed
--   search:best()           the best row so far and its value, nil when there is none
--
-- random{} and halving{} are such searches; a script may bring its own, as long as what it suggests
-- depends on nothing but what it was told. run{} drives one with jobs (kubeque.search.drive).

local misuse = require "kubeque.misuse"
local names = require "kubeque.names"

local M = {}

---Points drawn at random.
---@param o table space, trials, seed
function M.random(o)
  return require("kubeque.search.random").new(o)
end

---Successive halving.
---@param o table space, trials, seed, eta, resource, min, max
function M.halving(o)
  return require("kubeque.search.halving").new(o)
end

---Drives a search with jobs, in a recipe.
---@param o table search, job, value, file, goal, batch, name
---@return table best row, value, trials, failed
function M.run(o)
  return require("kubeque.search.drive").run(o)
end

return setmetatable(M, { __index = function(_, key)
  misuse.raise("there is no kubeque.search.%s%s", tostring(key),
    names.hint(key, { "random", "halving", "run" }))
end })
