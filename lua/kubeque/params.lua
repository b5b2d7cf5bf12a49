-- kubeque.params: rows of parameters, made when they are asked for.
--
--   local p = kubeque.params
--   local rows = p.product({ lr = p.logspace(1e-5, 1e-1, 5) }, { seed = p.range(1, 3) })
--     :filter(function(row) return row.lr < 0.05 end)
--     :map { name = function(row) return ("run-%s-%d"):format(row.lr, row.seed) end }
--
-- Nothing is computed before somebody walks the rows, and every walk gives the same rows.
-- kubeque/params/core.lua is the class; its methods are map, filter, select, rename, as, take,
-- sample, iter, each, rows, count.

local core = require "kubeque.params.core"

local M = {}

---True for a params object.
M.is = core.is

---Every combination of its factors; the last varies fastest.
---A factor is params, or a table {name = values, ...} where values are params with one column, a
---list, one value, or something random; factors of one table come in the order of their names.
function M.product(...)
  return require("kubeque.params.combine").product { ... }
end

---Rows side by side: the first row of each, the second of each. Unequal lengths are refused.
function M.zip(...)
  return require("kubeque.params.combine").zip { ... }
end

---One after the other; all must have the same columns.
function M.chain(...)
  return require("kubeque.params.combine").chain { ... }
end

---A column of given values.
function M.values(list)
  if type(list) ~= "table" or core.is(list) then
    core.misuse("values: a list is needed, not %s", core.show(list))
  end
  return require("kubeque.params.combine").values(list)
end

---The same as values: in a grid each in turn, in a space one of them.
M.choice = M.values

---first, first + step, ... up to last.
function M.range(first, last, step)
  return require("kubeque.params.grid").range(first, last, step)
end

---n points at equal distances, both ends included.
function M.linspace(first, last, n)
  return require("kubeque.params.grid").linspace(first, last, n)
end

---n points at equal ratios, both ends included.
function M.logspace(first, last, n)
  return require("kubeque.params.grid").logspace(first, last, n)
end

return M
