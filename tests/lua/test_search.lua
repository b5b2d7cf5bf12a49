-- Searches by themselves: what they suggest for what they are told; the journal.

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua"
local tap = require "tap"
local is, same, like, ok = tap.is, tap.same, tap.like, tap.ok
local search, params = kubeque.search, kubeque.params

local function misuse(fn, pattern, name)
  local fine, why = pcall(fn)
  ok(not fine, name .. ": refused")
  like(tostring(why), pattern, name)
end

-- ---- random ----

local function random(o)
  o = o or {}
  o.space = o.space or { lr = params.loguniform(1e-4, 1), opt = { "adam", "sgd" } }
  return search.random(o)
end

local r = random { trials = 5, seed = 3 }
local first, rest = r:suggest(2), r:suggest(10)
is(#first, 2, "as many as asked for")
is(#rest, 3, "or as many as there are")
is(r:suggest(1), nil, "then it is over")
local again = random { trials = 5, seed = 3 }:suggest(5)
same({ again[1], again[2], again[5] }, { first[1], first[2], rest[3] }, "the same in other batches")
ok(random { trials = 5, seed = 4 }:suggest(1)[1].lr ~= first[1].lr, "another seed, other rows")
is((r:best()), nil, "nothing was told")
r:tell(first[1], 3)
r:tell(first[2], nil)
r:tell(rest[1], 1)
r:tell(rest[2], 0 / 0)
r:tell(rest[3], math.huge)
local row, least = r:best()
ok(row == rest[1] and least == 1, "the best is the smallest; failures and NaN are none")
is(#search.random { space = { a = { 1, 2 }, b = { 1, 2 } }, trials = 9 }:suggest(9), 4,
  "a space that ends, ends")
is(search.random { space = params.space { a = { 1, 2 } }, trials = 1 }:suggest(1)[1].a // 1 > 0, true,
  "a space as it is")
misuse(function() random { trails = 3 } end, "test_search.lua:%d+: search.random: unknown option "
  .. "trails %(did you mean trials%?%)", "a misspelt option")
misuse(function() random { trials = 0 } end, "a whole number of at least 1", "no trials")
misuse(function() search.random { trials = 1 } end, "option space", "no space")
misuse(function() return search.randm end, "no kubeque.search.randm %(did you mean random%?%)",
  "a misspelt search")

-- ---- halving ----

local function halving(o)
  o.space = { x = params.uniform(0, 1) }
  return search.halving(o)
end

---Drives it with a function; the sizes and amounts of its rungs.
local function rungs_of(h, value_of, n)
  local sizes, asked = {}, 0
  while true do
    local rows = h:suggest(n or 1000)
    if not rows then
      return sizes, asked
    end
    for _, one in ipairs(rows) do
      local e = one.epochs
      if not sizes[1] or sizes[#sizes][1] ~= e then
        sizes[#sizes + 1] = { e, 0 }
      end
      sizes[#sizes][2] = sizes[#sizes][2] + 1
      asked = asked + 1
    end
    for _, one in ipairs(rows) do
      h:tell(one, value_of(one))
    end
  end
end

local function x_of(one)
  return one.x
end

same(rungs_of(halving { trials = 27, min = 1, max = 27, eta = 3 }, x_of),
  { { 1, 27 }, { 3, 9 }, { 9, 3 }, { 27, 1 } }, "27 get 1, 9 get 3, 3 get 9, 1 gets 27")
same(rungs_of(halving { trials = 8, min = 1, max = 10, eta = 3 }, x_of),
  { { 1, 8 }, { 3, 2 }, { 10, 1 } }, "amounts are counted from the most")
same(rungs_of(halving { trials = 5, min = 4, max = 4 }, x_of), { { 4, 5 } }, "one rung")
same(rungs_of(halving { trials = 4, min = 0.5, max = 2, eta = 2 }, x_of),
  { { 0.5, 4 }, { 1.0, 2 }, { 2, 1 } }, "fractions of a resource")
same((rungs_of(halving { trials = 9, min = 1, max = 9 }, x_of, 2)),
  { { 1, 9 }, { 3, 3 }, { 9, 1 } }, "in small batches, too")

local h = halving { trials = 9, min = 1, max = 9, seed = 5 }
local rows = h:suggest(100)
is(#h:suggest(100), 0, "it waits for results")
for i, one in ipairs(rows) do
  h:tell(one, i == 4 and 0.25 or i == 7 and 0.5 or i == 2 and 0.5 or nil)
end
local second = h:suggest(100)
same({ second[1].x, second[2].x, second[3].x }, { rows[4].x, rows[2].x, rows[7].x },
  "the best third goes on, of equal ones the earlier")
is(second[1].epochs, 3, "with three times as much")
for _, one in ipairs(second) do
  h:tell(one, one.x == rows[4].x and 3 or 2)
end
row, least = h:best()
ok(least == 2 and row.epochs == 3, "the last rung decides which is best")
local last = h:suggest(100)
is(#last, 1, "one is left")
h:tell(last[1], nil)
is(h:suggest(1), nil, "it is over")
row = h:best()
is(row.epochs, 3, "a failure does not become the best")
misuse(function() h:tell(rows[1], 1) end, "told of a row that was not suggested", "told twice")

h = halving { trials = 3, min = 1, max = 9 }
for _, one in ipairs(h:suggest(3)) do
  h:tell(one, nil)
end
is(h:suggest(1), nil, "when all fail it is over")
is((h:best()), nil, "without a best one")
misuse(function() halving { resource = "x" } end, "x is a column of the space, too", "a taken name")
misuse(function() halving { eta = 1 } end, "option eta: a number of at least 1.5", "eta")
misuse(function() halving { min = 5, max = 4 } end, "option max: a number of at least 5", "max")
misuse(function() halving { min = 0 } end, "option min", "min")

local json = kubeque.json
h = halving { trials = 4, min = 1, max = 3 }
for _, one in ipairs(h:suggest(4)) do
  h:tell(json.decode(json.encode(one)), 1)
end
is(#h:suggest(4), 1, "rows are known by what they say, also after a journey through JSON")

-- ---- the journal ----

local journals = require "kubeque.search.journal"
local dir = kubeque.fs.tmpdir()
local path = dir .. "/j.jsonl"
local function open(o)
  o = o or {}
  o.say = o.say or function() end
  return journals.open(path, o)
end

do
  local journal <close> = open()
  same(journal.batches, {}, "a new journal is empty")
  journal:ask { { a = 1 }, { a = 2 } }
  journal:tell { 0.5, json.null }
  journal:ask { { a = 3 } }
end
do
  local journal <close> = open()
  is(#journal.batches, 2, "it is kept")
  ok(journal.batches[1].values[1] == 0.5 and journal.batches[1].values[2] == json.null,
    "with failures")
  is(journal.batches[2].values, nil, "what was asked and not told is asked")
end
local whole = kubeque.fs.read(path)
for cut = 0, #whole - 1 do
  kubeque.fs.write(path, whole:sub(1, cut))
  local journal = open()
  local _, lines = whole:sub(1, cut):gsub("\n", "")
  local want = lines >= 3 and 2 or lines >= 1 and 1 or 0
  local told = journal.batches[1] ~= nil and journal.batches[1].values ~= nil
  if #journal.batches ~= want or told ~= (lines >= 2) then
    ok(false, "cut at " .. cut)
  end
  journal:ask { { a = 9 } }
  journal:close()
  local back = open { read_only = true }
  if #back.batches ~= want + 1 or back.batches[want + 1].rows[1].a ~= 9 then
    ok(false, "cut at " .. cut .. " and written again")
  end
end
ok(true, "cut anywhere, it holds the whole lines and can be gone on with")
kubeque.fs.write(path, whole)
do
  local journal <close> = open()
  journal:cut(2)
  is(#journal.batches, 1, "batches are forgotten")
end
do
  local journal <close> = open()
  is(#journal.batches, 1, "for good")
  journal:cut(1)
end
do
  local journal <close> = open()
  is(#journal.batches, 0, "all of them")
  journal:ask { { a = 1 } }
end
do
  local journal <close> = open { fresh = true }
  is(#journal.batches, 0, "or begun anew")
end
kubeque.fs.remove_tree(dir)

tap.done()
