-- Computed columns.

local core = require "kubeque.params.core"
local names = require "kubeque.names"

local M = {}

---Columns of functions, sorted by name: those of `columns` that they replace keep their place.
local function plan(columns, functions)
  local all, place = table.move(columns, 1, #columns, 1, {}), core.place_of(columns)
  local steps = {}
  for i, name in ipairs(names.of(functions)) do
    if type(name) ~= "string" then
      core.misuse("map: columns are names: map{name = function(row) ... end}")
    elseif type(functions[name]) ~= "function" then
      core.misuse("map: column \"%s\": a function is needed, not %s", name,
        core.show(functions[name]))
    end
    if not place[name] then
      all[#all + 1] = name
      place[name] = #all
    end
    steps[i] = { name = name, at = place[name], fn = functions[name] }
  end
  return all, steps
end

local check_value = core.check_value

---map{name = fn}: each function sees the row as it was.
local function map_columns(params, functions)
  local columns, steps = plan(params.columns, functions)
  local width, make, move = #params.columns, core.row_maker(params.columns), table.move
  local function compute(values, row, i)
    local named = make(values)
    move(values, 1, width, 1, row)
    for k = 1, #steps do
      local step = steps[k]
      row[step.at] = check_value(step.fn(named), step.name, i)
    end
  end
  return core.derived(params, columns, compute)
end

---Columns of a row that a function made: those that were there first, new ones sorted by name.
local function columns_of(row, before)
  local columns, new, was = {}, {}, core.place_of(before)
  for _, name in ipairs(before) do
    if row[name] ~= nil then
      columns[#columns + 1] = name
    end
  end
  for name in pairs(row) do
    if type(name) ~= "string" then
      core.misuse("map: the function must return a row with names, like {lr = 0.1}")
    elseif not was[name] then
      new[#new + 1] = name
    end
  end
  table.sort(new)
  return table.move(new, 1, #new, #columns + 1, columns)
end

local function check_row(row, i)
  if type(row) ~= "table" then
    core.misuse("map: row %d: the function must return a row (a table), not %s", i, core.show(row))
  end
  return row
end

---map(fn): the row becomes what the function returns.
local function map_row(params, fn)
  local make = core.row_maker(params.columns)
  local first = {}
  if not params.open()(first) then
    return params
  end
  local columns = columns_of(check_row(fn(make(first)), 1), params.columns)
  local width, place = #columns, core.place_of(columns)
  local function compute(values, row, i)
    local made, n = check_row(fn(make(values)), i), 0
    for name in pairs(made) do
      n = n + 1
      if not place[name] then
        core.misuse("map: row %d has a column %s that the first row has not", i, core.show(name))
      end
    end
    for k = 1, width do
      row[k] = check_value(made[columns[k]], columns[k], i)
    end
    return n
  end
  return core.derived(params, columns, compute)
end

---Computed columns: a table of functions by name, each of which gets the row as a table, or one
---function that returns the new row.
function M.map(params, how)
  if type(how) == "function" then
    return map_row(params, how)
  elseif type(how) ~= "table" or core.is(how) then
    core.misuse("map: a function or a table of functions is needed, not %s", core.show(how))
  end
  return map_columns(params, how)
end

return M
