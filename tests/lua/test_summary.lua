-- Numbers about streams: the largest, and the median in little memory.

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua"
local tap = require "tap"
local is, same, ok = tap.is, tap.same, tap.ok
local summary = require "kubeque.summary"

local top = summary.top(3)
for i, key in ipairs { 5, 1, 9, 9, 2, 7, 9 } do
  top.add(key, i)
end
same(top.items(), { 3, 4, 7 }, "the largest three, of equal ones the first")
top = summary.top(3)
top.add(1, "a")
same(top.items(), { "a" }, "fewer than asked for")

---A stream of these numbers.
local function stream(...)
  local s = summary.stream()
  for _, x in ipairs { ... } do
    s:add(x)
  end
  return s
end

is(stream():median(), nil, "no median of nothing")
is(stream():mean(), nil, "no mean, either")
is(stream(3):median(), 3, "one value")
is(stream(9, 1, 3):median(), 3, "an odd number")
is(stream(4, 1, 3, 2):median(), 2.5, "an even number")
is(stream(1, 2, 6):mean(), 3, "the mean")
is(stream(1, 7, 6).max, 7, "the largest")

math.randomseed(1, 2)
local values, s = {}, summary.stream()
for i = 1, 20001 do
  values[i] = math.exp(math.random() * 20 - 10)
  s:add(values[i])
end
table.sort(values)
ok(math.abs(s:median() / values[10001] - 1) < 0.011, "of many the median is right to 1 %")
is(s.max, values[20001], "and the largest exactly")
is(s.values, nil, "values are not kept")
local classes = 0
for _ in pairs(s.classes) do
  classes = classes + 1
end
ok(classes < 2100, "but counted in classes")
s = summary.stream()
for _ = 1, 500 do
  s:add(0)
end
ok(s:median() < 1e-8, "zeros")

tap.done()
