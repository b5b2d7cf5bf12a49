-- The class of params objects: rows of parameters that are made when they are asked for.
--
-- Inside, an object is
--   columns   names, in order
--   open()    a fresh `advance(row)`, which writes the next row's values into the array `row` and
--             returns true, or returns nil at the end. It gets the same array every time, and may
--             leave what did not change alone.
--   n         how many rows there are, nil when that takes a walk
--   get(i, row)  writes row i into `row`; nil when rows can only be walked
--   values, at   of one column: the list of its values, or at(i) computes one; what a product uses
-- so a row costs no table, and a product of ten million rows no memory.
--
-- Values are texts, numbers and booleans. Misuse raises an error that names the caller's own line;
-- a file that cannot be read or holds nonsense raises a fault of kubeque.fault.

local misuse = require "kubeque.misuse"
local names = require "kubeque.names"

local M = {}

local Params = {}

-- ---- errors ----

---Raises a mistake in a script, with the line of the script.
M.misuse = misuse.raise

---What a value is called in a message.
function M.show(value)
  if type(value) == "string" then
    return '"' .. (#value > 60 and value:sub(1, 57) .. "..." or value) .. '"'
  elseif type(value) == "table" and getmetatable(value) == Params then
    return "params"
  end
  return type(value) == "number" and tostring(value) or type(value)
end

local fit = { string = true, number = true, boolean = true }

---Raises unless the value may stand in a row.
function M.check_value(value, column, i)
  local kind = type(value)
  if not fit[kind] then
    M.misuse("column \"%s\", row %d: a text, number or boolean is needed, not %s", column, i,
      kind == "nil" and "nil" or "a " .. kind)
  end
  return value
end

---Options, if any; raises for one that is not among the allowed.
function M.options(given, allowed, what)
  misuse.keys(what, given, allowed)
  return given or {}
end

---A whole number at least `low`, as integer.
function M.integer(value, low, what)
  local n = math.type(value) and math.tointeger(value)
  if not n or n < low then
    M.misuse("%s: a whole number%s is needed, not %s", what,
      low > math.mininteger and (" of at least %d"):format(low) or "", M.show(value))
  end
  return n
end

---The seed of an option table, 0 when none is given.
function M.seed(options, what)
  return M.integer(options.seed == nil and 0 or options.seed, math.mininteger, what .. ": seed")
end

function M.is(value)
  return getmetatable(value) == Params
end

-- ---- making ----

function M.check_columns(columns)
  local seen = {}
  if #columns == 0 then
    M.misuse("there are no columns: a row needs at least one value")
  end
  for i, name in ipairs(columns) do
    if type(name) ~= "string" or name == "" then
      M.misuse("column %d: a name is needed, not %s", i, M.show(name))
    elseif name:sub(1, 3) == "kq_" then
      M.misuse("column \"%s\": names that begin with kq_ are kubeque's own", name)
    elseif seen[name] then
      M.misuse("columns %d and %d are both named \"%s\"", seen[name], i, name)
    end
    seen[name] = i
  end
  return columns
end

---Walks rows that can be had by number.
local function open_by_number(n, get)
  return function()
    local i = 0
    return function(row)
      if i >= n then
        return nil
      end
      i = i + 1
      get(i, row)
      return true
    end
  end
end

---A params object of { columns=, open=, n=, get= }; `open` follows from n and get.
function M.new(fields)
  M.check_columns(fields.columns)
  fields.open = fields.open or open_by_number(fields.n, fields.get)
  return setmetatable(fields, Params)
end

---Params whose row i is computed from row i of others: compute(values, row, i) fills `row`.
function M.derived(params, columns, compute)
  return M.new { columns = columns, n = params.n,
    open = function()
      local advance, values, i = params.open(), {}, 0
      return function(row)
        if advance(values) then
          i = i + 1
          compute(values, row, i)
          return true
        end
      end
    end,
    get = params.get and function(i, row)
      local values = {}
      params.get(i, values)
      compute(values, row, i)
    end }
end

local makers = setmetatable({}, { __mode = "k" })

---A function that turns the array of a row's values into a table by name.
function M.row_maker(columns)
  if makers[columns] then
    return makers[columns]
  end
  local make
  if #columns <= 100 then
    local parts = {}
    for i, name in ipairs(columns) do
      parts[i] = ("[%q]=a[%d]"):format(name, i)
    end
    -- a constructor that names its keys is several times faster than a loop
    make = assert(load(("return function(a) return {%s} end"):format(table.concat(parts, ",")),
      "=row", "t", {}))()
  else
    make = function(a)
      local row = {}
      for i, name in ipairs(columns) do
        row[name] = a[i]
      end
      return row
    end
  end
  makers[columns] = make
  return make
end

local function place_of(columns)
  local place = {}
  for i, name in ipairs(columns) do
    place[name] = i
  end
  return place
end
M.place_of = place_of

---The number of a column; misuse with the columns there are.
function M.place(params, name, what)
  for i, column in ipairs(params.columns) do
    if column == name then
      return i
    end
  end
  M.misuse("%s: there is no column %s; the columns are %s", what, M.show(name),
    table.concat(params.columns, ", "))
end

-- ---- what every params object can do ----

---A fresh iterator: each call returns the values of the next row, in the order of the columns, and
---nil behind the last one.
function Params:iter()
  local advance, row, width, unpack = self.open(), {}, #self.columns, table.unpack
  return function()
    if advance(row) then
      return unpack(row, 1, width)
    end
  end
end

---A fresh iterator for `for row in params:each() do`: rows as tables by name.
function Params:each()
  local advance, values, make = self.open(), {}, M.row_maker(self.columns)
  return function()
    return advance(values) and make(values) or nil
  end
end

---How many rows there are; nil when only a walk would tell.
function Params:count()
  return self.n
end

---All rows as a list of tables.
function Params:rows()
  local rows = {}
  for row in self:each() do
    rows[#rows + 1] = row
  end
  return rows
end

local function list_of_names(first, ...)
  return type(first) == "table" and first or { first, ... }
end

---Only these columns, in this order.
function Params:select(...)
  local columns, from = list_of_names(...), {}
  for i, name in ipairs(columns) do
    from[i] = M.place(self, name, "select")
  end
  return M.derived(self, table.move(columns, 1, #columns, 1, {}), function(values, row)
    for i = 1, #from do
      row[i] = values[from[i]]
    end
  end)
end

---Columns by other names: rename{old = "new"}.
function Params:rename(new_names)
  if type(new_names) ~= "table" then
    M.misuse("rename: a table {old = \"new\"} is needed, not %s", M.show(new_names))
  end
  local columns = table.move(self.columns, 1, #self.columns, 1, {})
  for old, new in pairs(new_names) do
    columns[M.place(self, old, "rename")] = new
  end
  return M.new { columns = columns, n = self.n, open = self.open, get = self.get,
    values = self.values, at = self.at }
end

---The single column by another name.
function Params:as(name)
  if #self.columns ~= 1 then
    M.misuse("as(%s): there are %d columns (%s), not one; use rename", M.show(name),
      #self.columns, table.concat(self.columns, ", "))
  end
  return self:rename { [self.columns[1]] = name }
end

---The first n rows.
function Params:take(n)
  n = M.integer(n, 0, "take")
  return M.new { columns = self.columns, n = self.n and math.min(n, self.n), get = self.get,
    open = function()
      local advance, left = self.open(), n
      return function(row)
        left = left - 1
        return left >= 0 and advance(row) or nil
      end
    end }
end

---The rows for which fn(row) is true.
function Params:filter(fn)
  if type(fn) ~= "function" then
    M.misuse("filter: a function is needed, not %s", M.show(fn))
  end
  local make = M.row_maker(self.columns)
  return M.new { columns = self.columns,
    open = function()
      local advance = self.open()
      return function(row)
        while advance(row) do
          if fn(make(row)) then
            return true
          end
        end
      end
    end }
end

-- ---- the rest: computed columns, samples, operators ----

function Params:map(how)
  return require("kubeque.params.map").map(self, how)
end

function Params:sample(n, options)
  return require("kubeque.params.sample").sample(self, n, options)
end

function Params.__mul(a, b)
  return require("kubeque.params.combine").product { a, b }
end

function Params.__concat(a, b)
  return require("kubeque.params.combine").chain { a, b }
end

function Params.__len(self)
  return self.n or M.misuse("how many rows there are is not known without a walk: "
    .. "use #params:rows()")
end

-- What an object may lack.
local inside = { n = true, get = true, values = true, at = true, path = true }

---params[i] is row i as a table, where rows can be had by number.
function Params.__index(self, key)
  if math.type(key) == "integer" then
    local get, n = rawget(self, "get"), rawget(self, "n")
    if not get then
      M.misuse("these rows can only be walked: use params:each() or params:rows()")
    elseif key < 1 or key > n then
      return nil
    end
    local values = {}
    get(key, values)
    return M.row_maker(self.columns)(values)
  end
  local value = Params[key]
  if value == nil and type(key) == "string" and not inside[key] then
    local known = { "columns" }
    for name in pairs(Params) do
      known[#known + 1] = not name:find "^__" and name or nil
    end
    M.misuse("params have no %s%s", key, names.hint(key, known))
  end
  return value
end

function Params.__newindex(_, key)
  M.misuse("params: %s cannot be set: map and rename make new params", tostring(key))
end

function Params.__tostring(self)
  return ("params(%s: %s)"):format(table.concat(self.columns, ", "),
    self.n and self.n .. (self.n == 1 and " row" or " rows") or "rows not counted")
end

Params.__name = "params"

return M
