-- The live line at every width.
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local live = require "kubeque.live"

local state = { total = 1000, ended = 250, bad = 3, running = 8, nodes = 2, rate = 12.34,
  left = 61, failure = "task 17 failed(timeout)" }

for _, width in ipairs { 1, 5, 10, 20, 40, 60, 80, 200, 500 } do
  local line = live.line(state, width)
  t.ok(#line < width, ("at width %d the line has %d columns"):format(width, #line))
end
t.like(live.line(state, 20), "^250/1000", "20 columns: the count")
t.like(live.line(state, 40), "250/1000.*25%%.*3 failed", "40 columns: and the failures")
t.like(live.line(state, 80), "^%[#+>%.+%]  250/1000", "80 columns: and a bar")
t.is(live.line(state, 200), "[#######>......................]  250/1000  25%  8 running  "
  .. "3 failed  12/s  1m01s left  2 nodes  last failure: task 17 failed(timeout)",
  "200 columns: everything")
t.like(live.line(state, 110), "last failure: task 17.*%.%.%.$", "a long failure is cut")
t.like(live.line(state, 80, true), "\27%[31m3 failed\27%[0m", "failures are red")
t.ok(not live.line(state, 80):find("\27", 1, true), "no colour, no escape")
state.ended, state.bad, state.left, state.rate, state.failure = 1000, 0, nil, nil, nil
t.like(live.line(state, 80), "^%[#+%]  1000/1000  100%%", "the full bar")
t.is(live.left_text(59.4), "59s", "seconds")
t.is(live.left_text(3700), "1h01m", "hours")
t.is(live.left_text(90000), "1d01h", "days")
t.done()
