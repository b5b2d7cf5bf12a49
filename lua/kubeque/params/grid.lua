-- Regular points on a line.
--
-- Points that need arithmetic with fractions are rounded to 15 significant digits (of logspace:
-- 14), which is what makes a step of 0.1 give 0.3 and not 0.30000000000000004; whole numbers stay
-- as they are.

local core = require "kubeque.params.core"
local exact = require "kubeque.params.exact"

local M = {}

local WHOLE = 2.0 ^ 53

local function rounded(x, digits)
  if math.type(x) == "integer" or x % 1 == 0 and x < WHOLE and x > -WHOLE then
    return x
  end
  return tonumber(("%%.%dg"):format(digits):format(x))
end

local function number(x, what)
  if math.type(x) == nil then
    core.misuse("%s: a number is needed, not %s", what, core.show(x))
  elseif x ~= x or x == math.huge or x == -math.huge then
    core.misuse("%s: a finite number is needed", what)
  end
  return x
end
M.number = number

local function sequence(n, at)
  return core.new { columns = { "value" }, n = n, at = at,
    open = function()
      local i = 0
      return function(row)
        if i >= n then
          return nil
        end
        i = i + 1
        row[1] = at(i)
        return true
      end
    end,
    get = function(i, row)
      row[1] = at(i)
    end }
end

local function integers(first, last, step)
  local distance = math.abs(last * 1.0 - first)
  if distance >= 2.0 ^ 62 or distance / math.abs(step) >= WHOLE then
    core.misuse("range: more than 2^53 values")
  end
  local n = (last - first) // step + 1
  return sequence(n, function(i)
    return first + (i - 1) * step
  end)
end

---first, first + step, ... up to last, which is included when the steps meet it. Without a step it
---is 1 towards last.
function M.range(first, last, step)
  number(first, "range: first")
  number(last, "range: last")
  number(step == nil and 1 or step, "range: step")
  if step == nil then
    step = first > last and -1 or 1
  end
  if step == 0 then
    core.misuse("range: a step of 0 leads nowhere")
  elseif step > 0 and first > last or step < 0 and first < last then
    core.misuse("range: a step of %s leads away from %s", step, last)
  end
  local a, b, c = math.tointeger(first), math.tointeger(last), math.tointeger(step)
  if a and b and c then
    return integers(a, b, c)
  end
  -- the last point may miss `last` by the error of the division
  local n = (last - first) / step
  n = math.tointeger(math.floor(n + n * 1e-14 + 1e-9))
  if not n or n >= 1 << 53 then
    core.misuse("range: more than 2^53 values")
  end
  return sequence(n + 1, function(i)
    return rounded(first + (i - 1) * step, 15)
  end)
end

---n points from first to last, both included, at equal distances.
function M.linspace(first, last, n)
  first, last = number(first, "linspace: first") + 0.0, number(last, "linspace: last") + 0.0
  n = core.integer(n, 1, "linspace: n")
  if n == 1 then
    return sequence(1, function()
      return first
    end)
  end
  local steps = n - 1
  return sequence(n, function(i)
    if i == 1 or i == n then
      return i == 1 and first or last
    end
    -- weights first: the sum of two large bounds may be no number
    local t = i - 1
    return rounded(first * ((steps - t) / steps) + last * (t / steps), 15)
  end)
end

---n points from first to last, both included, at equal ratios.
function M.logspace(first, last, n)
  first, last = number(first, "logspace: first") + 0.0, number(last, "logspace: last") + 0.0
  n = core.integer(n, 1, "logspace: n")
  if first <= 0 or last <= 0 then
    core.misuse("logspace: bounds are above 0, not %s", first <= 0 and first or last)
  elseif n == 1 then
    return sequence(1, function()
      return first
    end)
  end
  local a, b, steps = exact.log10(first), exact.log10(last), n - 1
  return sequence(n, function(i)
    if i == 1 or i == n then
      return i == 1 and first or last
    end
    local t = i - 1
    return rounded(exact.exp10((a * (steps - t) + b * t) / steps), 14)
  end)
end

return M
