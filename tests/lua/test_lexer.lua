-- kubeque.lexer: the words of a Lua text, and what it requires.

package.path = arg[0]:match("^(.*)/") .. "/?.lua"
local t = require "tap"
local lexer = require "kubeque.lexer"

local function words(text)
  local out = {}
  for token in lexer.tokens(text) do
    out[#out + 1] = ("%s:%s"):format(token.kind:sub(1, 1), token.value or token.text)
  end
  return table.concat(out, " ")
end

local function required(text)
  local out = {}
  for _, r in ipairs(lexer.requires(text)) do
    out[#out + 1] = ("%s@%d%s"):format(r.name, r.line, r.optional and "?" or "")
  end
  return table.concat(out, " ")
end

t.is(words "local x = a.b:c(1) .. 'd'", "k:local n:x s:= n:a s:. n:b s:: n:c s:( n:1 s:) s:.. s:d",
  "names, keywords, numbers, strings and symbols")
t.is(words "#!/usr/bin/lua\n-- c\n--[[ a\nb ]] x --[==[ ]] ]==] y --", "n:x n:y",
  "comments of both kinds and a first line of # are passed over")
t.is(words [==['a\'b"' "\65\x42\u{43}\z
   d" [[
e]] [=[ ]] ]=]]==], [==[s:a'b" s:ABCd s:e s: ]] ]==], "strings mean what Lua says they mean")
t.is(words "0x1p-4 3e+2 .5 5..x 1//2 a...b", "n:0x1p-4 n:3e+2 n:.5 n:5..x n:1 s:// n:2 n:a s:... n:b",
  "numbers and symbols of several characters")
t.is(words "a[b[1]] <= ~= :: <<", "n:a s:[ n:b s:[ n:1 s:] s:] s:<= s:~= s::: s:<<",
  "a bracket is no long string")
t.is(words "x = 'no end\ny", "n:x s:= s:' n:no k:end n:y", "a string without an end stops nothing")
t.is(words "--[[ no\nend", "k:end", "a long comment without one is a short comment")

-- every embedded kind of text means here what it means to Lua
for _, literal in ipairs { [["\n\t\\\a"]], [['\
x']], [["\z  x"]], [["\u{7FFFFFFF}"]], "[[\r\nx\ry]]", [["\0001"]] } do
  local token = lexer.tokens(literal)()
  t.is(token.value, load("return " .. literal)(), ("%q as load reads it"):format(literal))
end

local lines = {}
for token in lexer.tokens "a\n[[x\n\ny]] b\n--[[\n]] c" do
  lines[#lines + 1] = token.line
end
t.same(lines, { 1, 2, 4, 6 }, "lines count those inside strings and comments")

t.is(required [==[
local a = require "a.b"
local b = require('c')
local ok, d = pcall(require, [[d]])
-- require "no"
local s = "require 'no'"
mine.require "no"
other:require("no")
local name = "x" require(name)
return require "e"]==], "a.b@1 c@2 d@3? e@9", "what a script requires, by line; what it may lack")
t.is(required "require", "", "a bare name requires nothing")
t.is(required [[require("a" .. x) pcall(require, "b" .. x)]], "", "nor does a name that is put together")

t.done()
