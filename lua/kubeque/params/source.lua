-- Rows that come from elsewhere: tables, functions, files, databases.

local core = require "kubeque.params.core"
local fault = require "kubeque.fault"

local M = {}

---Names of the first row, sorted: a table has no order of its own.
local function names_of(row)
  local names = {}
  for name in pairs(row) do
    if type(name) ~= "string" then
      core.misuse("rows: a row is a table with names, like {lr = 0.1, seed = 1}; for rows without "
        .. "names give the columns: rows(list, {\"lr\", \"seed\"})")
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function check_named(row, columns, place, i)
  if type(row) ~= "table" then
    core.misuse("rows: row %d is no table but %s", i, core.show(row))
  end
  for name in pairs(row) do
    if not place[name] then
      core.misuse("rows: row %d has a column %s that the first row has not", i, core.show(name))
    end
  end
  for _, name in ipairs(columns) do
    if row[name] == nil then
      core.misuse("rows: row %d has no column \"%s\"", i, name)
    end
    core.check_value(row[name], name, i)
  end
end

local function check_listed(row, columns, i)
  if type(row) ~= "table" or #row ~= #columns then
    core.misuse("rows: row %d must be a list of %d values", i, #columns)
  end
  for k, name in ipairs(columns) do
    core.check_value(row[k], name, i)
  end
end

---Rows of a list, of tables by name or (with `columns`) of lists.
function M.rows(list, columns)
  if type(list) ~= "table" then
    core.misuse("rows: a list of rows is needed, not %s", core.show(list))
  elseif next(list) == nil and not columns then
    core.misuse("rows: the list is empty, so its columns are not known: rows(list, columns)")
  end
  require("kubeque.misuse").list("rows", list)
  local named = not columns
  columns = columns or names_of(list[1])
  local place = core.place_of(columns)
  for i, row in ipairs(list) do
    if named then
      check_named(row, columns, place, i)
    else
      check_listed(row, columns, i)
    end
  end
  return core.new { columns = table.move(columns, 1, #columns, 1, {}), n = #list,
    get = function(i, row)
      local from = list[i]
      for k = 1, #columns do
        row[k] = from[named and columns[k] or k]
      end
    end }
end

---Rows of a function that starts a walk.
function M.generate(columns, start)
  if type(columns) ~= "table" then
    core.misuse("generate: a list of columns is needed, not %s", core.show(columns))
  elseif type(start) ~= "function" then
    core.misuse("generate: a function that returns an iterator is needed, not %s",
      core.show(start))
  end
  local width = #columns
  return core.new { columns = table.move(columns, 1, width, 1, {}),
    open = function()
      local step, i = start(), 0
      if type(step) ~= "function" then
        core.misuse("generate: the function must return an iterator (a function), not %s",
          core.show(step))
      end
      local function take(row, first, ...)
        if first == nil then
          return nil
        end
        i = i + 1
        row[1] = core.check_value(first, columns[1], i)
        for k = 2, width do
          row[k] = core.check_value((select(k - 1, ...)), columns[k], i)
        end
        return true
      end
      return function(row)
        return take(row, step())
      end
    end }
end

---Params of a source in C: columns() and cursor(), whose call fills a row.
local function walked(source, path)
  return core.new { columns = source:columns(),
    open = function()
      local cursor = fault.check(source:cursor())
      return function(row)
        local more, message, code = cursor(row)
        if more == nil then
          fault.raise(code, message)
        end
        return more or nil
      end
    end, path = path }
end

local function check_path(path, what)
  if type(path) ~= "string" then
    core.misuse("%s: the name of a file is needed, not %s", what, core.show(path))
  end
end

---Rows of a file. Each walk reads it again, and fails when it has changed in between.
function M.file(path, format)
  check_path(path, format or "file")
  return walked(fault.check(kubeque.source.file(path, format)), path)
end

---Rows of a query.
function M.sqlite(path, sql)
  check_path(path, "sqlite")
  if type(sql) ~= "string" then
    core.misuse("sqlite: a query is needed, like \"SELECT * FROM runs\", not %s", core.show(sql))
  end
  return walked(fault.check(kubeque.source.sqlite(path, sql)), path)
end

return M
