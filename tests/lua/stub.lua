-- What pure modules need of the `kubeque` global, in plain Lua, so that their tests run under
-- any Lua 5.4 as well as inside kubeque.

package.path = "lua/?.lua;tests/lua/?.lua;" .. package.path

local units = {}
local scale = { [""] = 1, K = 1e3, M = 1e6, G = 1e9, T = 1e12,
  Ki = 1 << 10, Mi = 1 << 20, Gi = 1 << 30, Ti = 1 << 40 }

function units.memory(text)
  local number, unit = text:match("^(%d+%.?%d*)(%a*)$")
  if not number or not scale[unit] then
    return nil, ('"%s" is no size (100M, 1.5G, 2Gi or bytes)'):format(text), "usage"
  end
  return math.floor(tonumber(number) * scale[unit])
end

local seconds = { s = 1, m = 60, h = 3600, d = 86400 }

function units.duration(text)
  if text:match("^%d+$") then
    return tonumber(text)
  end
  local total, rest = 0, text
  while rest ~= "" do
    local number, unit, more = rest:match("^(%d+)([smhd])(.*)$")
    if not number then
      return nil, ('"%s" is no duration (90, 90s, 5m, 2h, 1d, 1h30m)'):format(text), "usage"
    end
    total, rest = total + tonumber(number) * seconds[unit], more
  end
  return total
end

local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

local stub = { units = units, distance = distance, logged = {} }

local function logger(text)
  stub.logged[#stub.logged + 1] = text
end

_G.kubeque = _G.kubeque or {
  units = units,
  distance = distance,
  log = { error = logger, warn = logger, info = logger, debug = logger, level = function() end },
}

return stub
