-- exp and log from the four operations, so that a seed gives the same numbers everywhere: the C
-- library's differ in the last bit between versions and processors. IEEE 754 fixes the result of
-- each operation, and Lua never fuses two. Errors are within 2 units in the last place.
--
-- Both reduce the argument to a power of two and a rest near 1 (log) or 0 (exp), and sum the
-- Taylor series of the rest. ln 2 is split into a part whose products with small whole numbers
-- are exact and the rest (Cody and Waite, Software Manual for the Elementary Functions, 1980).

local M = {}

local LN2_HIGH, LN2_LOW = 0x1.62e42fee00000p-1, 0x1.a39ef35793c76p-33
local LN10_HIGH, LN10_LOW = 0x1.26bb1bbb55516p+1, -0x1.f48ad494ea3e9p-53
local SQRT_HALF = 0x1.6a09e667f3bcdp-1

---2 to a whole power.
local function power_of_two(k)
  if k < -1022 then
    return power_of_two(k + 100) * 0x1p-100
  elseif k > 1023 then
    return k > 2046 and math.huge or power_of_two(k - 1023) * 0x1p1023
  end
  return (string.unpack("<d", string.pack("<i8", (k + 1023) << 52)))
end

---x = m * 2^e with m in [sqrt(1/2), sqrt(2)).
local function split(x)
  local e = 0
  if x < 0x1p-1022 then
    x, e = x * 0x1p54, -54
  end
  local bits = string.unpack("<i8", string.pack("<d", x))
  e = e + (bits >> 52) - 1022
  local m = string.unpack("<d", string.pack("<i8", bits & 0xfffffffffffff | 1022 << 52))
  if m < SQRT_HALF then
    m, e = m * 2, e - 1
  end
  return m, e
end

---The natural logarithm of a positive number.
function M.log(x)
  local m, e = split(x)
  -- log m = 2 artanh s
  local s = (m - 1) / (m + 1)
  local z = s * s
  local sum = 0.0
  for k = 25, 3, -2 do
    sum = (sum + 1 / k) * z
  end
  return e * LN2_HIGH + (2 * s + (2 * s * sum + e * LN2_LOW))
end

---e to the power x.
function M.exp(x)
  if x > 709.8 then
    return math.huge
  elseif x < -745.2 then
    return 0.0
  end
  local k = math.floor(x / (LN2_HIGH + LN2_LOW) + 0.5)
  local r = (x - k * LN2_HIGH) - k * LN2_LOW
  local sum = 1.0
  for i = 15, 2, -1 do
    sum = 1 + r * sum / i
  end
  return (1 + r * sum) * power_of_two(k)
end

---The decimal logarithm; exact for powers of ten.
function M.log10(x)
  local k = tonumber(("%.0e"):format(x):match("e(.*)$"))
  local m = x / tonumber("1e" .. k)
  return k + M.log(m) / LN10_HIGH
end

---10 to the power x; exact for whole numbers.
function M.exp10(x)
  local k = math.floor(x + 0.5)
  local f = x - k
  return M.exp(f * LN10_HIGH + f * LN10_LOW) * tonumber("1e" .. string.format("%d", k))
end

return M
