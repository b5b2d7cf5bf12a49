-- Random numbers, factors drawn from them, spaces, Latin hypercubes, Sobol' points.
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local random = require "kubeque.random"
local sobol = require "kubeque.sobol"
local exact = require "kubeque.params.exact"
local draw = require "kubeque.params.draw"
local p = kubeque.params

local function fails(fn, ...)
  local ok, why = pcall(fn, ...)
  return not ok and (type(why) == "table" and why.message or why) or "no error"
end

-- ---- the generator ----

-- the first numbers of SplitMix64 with seed 1234567, as published with its reference
local published = { 6457827717110365317, 3203168211198807973, 9817491932198370423,
  4593380528125082431, 16408922859458223821 }
for i, want in ipairs(published) do
  -- what is above 2^63 is a float in a Lua text
  t.is(("%016x"):format(random.bits(1234567, i)), ({ "599ed017fb08fc85", "2c73f08458540fa5",
    "883ebce5a3f27c77", "3fbef740e9177b3f", "e3b8346708cb5ecd" })[i],
    ("SplitMix64: number %d is %.0f"):format(i, want))
end
local low, high, sum = 1, 0, 0
for i = 1, 100000 do
  local u = random.unit(7, i)
  low, high, sum = math.min(low, u), math.max(high, u), sum + u
end
t.ok(low >= 0 and low < 1e-3 and high < 1 and high > 0.999, "fractions fill [0, 1)")
t.ok(math.abs(sum / 100000 - 0.5) < 4 * 0.2887 / 316, "their mean is a half")
t.is(random.unit(7, 5), (random.bits(7, 5) >> 11) * 2.0 ^ -53, "a fraction is the upper 53 bits")
t.ok(random.stream(1, "a") ~= random.stream(1, "b") and random.stream(1, "a")
  ~= random.stream(2, "a"), "a stream belongs to a seed and a name")
local below, counts = random.below(3), {}
for _ = 1, 60000 do
  local x = below(6)
  counts[x] = (counts[x] or 0) + 1
end
local chi = 0
for x = 0, 5 do
  chi = chi + (counts[x] - 10000) ^ 2 / 10000
end
t.ok(chi < 25, ("below(6) is uniform (chi square %.1f)"):format(chi))

---Every number once?
local function is_permutation(n, seed)
  local place, seen = random.permutation(n, seed), {}
  for i = 0, n - 1 do
    local x = place(i)
    if math.type(x) ~= "integer" or x < 0 or x >= n or seen[x] then
      return false
    end
    seen[x] = true
  end
  return true
end
for _, n in ipairs { 1, 2, 3, 65536, 65537, 100003, 1 << 17 } do
  t.ok(is_permutation(n, 11), ("a permutation of %d"):format(n))
end
-- large permutations need no memory: their first numbers are spread as well
local place, quarters = random.permutation(1 << 40, 5), { 0, 0, 0, 0 }
for i = 0, 3999 do
  local q = place(i) // (1 << 38) + 1
  quarters[q] = quarters[q] + 1
end
chi = 0
for _, c in ipairs(quarters) do
  chi = chi + (c - 1000) ^ 2 / 1000
end
t.ok(chi < 20, ("numbers of a large permutation are spread (chi square %.1f)"):format(chi))

-- ---- exp, log, the normal distribution ----

local worst_exp, worst_log = 0, 0
for i = 1, 20000 do
  local x = random.unit(1, i) * 1400 - 700
  worst_exp = math.max(worst_exp, math.abs(exact.exp(x) / math.exp(x) - 1))
  local y = math.exp(x)
  worst_log = math.max(worst_log, math.abs(exact.log(y) - math.log(y)) / math.abs(math.log(y)))
end
t.ok(worst_exp < 4 * 2.0 ^ -53 and worst_log < 4 * 2.0 ^ -53,
  ("exp and log agree with the C library's to %.1e"):format(math.max(worst_exp, worst_log)))
t.same({ exact.exp(0), exact.log(1), exact.exp(1000), exact.exp(-1000) }, { 1.0, 0.0, math.huge, 0.0 },
  "their ends")
local powers = true
for k = -300, 300 do
  powers = powers and exact.log10(tonumber("1e" .. k)) == k and exact.exp10(k) == tonumber("1e" .. k)
end
t.ok(powers, "powers of ten are exact")
-- bit by bit: what every machine must give
t.is(("%a %a %a"):format(exact.exp(1), exact.log(10), exact.exp(-0.37)),
  "0x1.5bf0a8b14576ap+1 0x1.26bb1bbb55516p+1 0x1.61a7ee209faffp-1",
  "the same bits on every machine")
for q, want in pairs { [0.5] = 0.0, [0.975] = 1.959963984540054, [0.001] = -3.090232306167813,
  [1e-10] = -6.361340902404056, [1e-300] = -37.0471 } do
  t.ok(math.abs(draw.normal_quantile(q) - want) < (q < 1e-200 and 1e-4 or 1e-14),
    ("the normal quantile of %g"):format(q))
end

-- ---- draws ----

---Mean and standard deviation of a column.
local function moments(params, name)
  local n, a, b = 0, 0, 0
  for row in params:each() do
    n, a, b = n + 1, a + row[name], b + row[name] ^ 2
  end
  return a / n, math.sqrt(b / n - (a / n) ^ 2)
end
local u = p.uniform(2, 6):sample(20000, { seed = 4 })
local mean, deviation = moments(u, "value")
t.ok(math.abs(mean - 4) < 0.04 and math.abs(deviation - 4 / math.sqrt(12)) < 0.03, "uniform")
mean, deviation = moments(p.normal(10, 2):sample(20000), "value")
t.ok(math.abs(mean - 10) < 0.06 and math.abs(deviation - 2) < 0.05, "normal")
mean = moments(p.loguniform(1e-4, 1):sample(20000):map { l = function(row)
  return math.log(row.value, 10)
end }, "l")
t.ok(math.abs(mean + 2) < 0.04, "loguniform")
local bounds = { math.huge, -math.huge }
for v in p.loguniform(1e-5, 1e-1):sample(5000):iter() do
  bounds = { math.min(bounds[1], v), math.max(bounds[2], v) }
end
t.ok(bounds[1] >= 1e-5 and bounds[2] <= 1e-1, "loguniform stays within its bounds")
counts = {}
for v in p.integers(-2, 3):sample(6000):iter() do
  counts[v] = (counts[v] or 0) + 1
end
local even = true
for v = -2, 3 do
  even = even and math.abs(counts[v] - 1000) < 120
end
t.ok(even and math.type(next(counts)) == "integer", "integers, both ends included")
t.same({ p.uniform(1, 1):sample(2):rows()[2], p.integers(5, 5):sample(1)[1] },
  { { value = 1.0 }, { value = 5 } }, "bounds may be equal")
for why, call in pairs {
  ["above the highest"] = function() return p.uniform(2, 1) end,
  ["above 0"] = function() return p.loguniform(0, 1) end,
  ["number is needed"] = function() return p.normal("x", 1) end,
  ["deviation is negative"] = function() return p.normal(0, -1) end,
  ["whole number is needed"] = function() return p.integers(0.5, 2) end,
  ["unknown option sed"] = function() return p.uniform(0, 1, { sed = 1 }) end,
  ["seed: a whole number"] = function() return p.uniform(0, 1, { seed = "x" }) end,
} do
  t.like(fails(call), "test_random.lua:%d+: .*" .. why, "refused: " .. why)
end

local woven = p.product({ a = p.range(1, 3) }, { u = p.uniform(0, 1) }, { b = { "x", "y" } })
t.same(woven.columns, { "a", "u", "b" }, "a drawn column stays in its place")
t.is(woven:count(), 6, "and does not multiply")
local drawn = {}
for row in woven:each() do
  drawn[#drawn + 1] = row.u
end
t.is(drawn[4], random.unit(random.stream(0, "u"), 4), "row i takes number i of its stream")
t.same(woven[4].u, drawn[4], "also by number")
t.ok(drawn[1] ~= drawn[2], "each row has its own")
t.is(p.product({ b = { 1, 2 } }, { u = p.uniform(0, 1) }, { v = p.uniform(0, 1) })[2].u, drawn[2],
  "another column does not change it")
t.ok(p.product({ b = { 1, 2 } }, { u = p.uniform(0, 1, { seed = 9 }) })[2].u ~= drawn[2],
  "another seed does")
t.is(woven:sample(6, { seed = 2 }):filter(function(row)
  return row.u == woven[row.a * 2 - (row.b == "x" and 1 or 0)].u
end):rows()[6].a ~= nil, true, "a sample keeps what belongs to its rows")
t.is(p.zip({ a = { 1, 2 } }, { u = p.uniform(0, 1) })[2].u, drawn[2], "zip draws, too")
t.like(fails(p.product, { u = p.uniform(0, 1) }), "every factor is random", "only random factors")

-- ---- spaces ----

local space = p.space({ lr = p.loguniform(1e-5, 1e-1), opt = { "adam", "sgd" } },
  { n = p.integers(1, 9) })
t.same(space.columns, { "lr", "opt", "n" }, "columns of a space")
local first = space:sample(5, { seed = 3 }):rows()
t.same(space:sample(2, { seed = 3 }):rows(), { first[1], first[2] },
  "fewer rows are the first of more")
t.same(space:sample(5, { seed = 3 }):rows(), first, "the same seed, the same rows")
local sampler = space:sampler(3)
t.same({ sampler(), sampler(), sampler() }, { first[1], first[2], first[3] },
  "a sampler gives them one by one")
t.same(space:sampler(3, 3)(), first[4], "and goes on where it was")
local finite = p.space { a = { 1, 2 }, b = { 1, 2, 3 } }
local rows, more = {}, finite:sampler(1)
for row in more do
  rows[row.a .. row.b] = true
end
local distinct = 0
for _ in pairs(rows) do
  distinct = distinct + 1
end
t.is(distinct, 6, "where nothing is drawn, each combination comes once")
t.is(#finite:sample(4):rows(), 4, "and samples are of different rows")
t.like(fails(finite.sample, finite, 7), "7 rows were asked for and there are 6", "at most all")
t.is(finite:grid():count(), 6, "grid is the product")
t.like(fails(space.sample, space), "n: a whole number", "how many is needed")
t.is(p.space(p.rows { { a = 1, b = 1 }, { a = 2, b = 2 } }, { u = p.uniform(0, 1) })
  :sample(50):filter(function(row) return row.a ~= row.b end):rows()[1], nil,
  "columns of one factor move together")

---In each dimension, one value in each n-th.
local function is_latin(params, n, names)
  for _, name in ipairs(names) do
    local seen = {}
    for row in params:each() do
      local stratum = math.floor(row[name] * n)
      if stratum < 0 or stratum >= n or seen[stratum] then
        return false
      end
      seen[stratum] = true
    end
  end
  return true
end
local cube = { x = p.uniform(0, 1), y = p.uniform(0, 1), z = p.uniform(0, 1) }
for _, n in ipairs { 1, 2, 7, 100, 70000 } do
  t.ok(is_latin(p.latin_hypercube(cube, n, { seed = n }), n, { "x", "y", "z" }),
    ("a Latin hypercube of %d"):format(n))
end
t.same(p.latin_hypercube({ x = p.uniform(0, 8) }, 4, { centered = true })
  :map { k = function(row) return row.x % 2 end }:select "k":rows(),
  { { k = 1.0 }, { k = 1.0 }, { k = 1.0 }, { k = 1.0 } }, "centered: the middle of each n-th")
counts = {}
for row in p.latin_hypercube({ { o = { "a", "b" } }, { x = p.uniform(0, 1) } }, 10):each() do
  counts[row.o] = (counts[row.o] or 0) + 1
end
t.same(counts, { a = 5, b = 5 }, "lists are covered evenly")
local a, b = p.latin_hypercube(cube, 50), p.latin_hypercube(cube, 50, { seed = 1 })
t.same(a[7], p.latin_hypercube(cube, 50)[7], "a Latin hypercube follows from its seed")
t.ok(a[7].x ~= b[7].x, "another seed, another one")
t.like(fails(p.latin_hypercube, 3, 5), "a space or a table", "no space")
t.like(fails(p.latin_hypercube, cube, 5, { sed = 1 }), "unknown option sed", "a wrong option")

-- ---- Sobol' points ----

-- the first ten points in three dimensions, as the authors' program prints them
local ten = { { 0, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.75, 0.25, 0.25 }, { 0.25, 0.75, 0.75 },
  { 0.375, 0.375, 0.625 }, { 0.875, 0.875, 0.125 }, { 0.625, 0.125, 0.875 },
  { 0.125, 0.625, 0.375 }, { 0.1875, 0.3125, 0.9375 }, { 0.6875, 0.8125, 0.4375 } }
local got = {}
for row in p.sobol(cube, 10, { shift = false }):each() do
  got[#got + 1] = { row.x + 0.0, row.y + 0.0, row.z + 0.0 }
end
for i, point in ipairs(ten) do
  ten[i] = { point[1] + 0.0, point[2] + 0.0, point[3] + 0.0 }
end
t.same(got, ten, "the published first points")
t.ok(sobol.dimensions >= 21, ("%d dimensions"):format(sobol.dimensions))

---Is x^s + a_1 x^(s-1) + ... + 1 primitive over the field of two elements? x has order 2^s - 1.
local function is_primitive(s, inner)
  local polynomial, n, x = 1 << s | inner << 1 | 1, (1 << s) - 1, 1
  for k = 1, n do
    x = x << 1
    if x >> s & 1 == 1 then
      x = x ~ polynomial
    end
    if x == 1 then
      return k == n
    end
  end
  return false
end
local primitive, odd, last = true, true, -1
for _, entry in ipairs(sobol.table) do
  local s, inner, m = table.unpack(entry)
  primitive = primitive and is_primitive(s, inner) and #m == s and s << 20 | inner > last
  last = s << 20 | inner
  for k, number in ipairs(m) do
    odd = odd and number % 2 == 1 and number < 1 << k
  end
end
t.ok(primitive, "the polynomials are the primitive ones, in order")
t.ok(odd, "the first numbers are odd and small enough")

---Property A, which the authors state for these numbers: the first bits of the direction numbers
---of d dimensions are independent. Any wrong number is likely to break it.
local function has_property_a(d)
  local rows_ = {}
  for dimension = 1, d do
    local v, s, inner, m = {}, 0, 0, {}
    if dimension > 1 then
      s, inner, m = table.unpack(sobol.table[dimension - 1])
    end
    local bits = 0
    for k = 1, d do
      if dimension == 1 then
        v[k] = 1 << 64 - k
      elseif k <= s then
        v[k] = m[k] << 64 - k
      else
        v[k] = v[k - s] ~ (v[k - s] >> s)
        for i = 1, s - 1 do
          v[k] = v[k] ~ (inner >> s - 1 - i & 1) * v[k - i]
        end
      end
      bits = bits | (v[k] >> 63 & 1) << k - 1
    end
    rows_[dimension] = bits
  end
  for column = 0, d - 1 do
    local pivot
    for i = column + 1, d do
      if rows_[i] >> column & 1 == 1 then
        pivot = i
        break
      end
    end
    if not pivot then
      return false
    end
    rows_[column + 1], rows_[pivot] = rows_[pivot], rows_[column + 1]
    for i = column + 2, d do
      if rows_[i] >> column & 1 == 1 then
        rows_[i] = rows_[i] ~ rows_[column + 1]
      end
    end
  end
  return true
end
local property = true
for d = 1, sobol.dimensions do
  property = property and has_property_a(d)
end
t.ok(property, "property A holds up to the last dimension")

---In each dimension, 2^k points hit each 2^k-th once, shifted or not.
local function is_balanced(options)
  local factors = {}
  for d = 1, sobol.dimensions do
    factors[d] = { ["x" .. d] = p.uniform(0, 1) }
  end
  local params = p.sobol(factors, 256, options)
  local seen = {}
  for row in params:each() do
    for d = 1, sobol.dimensions do
      seen[d] = seen[d] or {}
      seen[d][math.floor(row["x" .. d] * 256)] = true
    end
  end
  for d = 1, sobol.dimensions do
    for k = 0, 255 do
      if not seen[d][k] then
        return false
      end
    end
  end
  return true
end
t.ok(is_balanced { shift = false }, "256 points are balanced in every dimension")
t.ok(is_balanced { seed = 5 }, "a digital shift keeps that")
t.same(p.sobol(cube, 3, { shift = false, skip = 4 })[1], { x = 0.375, y = 0.375, z = 0.625 }, "skip")
t.ok(p.sobol(cube, 3)[1].x ~= p.sobol(cube, 3, { seed = 1 })[1].x, "the shift follows from the seed")
t.ok(p.sobol({ x = p.normal(0, 1) }, 1, { shift = false })[1].x > -7,
  "the first point of an unbounded factor is finite")
t.like(fails(p.sobol, cube, 5, { scramble = true }), "unknown option scramble", "a wrong option")
local many = {}
for d = 1, sobol.dimensions + 1 do
  many[d] = { ["x" .. d] = p.uniform(0, 1) }
end
t.like(fails(p.sobol, many, 5), "65 factors, there are direction numbers for 64", "too many factors")
t.like(fails(p.sobol, cube, 1 << 33), "more than 2%^32 points", "too many points")

-- streaming: ten million points cost no memory
collectgarbage()
local before = collectgarbage "count"
local huge = p.latin_hypercube(cube, 10000000)
local row = huge[9999999]
t.ok(row.x >= 0 and row.x < 1 and collectgarbage "count" - before < 500,
  "any row of a hypercube of ten million can be had")
t.done()
