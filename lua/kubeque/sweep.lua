-- The language of sweeps: what `kubeque sweep` and `kubeque sub --sweep` understand, as params.
--
--   NAME=A..B         whole steps from A to B, counting down if B is less (seed=1..5)
--   NAME=A..B..STEP   in steps
--   NAME=lin:A..B:N   N points at equal distances, log:A..B:N at equal ratios
--   NAME=V,V,...      values as they are, quoted as in CSV where they hold commas or quotes; what is
--                     quoted is always a value
--   NAME=uniform:A..B  NAME=loguniform:A..B  NAME=int:A..B  NAME=normal:MEAN,DEVIATION
--                     drawn anew for each row, from the seed
--
-- Factors are combined like the digits of a number: the last varies fastest. With `zip`, factors
-- move together; with `sample`, `lhs` or `sobol`, points are taken instead of every combination.

local core = require "kubeque.params.core"
local misuse = require "kubeque.misuse"
local names = require "kubeque.names"

local M = {}

-- ---- reading a factor ----

---A reader of one factor's text; `at` is where the next character is.
local Reader = {}
Reader.__index = Reader

---Raises: what is wrong, and where.
function Reader:fail(format, ...)
  misuse.raise("character %d: %s", self.at, format:format(...))
end

---Takes what the pattern matches here.
function Reader:take(pattern)
  local from, to, capture = self.text:find("^" .. pattern, self.at)
  if from then
    self.at = to + 1
    return capture or self.text:sub(from, to)
  end
end

function Reader:rest()
  return self.text:sub(self.at)
end

---Takes a text that must be here.
function Reader:expect(text, why)
  if self.text:sub(self.at, self.at + #text - 1) ~= text then
    self:fail("%s", why)
  end
  self.at = self.at + #text
end

---Where the text ends that is meant to be a number, before `..`, `:` or `,`.
local function word_end(text, at)
  local stop = #text + 1
  for _, mark in ipairs { "..", ":", "," } do
    local from = text:find(mark, at, true)
    stop = math.min(stop, from or stop)
  end
  return stop - 1
end

function Reader:number(what)
  local last = word_end(self.text, self.at)
  local word = self.text:sub(self.at, last)
  local value = word:find "^[+-]?%.?%d[%d.]*[eE]?[+-]?%d*$" and tonumber(word)
  if not value then
    self:fail(word == "" and "%s is missing" or "%s: \"%s\" is no number", what, word)
  elseif value ~= value or value == math.huge or value == -math.huge then
    self:fail("%s: %s is too large", what, word)
  end
  self.at = last + 1
  return value
end

function Reader:ended()
  if self.at <= #self.text then
    self:fail("nothing more is expected: \"%s\"", self:rest())
  end
end

---A..B
function Reader:bounds()
  local low = self:number("the first bound")
  self:expect("..", "\"..\" is needed between the bounds, like 0..1")
  if self:take("%.") then
    self:fail("two points stand between the bounds, like 1..3 (a bound of 0.3 is written so)")
  end
  return low, self:number("the second bound")
end

---A..B:N
function Reader:points()
  local low, high = self:bounds()
  self:expect(":", "\":\" and the number of points are needed, like 0..1:11")
  local at = self.at
  local n = math.tointeger(self:number("the number of points"))
  if not n or n < 1 then
    self.at = at
    self:fail("the number of points is a whole number of at least 1")
  end
  self:ended()
  return low, high, n
end

-- ---- kinds ----

local kinds = {}

function kinds.lin(reader)
  return { params = require("kubeque.params.grid").linspace(reader:points()) }
end

function kinds.log(reader)
  return { params = require("kubeque.params.grid").logspace(reader:points()) }
end

local function draw(name)
  return function(reader, options)
    local low, high = reader:bounds()
    reader:ended()
    return { draw = require("kubeque.params.draw")[name](low, high, options) }
  end
end

kinds.uniform, kinds.loguniform, kinds.int = draw "uniform", draw "loguniform", draw "integers"

function kinds.normal(reader, options)
  local mean = reader:number("the mean")
  reader:expect(",", "\",\" and the standard deviation are needed, like normal:0,1")
  local deviation = reader:number("the standard deviation")
  reader:ended()
  return { draw = require("kubeque.params.draw").normal(mean, deviation, options) }
end

---A..B and A..B..STEP
local function range(reader)
  local first, last = reader:bounds()
  local step = reader:take("%.%.") and reader:number("the step") or nil
  reader:ended()
  return { params = require("kubeque.params.grid").range(first, last, step) }
end

-- What is read as a range where it stands alone.
local RANGE <const> = "^[+-]?%.?%d[%d.eE+-]-%.%."

---One value of a list; quoted as in CSV.
local function value(reader)
  if not reader:take("\"") then
    if reader:rest():find(RANGE) then
      reader:fail("a range stands alone, not in a list; a value of that text is written in quotes")
    end
    return reader:take("[^,]*")
  end
  local parts, from = {}, reader.at - 1
  while true do
    parts[#parts + 1] = reader:take("[^\"]*")
    if not reader:take("\"") then
      reader.at = from
      reader:fail("the quote is not closed")
    elseif not reader:take("\"") then
      break
    end
    parts[#parts + 1] = "\""
  end
  if reader.at <= #reader.text and reader.text:sub(reader.at, reader.at) ~= "," then
    reader:fail("a comma is needed behind a quoted value")
  end
  return table.concat(parts)
end

local function values(reader)
  local list = {}
  if reader:rest() == "" then
    reader:fail("a value is missing (the empty one is written \"\")")
  end
  repeat
    list[#list + 1] = value(reader)
  until not reader:take(",")
  return { params = require("kubeque.params.combine").values(list) }
end

---What begins like a kind and a number but is none that is known was meant otherwise.
local function check_kind(reader)
  local word = reader:rest():match "^(%a%w*):[+-]?%.?%d"
  if word and (reader:rest():find("..", 1, true) or kubeque.distance(word, "normal") < 3) then
    reader:fail("\"%s:\" is unknown%s; a value of that text is written in quotes", word,
      names.hint(word, names.of(kinds)))
  end
end

local function read(reader, options)
  local kind = reader:rest():match "^(%a+):"
  if kind and kinds[kind] then
    reader.at = reader.at + #kind + 1
    return kinds[kind](reader, options)
  elseif reader:rest():find(RANGE) then
    return range(reader)
  end
  check_kind(reader)
  return values(reader)
end

---A factor of its text, for kubeque.params.combine.
---@param text string NAME=...
---@param number integer for messages
---@param options? table seed
local function factor(text, number, options)
  local name = text:match "^([^=]*)="
  return misuse.within(("factor %d, %s: "):format(number, text), function()
    if not utf8.len(text) then
      misuse.raise("the text is not UTF-8")
    elseif not name or name == "" then
      misuse.raise("a factor is NAME=VALUES, like lr=0.1,0.2 or seed=1..5")
    end
    local made = read(setmetatable({ text = text, at = #name + 2 }, Reader), options)
    made.columns = core.check_columns { name }
    made.params = made.params and made.params:as(name)
    return made
  end)
end

-- ---- factors that move together ----

---Puts the factors of one group in the place of the first of them.
local function zip_group(factors, together)
  local combine, group, out = require "kubeque.params.combine", {}, {}
  local wanted, place = core.place_of(together), nil
  for _, item in ipairs(factors) do
    if #item.columns == 1 and wanted[item.columns[1]] then
      wanted[item.columns[1]] = nil
      group[#group + 1] = item
      place = place or #out + 1
      out[place] = out[place] or false
    else
      out[#out + 1] = item
    end
  end
  for _, name in ipairs(together) do
    if wanted[name] then
      local known = {}
      for _, item in ipairs(factors) do
        table.move(item.columns, 1, #item.columns, #known + 1, known)
      end
      misuse.raise("--zip: there is no factor \"%s\"%s", name, names.hint(name, known))
    end
  end
  for _, item in ipairs(group) do
    if item.draw then
      misuse.raise("--zip: \"%s\" is random, it has no rows to go along with", item.columns[1])
    end
  end
  local params = misuse.within("--", combine.zip_of, group)
  out[place] = { columns = params.columns, params = params }
  return out
end

---The names of a group; `taken`: name -> the group that has it.
local function zip_names(text, taken)
  local list = {}
  for name in (text .. ","):gmatch "([^,]*)," do
    list[#list + 1] = name
    if taken[name] then
      misuse.raise("--zip %s: \"%s\" stands in --zip %s already", text, name, taken[name])
    end
    taken[name] = text
  end
  if #list < 2 then
    misuse.raise("--zip %s: at least two names are needed, like --zip a,b", text)
  end
  return list
end

-- ---- all together ----

local function check_duplicates(factors)
  local seen = {}
  for i, item in ipairs(factors) do
    local name = item.columns[1]
    if seen[name] then
      misuse.raise("factors %d and %d are both named \"%s\"", seen[name], i, name)
    end
    seen[name] = i
  end
end

---Which kind of points is asked for, and how many.
local function points_of(options)
  local kind
  for _, name in ipairs { "sample", "lhs", "sobol" } do
    if options[name] then
      if kind then
        misuse.raise("--%s and --%s exclude each other", kind, name)
      end
      kind = name
    end
  end
  return kind, kind and options[kind]
end

---Params of factors in the language of sweeps.
---@param texts string[] NAME=... each
---@param options? table zip (list of "a,b"), sample, lhs or sobol (how many rows), seed (default 0)
---@return table params
function M.params(texts, options)
  options = core.options(options, { "zip", "sample", "lhs", "sobol", "seed" }, "sweep")
  local seed = core.seed(options, "sweep")
  local factors = {}
  for i, text in ipairs(texts) do
    factors[i] = factor(text, i, { seed = seed })
  end
  if #factors == 0 then
    misuse.raise("at least one factor is needed, like lr=0.1,0.2 or seed=1..5")
  end
  check_duplicates(factors)
  local taken = {}
  for _, text in ipairs(options.zip or {}) do
    factors = zip_group(factors, zip_names(text, taken))
  end
  local kind, n = points_of(options)
  local _, drawn = require("kubeque.params.combine").split(factors)
  if not kind and #drawn == #factors then
    misuse.raise("every factor is random: say how many rows with --sample N, --lhs N or --sobol N")
  elseif not kind then
    return require("kubeque.params.combine").product_of(factors)
  end
  local space = require("kubeque.params.space").new(factors)
  local method = kind == "lhs" and "latin_hypercube" or kind
  return misuse.within("--", space[method], space, n, { seed = seed })
end

return M
