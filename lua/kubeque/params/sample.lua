-- Some rows of many.

local core = require "kubeque.params.core"
local random = require "kubeque.random"

local M = {}

---All rows in memory, so that they can be had by number.
function M.kept(params)
  if params.get then
    return params
  end
  local advance, row, values, width, n = params.open(), {}, {}, #params.columns, 0
  while advance(row) do
    table.move(row, 1, width, n * width + 1, values)
    n = n + 1
  end
  return core.new { columns = params.columns, n = n,
    get = function(i, out)
      table.move(values, (i - 1) * width + 1, i * width, 1, out)
    end }
end

local function too_few(n, there)
  core.misuse("sample: %d rows were asked for and there are %d", n, there)
end

---Rows by number, in the order of a random permutation.
local function by_number(params, n, seed)
  if n > params.n then
    too_few(n, params.n)
  end
  local place
  return core.new { columns = params.columns, n = n,
    get = function(i, row)
      place = place or random.permutation(params.n, random.stream(seed, "sample"))
      params.get(place(i - 1) + 1, row)
    end }
end

---n rows of a walk, each set of n as likely (J. Vitter, "Random sampling with a reservoir",
---ACM Trans. Math. Softw. 11 (1985), algorithm R), then shuffled.
local function reservoir(params, n, seed)
  local below = random.below(random.stream(seed, "sample"))
  local rows, advance, width, seen = {}, params.open(), #params.columns, 0
  local row = {}
  while advance(row) do
    seen = seen + 1
    local at = seen <= n and seen or below(seen) + 1
    if at <= n then
      rows[at] = table.move(row, 1, width, 1, rows[at] or {})
    end
  end
  if seen < n then
    too_few(n, seen)
  end
  for i = n, 2, -1 do
    local k = below(i) + 1
    rows[i], rows[k] = rows[k], rows[i]
  end
  return rows
end

---n of the rows, none twice, each as likely, in random order.
function M.sample(params, n, options)
  n = core.integer(n, 1, "sample: n")
  local seed = core.seed(core.options(options, { "seed" }, "sample"), "sample")
  if params.get then
    return by_number(params, n, seed)
  end
  local width = #params.columns
  return core.new { columns = params.columns, n = n,
    open = function()
      local rows, i = nil, 0
      return function(row)
        rows = rows or reservoir(params, n, seed)
        i = i + 1
        return rows[i] and table.move(rows[i], 1, width, 1, row) and true or nil
      end
    end }
end

return M
