-- The words of a Lua text: enough to see what a script names without running it.
--
--   for token in lexer.tokens(text) do ... end
--
-- A token is { kind =, text =, line =, from =, to =, value = }:
--   kind   "name", "keyword", "string", "number", "symbol"
--   text   as written; from and to: its bytes in the source; line: where it begins
--   value  what a string means, its escapes and brackets resolved
-- Comments, blanks and a first line that begins with # are passed over. A text with a mistake in it
-- gives tokens all the same (a string that does not end is a "symbol"): whether a script compiles is
-- for `load` to say.

local M = {}

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch "%a+" do
  keywords[word] = true
end

local escapes = { a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v",
  ["\\"] = "\\", ['"'] = '"', ["'"] = "'", ["\n"] = "\n" }

-- Longer ones first.
local symbols = { "...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", ".." }

---Resolves one escape at `at` (behind the backslash): its text and the position behind it.
local function escape(text, at)
  local char = text:sub(at, at)
  local digits = text:match("^%d%d?%d?", at)
  if digits then
    return tonumber(digits) < 256 and string.char(tonumber(digits)) or "", at + #digits
  elseif char == "x" then
    local hex = text:match("^%x%x", at + 1)
    return hex and string.char(tonumber(hex, 16)) or "", at + (hex and 3 or 1)
  elseif char == "u" then
    local hex, stop = text:match("^{(%x+)}()", at + 1)
    local code = hex and tonumber(hex, 16)
    return code and code < 2 ^ 31 and utf8.char(code) or "", stop or at + 1
  elseif char == "z" then
    return "", text:match("^%s*()", at + 1)
  elseif char == "\r" then
    return "\n", text:match("^\n?()", at + 1)
  end
  return escapes[char] or "", at + 1
end

---A string in quotes that begins at `at`: its value and its last byte; nil when it does not end.
local function quoted(text, at)
  local quote, parts = text:sub(at, at), {}
  at = at + 1
  while true do
    local plain, stop = text:match("^([^\\\n\r\"']*)()", at)
    parts[#parts + 1] = plain
    local char = text:sub(stop, stop)
    if char == quote then
      return table.concat(parts), stop
    elseif char == "\\" then
      parts[#parts + 1], at = escape(text, stop + 1)
    elseif char == '"' or char == "'" then
      parts[#parts + 1], at = char, stop + 1
    else
      return nil
    end
  end
end

---What is in long brackets that open at `at`, and their last byte; nil when there are none, or no
---end.
local function bracketed(text, at)
  local level, body = text:match("^%[(=*)%[()", at)
  if not level then
    return nil
  end
  local from, to = text:find("]" .. level .. "]", body, true)
  if not from then
    return nil
  end
  local value = text:sub(body, from - 1):gsub("\r\n?", "\n"):gsub("^\n", "")
  return value, to
end

---The first byte at or behind `at` that belongs to no blank and no comment.
local function skip(text, at)
  while true do
    at = text:match("^%s*()", at)
    if text:sub(at, at + 1) ~= "--" then
      return at
    end
    local _, to = bracketed(text, at + 2)
    at = to and to + 1 or text:match("^[^\n]*()", at)
  end
end

---A number: decimal or hexadecimal, with an exponent that may have a sign.
local function number_end(text, at)
  local exponent = text:find("^0[xX]", at) and "^[pP][+-]" or "^[eE][+-]"
  if text:find("^0[xX]", at) then
    at = at + 2
  end
  while true do
    if text:find(exponent, at) then
      at = at + 2
    elseif text:find("^[%w_.]", at) then
      at = at + 1
    else
      return at - 1
    end
  end
end

---The token at `at`, which is neither blank nor comment: kind, last byte, value.
local function token_at(text, at)
  local char = text:sub(at, at)
  local word = text:match("^[%a_][%w_]*", at)
  if word then
    return keywords[word] and "keyword" or "name", at + #word - 1
  elseif char == '"' or char == "'" then
    local value, to = quoted(text, at)
    if value then
      return "string", to, value
    end
    return "symbol", at
  elseif text:find("^%.?%d", at) then
    return "number", number_end(text, at)
  elseif char == "[" then
    local value, to = bracketed(text, at)
    if value then
      return "string", to, value
    end
  end
  for _, symbol in ipairs(symbols) do
    if text:sub(at, at + #symbol - 1) == symbol then
      return "symbol", at + #symbol - 1
    end
  end
  return "symbol", at
end

---Walks the tokens of a Lua text.
---@param text string
---@return fun(): table|nil
function M.tokens(text)
  local at, line, seen = 1, 1, 1
  if text:sub(1, 1) == "#" then
    at = text:match("^[^\n]*()")
  end
  return function()
    at = skip(text, at)
    if at > #text then
      return nil
    end
    for _ in text:sub(seen, at - 1):gmatch "\n" do
      line = line + 1
    end
    local kind, to, value = token_at(text, at)
    local token = { kind = kind, text = text:sub(at, to), line = line, from = at, to = to,
      value = value }
    seen, at = at, to + 1
    return token
  end
end

---What a script requires by a literal name, in order: { name =, line =, optional = }. Seen are
---`require "x"`, `require("x")` and, as optional, `pcall(require, "x")`; a field of that name
---(`mine.require "x"`) is another function.
---@param text string
---@return table[]
function M.requires(text)
  local list, after, before = {}, {}, ""
  local next_token = M.tokens(text)
  local function peek(i)
    while #after < i do
      after[#after + 1] = next_token() or { kind = "end", text = "" }
    end
    return after[i]
  end
  repeat
    local token = peek(1)
    table.remove(after, 1)
    if token.text == "require" and before ~= "." and before ~= ":" then
      local first, second, third = peek(1), peek(2), peek(3).text
      if first.kind == "string" then
        list[#list + 1] = { name = first.value, line = token.line }
      elseif second.kind == "string" and (first.text == "(" or first.text == ",")
        and (third == ")" or third == ",") then -- not of a name that is put together
        list[#list + 1] = { name = second.value, line = token.line,
          optional = first.text == "," or nil }
      end
    end
    before = token.text
  until token.kind == "end"
  return list
end

return M
