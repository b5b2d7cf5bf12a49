-- Random numbers that are the same on every machine and can be had in any order.
--
-- SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators",
-- OOPSLA 2014; constants of D. Stafford's mix 13): the i-th number of a stream is a mixing function
-- of start + i * gamma, so no state is kept: number i of stream s is always the same, whoever asks
-- for it and whatever was asked before. 64-bit integers wrap around in Lua, which is all it needs.
--
-- A stream belongs to a seed and a name (FNV-1a, 64 bits, of the name), so each column draws from
-- its own and keeps its numbers when another column is added.

local M = {}

local GAMMA <const> = 0x9e3779b97f4a7c15

---The mixing function of SplitMix64.
local function mix(z)
  z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ~ (z >> 27)) * 0x94d049bb133111eb
  return z ~ (z >> 31)
end

---The start of the stream of a seed and a name.
function M.stream(seed, name)
  local hash = 0xcbf29ce484222325
  for i = 1, #name do
    hash = (hash ~ name:byte(i)) * 0x100000001b3
  end
  return mix(mix(seed) ~ hash)
end

---Number i (from 1) of a stream: all 64 bits.
function M.bits(stream, i)
  return mix(stream + i * GAMMA)
end

---Number i of a stream as a fraction, 0 <= u < 1, of 53 bits.
function M.unit(stream, i)
  local z = stream + i * GAMMA
  z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ~ (z >> 27)) * 0x94d049bb133111eb
  return ((z ~ (z >> 31)) >> 11) * 0x1p-53
end

---A generator of whole numbers: below(n) is uniform in 0 ... n - 1, without bias.
function M.below(stream)
  local i = 0
  return function(n)
    local limit = math.maxinteger - (math.maxinteger % n + 1) % n
    local x
    repeat
      i = i + 1
      x = M.bits(stream, i) >> 1
    until x <= limit
    return x % n
  end
end

-- ---- permutations ----

-- Up to here a permutation is an array, shuffled by Fisher and Yates' method (Knuth, The Art of
-- Computer Programming, volume 2, algorithm P).
local SHUFFLED <const> = 1 << 16

local function shuffled(n, stream)
  local list, below = {}, M.below(stream)
  for i = 1, n do
    list[i] = i - 1
  end
  for i = n, 2, -1 do
    local k = below(i) + 1
    list[i], list[k] = list[k], list[i]
  end
  return function(i)
    return list[i + 1]
  end
end

---A Feistel network over the next even power of two, walked until it lands below n (J. Black and
---P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002): no memory whatever n is.
local function feistel(n, stream)
  local half = 1
  while 1 << 2 * half < n do
    half = half + 1
  end
  local mask, keys = (1 << half) - 1, {}
  for round = 1, 8 do
    keys[round] = M.bits(stream, round)
  end
  return function(i)
    repeat
      local left, right = i >> half, i & mask
      for round = 1, 8 do
        left, right = right, left ~ (mix(keys[round] + right) & mask)
      end
      i = left << half | right
    until i < n
    return i
  end
end

---A random permutation of 0 ... n - 1: a function from place to number. Needs memory for at most
---65,536 numbers.
function M.permutation(n, stream)
  return (n <= SHUFFLED and shuffled or feistel)(n, stream)
end

return M
