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

---Params of what a script may hold: params, a list of rows (tables by name) or a file's name.
function M.of(value)
  if core.is(value) then
    return value
  elseif type(value) == "string" then
    return M.file(value)
  elseif type(value) == "table" and getmetatable(value) == nil then
    return M.rows(value)
  end
  core.misuse("params, a list of rows or the name of a file is needed, not %s", core.show(value))
end

-- ---- from elsewhere ----

---Rows of a list: tables by name, which must all have the keys of the first, or, with `columns`,
---lists in the order of these names.
function M.rows(list, columns)
  return require("kubeque.params.source").rows(list, columns)
end

---Rows of a function: generate({"a", "b"}, function() ... end). It is called at the start of each
---walk and returns an iterator, which returns the values of the next row, and nil at the end.
function M.generate(columns, start)
  return require("kubeque.params.source").generate(columns, start)
end

---Rows of a file in the format of its ending: .csv, .tsv, .tab, .jsonl, .ndjson, .json; "-" is
---stdin. Values are text as it stands in the file.
function M.file(path, format)
  return require("kubeque.params.source").file(path, format)
end

for _, format in ipairs { "csv", "tsv", "jsonl", "json" } do
  M[format] = function(path)
    return require("kubeque.params.source").file(path, format)
  end
end

---Rows of a query of a SQLite database, which is only read.
function M.sqlite(path, sql)
  return require("kubeque.params.source").sqlite(path, sql)
end

-- ---- combined ----

---Every combination of its factors; the last varies fastest.
---A factor is params, or a table {name = values, ...} where values are params with one column, a
---list, one value, or something random; factors of one table come in the order of their names.
---The factors may be one list: product{ {b = ...}, {a = ...} }.
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

-- ---- one column ----

---A column of given values.
function M.values(list)
  if type(list) ~= "table" or core.is(list) then
    core.misuse("values: a list is needed, not %s", core.show(list))
  end
  return require("kubeque.params.combine").values(list)
end

---The same as values: in a grid each in turn, in a space one of them.
M.choice = M.values

-- Points on a line, and what is random.
for module, functions in pairs { grid = { "range", "linspace", "logspace" },
  draw = { "uniform", "loguniform", "integers", "normal" } } do
  for _, name in ipairs(functions) do
    M[name] = function(...)
      return require("kubeque.params." .. module)[name](...)
    end
  end
end

-- ---- points instead of combinations ----

---Factors of which points are taken instead of every combination: as of product, and random ones.
---Its methods: sample(n, {seed=}), latin_hypercube(n, {seed=}), sobol(n, {seed=}), sampler(seed),
---grid().
function M.space(...)
  return require("kubeque.params.space").new(require("kubeque.params.combine")
    .factors({ ... }, "space"))
end

local function space_of(what, value)
  if require("kubeque.params.space").is(value) then
    return value
  elseif core.is(value) or type(value) ~= "table" then
    core.misuse("%s: a space or a table {name = factor} is needed, not %s", what, core.show(value))
  end
  return M.space(value)
end

---n rows of which, for each factor, one lies in each n-th of its range.
function M.latin_hypercube(space, n, options)
  return space_of("latin_hypercube", space):latin_hypercube(n, options)
end

---n points of a Sobol' sequence.
function M.sobol(space, n, options)
  return space_of("sobol", space):sobol(n, options)
end

return M
