-- Rows of parameters that a script holds in a list: { {lr = 0.1, seed = 1}, ... }, as an object
-- with `columns` and iter(), which is what a job takes its parameters from.

local misuse = require "kubeque.misuse"

local M = {}

---@param columns string[]
---@param rows any[][] values in the order of the columns
function M.new(columns, rows)
  local width = #columns
  return { columns = columns, n = #rows, iter = function()
    local i = 0
    return function()
      i = i + 1
      if rows[i] then
        return table.unpack(rows[i], 1, width)
      end
    end
  end }
end

---Is it something that gives rows?
function M.is(value)
  return type(value) == "table" and type(value.columns) == "table"
    and type(value.iter) == "function"
end

local function columns_of(list)
  local seen, columns = {}, {}
  for i, row in ipairs(list) do
    if type(row) ~= "table" then
      misuse.raise("params: row %d is a %s, not a table", i, type(row))
    end
    for name in pairs(row) do
      if type(name) ~= "string" then
        misuse.raise("params: row %d: values have names, as in {lr = 0.1, seed = 1}", i)
      elseif not seen[name] then
        seen[name] = true
        columns[#columns + 1] = name
      end
    end
  end
  table.sort(columns)
  return columns
end

---A list of tables by name; columns are in the order of their names, or as `columns` says.
---@param list table[]
---@param columns? string[]
function M.of(list, columns)
  columns = columns or columns_of(list)
  local rows = {}
  for i, row in ipairs(list) do
    local values = {}
    for k, name in ipairs(columns) do
      local value = row[name]
      if value == nil then
        misuse.raise("params: row %d has no %s", i, name)
      end
      values[k] = value
    end
    rows[i] = values
  end
  return M.new(columns, rows)
end

return M
