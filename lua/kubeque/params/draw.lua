-- Random factors: a value of its own for each row.
--
-- A draw is a quantile function: it turns a fraction 0 <= u < 1 into a value, so the same draw
-- serves random rows (u from kubeque.random), Latin hypercubes and Sobol' points. Row i of a
-- column takes number i of the stream of (seed, column name), whatever other columns there are.

local core = require "kubeque.params.core"
local exact = require "kubeque.params.exact"
local grid = require "kubeque.params.grid"
local random = require "kubeque.random"

local M = {}

local Draw = {}
Draw.__index = Draw
Draw.__name = "draw"

function Draw.__tostring(self)
  return "params." .. self.text
end

---n values, as params with the column "value".
function Draw:sample(n, options)
  return require("kubeque.params.space").new({ { columns = { "value" }, draw = self } })
    :sample(n, options)
end

local function new(text, options, quantile, unbounded)
  local what = text:match("^%w+")
  options = core.options(options, { "seed" }, what)
  return setmetatable({ text = text, quantile = quantile, unbounded = unbounded,
    seed = options.seed ~= nil and core.seed(options, what) or nil }, Draw)
end

local function bounds(low, high, what)
  grid.number(low, what .. ": lowest")
  grid.number(high, what .. ": highest")
  if low > high then
    core.misuse("%s: the lowest value, %s, is above the highest, %s", what, low, high)
  end
end

---The stream of a column.
function M.stream(draw, column, seed)
  return random.stream(draw.seed or seed or 0, column)
end

---Any number between two bounds, each as likely.
function M.uniform(low, high, options)
  bounds(low, high, "uniform")
  return new(("uniform(%s, %s)"):format(low, high), options, function(u)
    return low * (1 - u) + high * u
  end)
end

---Any number between two bounds above 0, each order of magnitude as likely.
function M.loguniform(low, high, options)
  bounds(low, high, "loguniform")
  if low <= 0 then
    core.misuse("loguniform: bounds are above 0, not %s", low)
  end
  local a, b = exact.log(low), exact.log(high)
  return new(("loguniform(%s, %s)"):format(low, high), options, function(u)
    return math.max(low, math.min(exact.exp(a * (1 - u) + b * u), high)) + 0.0
  end)
end

---Whole numbers between two bounds, both included, each as likely.
function M.integers(low, high, options)
  low, high = core.integer(low, math.mininteger, "integers: lowest"),
    core.integer(high, math.mininteger, "integers: highest")
  bounds(low, high, "integers")
  if high * 1.0 - low >= 2.0 ^ 53 - 1 then
    core.misuse("integers: more than 2^53 values")
  end
  local n = high - low + 1
  return new(("integers(%d, %d)"):format(low, high), options, function(u)
    return low + (u * n // 1 | 0)
  end)
end

-- ---- the normal distribution ----

local function polynomial(x, coefficients)
  local sum = coefficients[#coefficients]
  for i = #coefficients - 1, 1, -1 do
    sum = sum * x + coefficients[i]
  end
  return sum
end

local central = {
  { 3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
    1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
    3.3430575583588128105e4, 2.5090809287301226727e3 },
  { 1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
    2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
    5.2264952788528545610e3 },
}
local near = {
  { 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
    3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
    2.27238449892691845833e-2, 7.74545014278341407640e-4 },
  { 1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
    1.05075007164441684324e-9 },
}
local far = {
  { 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
    2.71155556874348757815e-5, 2.01033439929228813265e-7 },
  { 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
    7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
    2.04426310338993978564e-15 },
}

local function ratio(x, pair)
  return polynomial(x, pair[1]) / polynomial(x, pair[2])
end

---The quantile function of the standard normal distribution, 0 < p < 1, to about 16 digits:
---M. Wichura, Algorithm AS 241, Applied Statistics 37 (1988), PPND16.
function M.normal_quantile(p)
  local q = p - 0.5
  if q >= -0.425 and q <= 0.425 then
    return q * ratio(0.180625 - q * q, central)
  end
  local r = math.sqrt(-exact.log(q < 0 and p or 1 - p))
  local z = r <= 5 and ratio(r - 1.6, near) or ratio(r - 5, far)
  return q < 0 and -z or z
end

---Normally distributed numbers.
function M.normal(mean, deviation, options)
  grid.number(mean, "normal: mean")
  grid.number(deviation, "normal: standard deviation")
  if deviation < 0 then
    core.misuse("normal: the standard deviation is negative: %s", deviation)
  end
  return new(("normal(%s, %s)"):format(mean, deviation), options, function(u)
    -- u = 0 stands for the whole interval up to the next fraction
    return mean + deviation * M.normal_quantile(math.max(u, 0x1p-54))
  end, true)
end

-- ---- among other columns ----

---Adds the draws among `factors` to `params`, which has the columns of the other factors.
function M.weave(params, factors)
  local columns, from, draws, at = {}, {}, {}, 0
  for _, factor in ipairs(factors) do
    for _, name in ipairs(factor.columns) do
      columns[#columns + 1] = name
      if factor.draw then
        draws[#draws + 1] = { at = #columns, quantile = factor.draw.quantile,
          stream = M.stream(factor.draw, name, factor.seed) }
      else
        at = at + 1
        from[at] = #columns
      end
    end
  end
  local unit = random.unit
  local function fill(values, row, i)
    for k = 1, at do
      row[from[k]] = values[k]
    end
    for k = 1, #draws do
      local draw = draws[k]
      row[draw.at] = draw.quantile(unit(draw.stream, i))
    end
  end
  return core.derived(params, columns, fill)
end

return M
