-- Texts as values: the types that options of commands, keys of the configuration and options of
-- providers have in common. A function of `types` takes a text and its declaration (min, max,
-- choices) and gives the value, or nil and why it is none, in words that follow the text.

local M = {}

local types = {}
M.types = types

---The number, unless it is out of the bounds of its declaration.
function M.within(n, decl)
  if decl.min and n < decl.min then
    return nil, ("is too small (at least %s)"):format(decl.min)
  elseif decl.max and n > decl.max then
    return nil, ("is too large (at most %s)"):format(decl.max)
  end
  return n
end

function types.string(text)
  return text
end

function types.int(text, decl)
  local n = text:match "^[+-]?%d+$" and math.tointeger(tonumber(text))
  if not n then
    return nil, "is not a whole number"
  end
  return M.within(n, decl)
end

function types.number(text, decl)
  local n = text:match "^[+-]?%.?%d[%d.]*[eE]?[+-]?%d*$" and tonumber(text)
  if not n or n ~= n or n == math.huge or n == -math.huge then
    return nil, "is not a number"
  end
  return M.within(n, decl)
end

local words = { yes = true, ["true"] = true, on = true, ["1"] = true,
  no = false, ["false"] = false, off = false, ["0"] = false }

function types.flag(text)
  local value = words[text:lower()]
  if value == nil then
    return nil, "is neither yes nor no"
  end
  return value
end

local function measured(unit)
  return function(text, decl)
    local n, why = unit(text)
    if not n then
      return nil, why
    end
    return M.within(n, decl)
  end
end

types.duration = measured(kubeque.units.duration)
types.memory = measured(kubeque.units.memory)

function types.choice(text, decl)
  for _, choice in ipairs(decl.choices) do
    if choice == text then
      return text
    end
  end
  return nil, (decl.choices[2] and "is none of " or "is not ") .. table.concat(decl.choices, ", ")
end

---The sentence about a text that was refused; a reason that quotes it already stands alone.
---@param text string
---@param why string
---@return string
function M.refusal(text, why)
  local quoted = '"' .. text .. '"'
  return why:find(quoted, 1, true) and why or quoted .. " " .. why
end

return M
