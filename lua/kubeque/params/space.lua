-- A space of parameters: factors of which points are taken, not every combination.
--
-- Each factor is one dimension: a draw, or rows of which one is taken (several columns may move
-- together). Row i depends on the seed and i alone, so a search that was stopped goes on where it
-- was.

local combine = require "kubeque.params.combine"
local core = require "kubeque.params.core"
local random = require "kubeque.random"
local sobol = require "kubeque.sobol"

local M = {}

local Space = {}
Space.__index = Space
Space.__name = "space"

local LAST_FRACTION <const> = 1 - 0x1p-53

---A function that writes the value for the fraction u into a row.
local function setter(factor, at)
  if factor.draw then
    local quantile = factor.draw.quantile
    return function(u, row)
      row[at] = quantile(u)
    end
  end
  local params = require("kubeque.params.sample").kept(factor.params)
  local width, values, n = #params.columns, {}, params.n
  if n == 0 then
    core.misuse("space: \"%s\" has no rows", table.concat(params.columns, ", "))
  end
  return function(u, row)
    params.get(u * n // 1 + 1 | 0, values)
    table.move(values, 1, width, at, row)
  end
end

---A space of the factors of an argument list (kubeque.params.combine).
function M.new(factors)
  local columns, dimensions, finite = combine.columns(factors), {}, true
  core.check_columns(columns)
  local at = 1
  for k, factor in ipairs(factors) do
    local draw = factor.draw
    dimensions[k] = { set = setter(factor, at), name = factor.columns[1],
      seed = draw and draw.seed, half = draw and draw.unbounded and 0.5 or 0 }
    at = at + #factor.columns
    finite = finite and not factor.draw
  end
  return setmetatable({ columns = columns, dimensions = dimensions, factors = factors,
    finite = finite }, Space)
end

---The stream of a dimension for a purpose.
local function stream_of(dimension, seed, purpose)
  return random.stream(dimension.seed or seed, dimension.name .. (purpose or ""))
end

---Every combination: only where no factor is drawn without end.
function Space:grid()
  return combine.product_of(self.factors)
end

---Rows of independent fractions.
local function independent(space, n, seed)
  local streams, unit = {}, random.unit
  for k, dimension in ipairs(space.dimensions) do
    streams[k] = stream_of(dimension, seed)
  end
  return core.new { columns = space.columns, n = n,
    get = function(i, row)
      for k = 1, #streams do
        space.dimensions[k].set(unit(streams[k], i), row)
      end
    end }
end

local function read(n, options, allowed, what)
  options = core.options(options, allowed, what)
  for _, flag in ipairs { "shift", "centered" } do
    if options[flag] ~= nil and type(options[flag]) ~= "boolean" then
      core.misuse("%s: %s: true or false is needed, not %s", what, flag, core.show(options[flag]))
    end
  end
  return core.integer(n, 1, what .. ": n"), core.seed(options, what), options
end

---n random rows. When no factor is drawn they are n different rows of the grid; otherwise each
---factor takes a value for itself.
function Space:sample(n, options)
  local seed
  n, seed = read(n, options, { "seed" }, "sample")
  if self.finite then
    return self:grid():sample(n, { seed = seed })
  end
  return independent(self, n, seed)
end

---A function that returns one random row after the other as tables: those of sample(). When no
---factor is drawn it ends with nil behind the last combination. `done` rows are passed over.
function Space:sampler(seed, done)
  seed = core.integer(seed == nil and 0 or seed, math.mininteger, "sampler: seed")
  local i = core.integer(done == nil and 0 or done, 0, "sampler: done")
  local make = core.row_maker(self.columns)
  local rows
  if self.finite then
    local grid = require("kubeque.params.sample").kept(self:grid())
    rows = grid:sample(grid.n, { seed = seed })
  else
    rows = independent(self, math.maxinteger, seed)
  end
  return function()
    if i >= rows.n then
      return nil
    end
    i = i + 1
    local values = {}
    rows.get(i, values)
    return make(values)
  end
end

---n rows of which, for each factor, exactly one lies in each n-th of its range (M. McKay,
---R. Beckman, W. Conover, Technometrics 21 (1979)); `centered` takes the middle of each n-th.
function Space:latin_hypercube(n, options)
  local seed
  n, seed, options = read(n, options, { "seed", "centered" }, "latin_hypercube")
  local places, streams = {}, {}
  for k, dimension in ipairs(self.dimensions) do
    places[k] = random.permutation(n, stream_of(dimension, seed, ":lhs"))
    streams[k] = not options.centered and stream_of(dimension, seed)
  end
  return core.new { columns = self.columns, n = n,
    get = function(i, row)
      for k, dimension in ipairs(self.dimensions) do
        local within = streams[k] and random.unit(streams[k], i) or 0.5
        dimension.set(math.min((places[k](i - 1) + within) / n, LAST_FRACTION), row)
      end
    end }
end

---n points of a Sobol' sequence, a dimension for each factor, moved by a random digital shift that
---depends on the seed; shift = false gives the published points. `skip` leaves points out at the
---start.
function Space:sobol(n, options)
  local seed
  n, seed, options = read(n, options, { "seed", "shift", "skip" }, "sobol")
  local skip = core.integer(options.skip == nil and 0 or options.skip, 0, "sobol: skip")
  if #self.dimensions > sobol.dimensions then
    core.misuse("sobol: %d factors, there are direction numbers for %d", #self.dimensions,
      sobol.dimensions)
  elseif skip + n > sobol.points then
    core.misuse("sobol: more than 2^32 points")
  end
  local shifts = {}
  for k, dimension in ipairs(self.dimensions) do
    shifts[k] = options.shift == false and 0 or stream_of(dimension, seed, ":sobol") >> 32
  end
  return core.new { columns = self.columns, n = n,
    get = function(i, row)
      for k, dimension in ipairs(self.dimensions) do
        local x = sobol.coordinate(k, skip + i - 1) ~ shifts[k]
        -- what has no end is drawn at the middle of the cell: its corner would be infinitely far
        dimension.set((x + dimension.half) * 0x1p-32, row)
      end
    end }
end

function Space.__tostring(self)
  return ("params.space(%s)"):format(table.concat(self.columns, ", "))
end

---True for a space.
function M.is(value)
  return getmetatable(value) == Space
end

return M
