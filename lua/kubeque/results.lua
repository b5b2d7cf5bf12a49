-- What the tasks of a job left, as a collection of rows: the parameters of a task, the columns
-- kq_... of tasks.csv, and what a file of its results holds. A collection is a list (#c, c[1],
-- ipairs) with the methods below; each gives a new one.

local fault = require "kubeque.fault"
local loose = require "kubeque.loose"
local misuse = require "kubeque.misuse"
local names = require "kubeque.names"

local M = {}

local methods = {}

-- The parameters of a row as they were submitted: row -> { name = text }; its fields that are null.
local submitted, nulls = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

local Collection = { __name = "results" }

function Collection.__index(_, key)
  if type(key) ~= "string" then
    return nil
  end
  return methods[key] or misuse.raise("results have no method %s%s", key,
    names.hint(key, names.of(methods)))
end

function Collection.__tostring(self)
  return ("results(%d %s)"):format(#self, #self == 1 and "row" or "rows")
end

---@param rows table[]
---@param columns string[] the parameters, in the order of the job
function M.new(rows, columns)
  rows.columns = columns
  return setmetatable(rows, Collection)
end

-- ---- values ----

---A parameter as a number when no character of it is lost by that.
---@param text string
---@return string|number
function M.value(text)
  if text:find "^-?%d" and #text <= 24 then
    local n = text:find "^-?%d+$" and math.tointeger(text) or tonumber(text)
    if n and (require("kubeque.tableopt").number_text(n) == text or tostring(n) == text
      or text:find "^-?%d%.?%d*[eE][-+]?%d+$" and n - n == 0) then
      return n
    end
  end
  return text
end

---Raises unless some row has the field, if only with null in it.
---@param rows table[]
---@param field string
function M.check_field(rows, field)
  local seen = {}
  for _, row in ipairs(rows) do
    for _, from in ipairs { row, nulls[row] } do
      for name in pairs(from) do
        seen[name] = true
      end
    end
  end
  if not seen[field] then
    misuse.raise("no result has a field %s%s", tostring(field), names.hint(field, names.of(seen)))
  end
end

-- How programs write what is no number.
local not_finite = { nan = 0 / 0, inf = 1 / 0, infinity = 1 / 0 }

---A value as a number: NaN for what stands for none ("", NA, nan), nil when it is something else.
---@param v any
---@return number|nil
function M.number(v)
  if type(v) ~= "string" or tonumber(v) then
    return tonumber(v)
  elseif v == "" or v == "NA" then
    return not_finite.nan
  end
  local sign, word = v:match "^([+-]?)(%a+)$"
  local n = not_finite[word and word:lower()]
  return n and (sign == "-" and -n or n)
end

---The rows that have the field, and its value in each; `numbers`: only numbers will do.
local function with_field(rows, field, numbers)
  local list, value = {}, {}
  for _, row in ipairs(rows) do
    local v
    if type(field) == "function" then
      v = field(row)
    else
      v = row[field]
    end
    if numbers and v ~= nil then
      local n = M.number(v)
      if not n then
        misuse.raise('task %s: %s is "%s", not a number', tostring(row.kq_task), tostring(field),
          tostring(v))
      end
      v = n == n and n or nil -- NaN is the smallest of nothing
    end
    if v ~= nil then
      list[#list + 1] = row
      value[row] = v
    end
  end
  if #list == 0 then
    if #rows == 0 then
      misuse.raise "there are no results to choose from"
    elseif type(field) ~= "function" then
      M.check_field(rows, field)
    end
    misuse.raise("no result has a number%s: there is none to choose", type(field) == "function"
      and "" or " in " .. tostring(field))
  end
  return list, value
end

-- ---- one row ----

local function extreme(rows, field, better)
  local list, value = with_field(rows, field, true)
  local best = list[1]
  for _, row in ipairs(list) do
    if better(value[row], value[best]) then
      best = row
    end
  end
  return best
end

---The row in which the field is smallest. Rows without it do not count.
---@param field string|function
function methods:min(field)
  return extreme(self, field, function(a, b) return a < b end)
end

---The row in which the field is largest.
---@param field string|function
function methods:max(field)
  return extreme(self, field, function(a, b) return a > b end)
end

-- ---- one number ----

local function numbers(rows, field)
  local list, value = with_field(rows, field, true)
  local out = {}
  for i, row in ipairs(list) do
    out[i] = value[row]
  end
  return out
end

---The sum of a field.
---@param field string|function
function methods:sum(field)
  local sum = 0
  for _, n in ipairs(numbers(self, field)) do
    sum = sum + n
  end
  return sum
end

---The mean of a field over the rows that have it.
---@param field string|function
function methods:mean(field)
  local list, sum = numbers(self, field), 0.0
  for _, n in ipairs(list) do
    sum = sum + n
  end
  return sum / #list
end

---The median of a field over the rows that have it.
---@param field string|function
function methods:median(field)
  local list = numbers(self, field)
  table.sort(list)
  local middle = #list // 2
  return #list % 2 == 1 and list[middle + 1] or (list[middle] + list[middle + 1]) / 2
end

-- ---- other collections ----

---Numbers before texts, numbers by size, texts by bytes.
local function before(a, b)
  local x, y = tonumber(a), tonumber(b)
  if x and y then
    return x < y
  elseif x or y then
    return x ~= nil
  end
  return tostring(a) < tostring(b)
end

---Ordered by a field, rows that are equal in their old order; "down": the largest first. Rows
---without the field are left out.
---@param field string|function
---@param direction? string "up" or "down"
function methods:sort(field, direction)
  if direction ~= nil and direction ~= "up" and direction ~= "down" then
    misuse.raise('sort: "up" or "down" expected, got %s', tostring(direction))
  end
  local list, value = with_field(self, field)
  local place = {}
  for i, row in ipairs(list) do
    place[row] = i
  end
  table.sort(list, function(a, b)
    local x, y = value[a], value[b]
    if direction == "down" then
      x, y = y, x
    end
    if before(x, y) then
      return true
    elseif before(y, x) then
      return false
    end
    return place[a] < place[b]
  end)
  return M.new(list, self.columns)
end

---The first n of sort().
---@param n integer
---@param field string|function
---@param direction? string "up" or "down"
function methods:top(n, field, direction)
  if math.type(n) ~= "integer" or n < 0 then
    misuse.raise("top: a whole number expected, got %s", tostring(n))
  end
  local sorted = self:sort(field, direction)
  return M.new(table.move(sorted, 1, math.min(n, #sorted), 1, {}), self.columns)
end

---The rows for which fn(row) is true.
---@param fn function
function methods:filter(fn)
  local list = {}
  for _, row in ipairs(self) do
    if fn(row) then
      list[#list + 1] = row
    end
  end
  return M.new(list, self.columns)
end

---An iterator over the values of a field and the rows that have each, in the order of their first
---appearance: for opt, rows in results:group("opt") do ... end
---@param field string|function
function methods:group(field)
  local list, value = with_field(self, field)
  local order, groups, i = {}, {}, 0
  for _, row in ipairs(list) do
    local v = value[row]
    if not groups[v] then
      groups[v] = M.new({}, self.columns)
      order[#order + 1] = v
    end
    table.insert(groups[v], row)
  end
  return function()
    i = i + 1
    return order[i], groups[order[i]]
  end
end

---The values of a field, as a plain list; rows without it are left out.
---@param field string|function
function methods:list(field)
  local list, value = with_field(self, field)
  for i, row in ipairs(list) do
    list[i] = value[row]
  end
  return list
end

---The rows as a plain list of tables.
function methods:rows()
  return table.move(self, 1, #self, 1, {})
end

---A column of a row as a parameter: one that was submitted is written exactly as it was.
local function parameter_of(row, column)
  local value, texts = row[column], submitted[row]
  local text = texts and texts[column]
  if text and type(value) == "number" and M.value(text) == value
    and require("kubeque.tableopt").number_text(value) ~= text then
    return text
  elseif type(value) == "number" or type(value) == "string" or type(value) == "boolean" then
    return value
  end
  misuse.raise("task %s: %s is %s: a parameter is a text or a number", tostring(row.kq_task),
    tostring(column), value == nil and "not there" or "a " .. type(value))
end

---The rows as parameters of the next job: these columns, or the parameters they were made with.
---Rows that say the same are one.
---@param columns? string[]
---@return table params
function methods:params(columns)
  columns = columns or self.columns
  if type(columns) ~= "table" or #columns == 0 then
    misuse.raise "params: name the columns: results:params{\"a\", \"b\"}"
  end
  local rows, seen = {}, {}
  for _, row in ipairs(self) do
    local values = {}
    for i, column in ipairs(columns) do
      values[i] = parameter_of(row, column)
    end
    local key = kubeque.json.encode(kubeque.json.array(values))
    if not seen[key] then
      seen[key] = true
      rows[#rows + 1] = values
    end
  end
  return require("kubeque.params.source").rows(rows, columns)
end

-- ---- reading ----

local function add_object(rows, object)
  local is_object = type(object) == "table" and type(next(object)) ~= "number"
  local row = {}
  for name, value in pairs(is_object and object or { value = object }) do
    if value == kubeque.json.null then
      nulls[row] = nulls[row] or {}
      nulls[row][name] = true
    else
      row[name] = value
    end
  end
  rows[#rows + 1] = row
end

local readers = {}

function readers.json(text)
  local rows = {}
  local value = fault.check(loose.decode(text))
  if type(value) == "table" and type(value[1]) == "table" then
    for _, item in ipairs(value) do
      add_object(rows, item)
    end
  elseif not (type(value) == "table" and next(value) == nil and text:find "^%s*%[") then
    add_object(rows, value)
  end
  return rows
end

function readers.jsonl(text)
  local rows = {}
  for line in text:gmatch "[^\n]+" do
    if line:find "%S" then
      add_object(rows, fault.check(loose.decode(line)))
    end
  end
  return rows
end

-- Rows of a table, by its path: a file of a header alone has none.
local function read_table(path)
  local source = fault.check(kubeque.source.file(path))
  local columns, rows, values = source:columns(), {}, {}
  local cursor <close>, why, code = source:cursor()
  if not cursor then
    fault.raise(code, why)
  end
  while true do
    local more
    more, why, code = cursor(values)
    if more == nil and not why:find "has no rows" then
      fault.raise(code, why)
    elseif not more then
      return rows
    end
    local row = {}
    for i, name in ipairs(columns) do
      row[name] = M.value(values[i])
    end
    rows[#rows + 1] = row
  end
end

---What a file of a task's results holds, as a list of tables.
---@param path string
---@return table[] rows
function M.read(path)
  local ending = (path:match "%.(%w+)$" or ""):lower()
  if ending == "csv" or ending == "tsv" then
    return read_table(path)
  end
  local text = fault.check(kubeque.fs.read(path))
  local reader = readers[ending]
  if not reader then
    return { { text = text } }
  end
  local ok, rows = pcall(reader, text)
  if not ok then
    local f = fault.of(rows)
    fault.raisef("script", "%s: %s", path, f and f.message or tostring(rows))
  end
  return rows
end

---A row: the task's own columns, and over its parameters what a file says.
---@param task table a row of job:tasks()
---@param fields? table
function M.merge(task, fields, texts)
  local row = {}
  for name, value in pairs(task) do
    row[name] = value
  end
  for name, value in pairs(fields or {}) do
    if not name:find "^kq_" then
      row[name] = value
    end
  end
  nulls[row] = nulls[fields or row]
  submitted[row] = texts
  return row
end

return M
