-- JSON as programs write it: what kubeque.json.decode reads, and beyond that the words NaN, Infinity
-- and -Infinity for numbers, whole numbers of any length, and a mark of UTF-8 at the start. Python's
-- json.dump writes all but the last by itself.

local M = {}

local words = { ["NaN"] = 0 / 0, ["Infinity"] = 1 / 0, ["-Infinity"] = -1 / 0 }

-- Begins a text that stands for one of the words; the text of a file cannot begin so: it has no
-- unescaped control character.
local MARK <const> = "\1"

---Numbers that JSON does not have, in a piece of text between two strings.
local function mend(piece)
  piece = piece:gsub("%-?%f[%a]%a+%f[%A]", function(word)
    return words[word] and ('"\\u0001%s"'):format(word)
  end)
  return (piece:gsub("%f[%d.]%d+%f[^%d]()", function(after)
    local digits = piece:sub(1, after - 1):match "%d+$"
    local is_whole = not piece:sub(after, after):find "[.eE]"
      and not piece:sub(1, after - 1 - #digits):find "[.eE][+-]?$"
    return is_whole and #digits > 18 and digits .. ".0" or nil
  end))
end

---The text with what JSON does not have written as texts; strings are left alone.
local function mended(text)
  local out, at = {}, 1
  while true do
    local from = text:find('"', at, true)
    out[#out + 1] = mend(text:sub(at, (from or 0) - 1))
    if not from then
      return table.concat(out)
    end
    local to = from + 1
    repeat
      to = text:find('["\\]', to)
      local escape = to and text:byte(to) == 92
      to = to and to + (escape and 2 or 1)
    until not to or not escape
    to = to or #text + 1
    out[#out + 1] = text:sub(from, to - 1)
    at = to
  end
end

---Turns the texts of mended() into numbers; raises when one stands for a name.
local function numbers(value)
  if type(value) == "string" and value:sub(1, 1) == MARK and words[value:sub(2)] then
    return words[value:sub(2)]
  elseif type(value) == "table" then
    for key, item in pairs(value) do
      assert(type(key) ~= "string" or key:sub(1, 1) ~= MARK)
      value[key] = numbers(item)
    end
  end
  return value
end

---Decodes a text; nil and why when it is no JSON.
---@param text string
---@return any value
---@return string|nil why
---@return string|nil code
function M.decode(text)
  text = text:gsub("^\xef\xbb\xbf", "")
  local value, why, code = kubeque.json.decode(text)
  if value ~= nil then
    return value
  end
  local again = kubeque.json.decode(mended(text))
  local fine, result = pcall(numbers, again)
  if again == nil or not fine then
    return nil, why, code
  end
  return result
end

return M
