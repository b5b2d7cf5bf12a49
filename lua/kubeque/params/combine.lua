-- Several factors in one: product, zip, chain; and what may stand where a factor is expected.

local core = require "kubeque.params.core"
local misuse = require "kubeque.misuse"

local M = {}

-- Values that an inner factor of a product keeps, so that a file is not read once a row.
local KEEP = 100000

-- ---- factors ----

---A list of values as params with one column.
function M.values(list, column)
  local n = #list
  for i = 1, n do
    core.check_value(list[i], column or "value", i)
  end
  for key in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 or key > n then
      core.misuse("a list of values has no key %s", core.show(key))
    end
  end
  if n == 0 then
    core.misuse("a list of values is empty")
  end
  return core.new { columns = { column or "value" }, n = n, values = list,
    get = function(i, row)
      row[1] = list[i]
    end }
end

---One factor under a name: params of one column, a list of values, a single value, or something
---drawn (kubeque.params.draw).
local function named(name, value)
  if type(name) ~= "string" then
    core.misuse("a factor needs a name: {name = %s}", core.show(value))
  elseif core.is(value) then
    if #value.columns ~= 1 then
      core.misuse("factor \"%s\" has %d columns (%s), one is needed", name, #value.columns,
        table.concat(value.columns, ", "))
    end
    return { columns = { name }, params = value.columns[1] == name and value or value:as(name) }
  elseif type(value) == "table" and value.quantile then
    return { columns = { name }, draw = value }
  elseif type(value) == "table" and getmetatable(value) == nil then
    return { columns = { name }, params = M.values(value, name) }
  end
  return { columns = { name }, params = M.values({ core.check_value(value, name, 1) }, name) }
end

---The arguments of a call, which may be one list: product{a, b} is product(a, b).
local function unlisted(args)
  local first = args[1]
  local is_list = #args == 1 and type(first) == "table" and getmetatable(first) == nil
    and type(first[1]) == "table"
  return is_list and misuse.list("factors", first) or args
end

---The factors of an argument list: params objects, and tables {name = factor, ...} whose factors
---are taken in the order of their names.
function M.factors(args, what)
  local out = {}
  args = unlisted(args)
  for _, arg in ipairs(args) do
    if core.is(arg) then
      out[#out + 1] = { columns = arg.columns, params = arg }
    elseif type(arg) == "table" and getmetatable(arg) == nil then
      local names = {}
      for name in pairs(arg) do
        if type(name) ~= "string" then
          core.misuse("%s: a factor needs a name: {lr = {0.1, 0.2}}", what)
        end
        names[#names + 1] = name
      end
      table.sort(names)
      for _, name in ipairs(names) do
        out[#out + 1] = named(name, arg[name])
      end
    else
      core.misuse("%s: a factor is params or a table {name = values}, not %s", what, core.show(arg))
    end
  end
  if #out == 0 then
    core.misuse("%s: at least one factor is needed", what)
  end
  return out
end

---A factor under a name, for kubeque.sweep.
M.named = named

---Splits factors into those that have rows and those that are drawn for each row.
function M.split(factors)
  local finite, drawn = {}, {}
  for _, factor in ipairs(factors) do
    local list = factor.draw and drawn or finite
    list[#list + 1] = factor
  end
  return finite, drawn
end

function M.columns(factors)
  local columns = {}
  for _, factor in ipairs(factors) do
    table.move(factor.columns, 1, #factor.columns, #columns + 1, columns)
  end
  return columns
end

-- ---- product ----

---Opens the inner factor of a pair again and again. Values of one that can only be walked are kept
---when they are few.
local function reopener(params)
  if params.get then
    return params.open
  end
  local kept, width, rows, full = {}, #params.columns, 0, false
  local function record()
    local advance, n = params.open(), 0
    local mine = {}
    return function(row)
      if not advance(row) then
        if mine then
          kept, rows, full = mine, n, true
        end
        return nil
      end
      if mine then
        if #mine + width > KEEP then
          mine = nil
        else
          table.move(row, 1, width, #mine + 1, mine)
          n = n + 1
        end
      end
      return true
    end
  end
  return function()
    if not full then
      return record()
    end
    local i = 0
    return function(row)
      if i >= rows then
        return nil
      end
      table.move(kept, i * width + 1, (i + 1) * width, 1, row)
      i = i + 1
      return true
    end
  end
end

---Walks a pair whose inner factor is one column of n values.
local function cross_column(outer, n, list, compute, place)
  return function()
    local advance, i = outer(), n
    return function(row)
      if i >= n then
        if not advance(row) then
          return nil
        end
        i = 0
      end
      i = i + 1
      if list then
        row[place] = list[i]
      else
        row[place] = compute(i)
      end
      return true
    end
  end
end

---Walks a pair: `outer` fills the row from 1, the inner factor what follows.
local function cross(outer, inner, offset)
  if inner.values or inner.at then
    return cross_column(outer, inner.n, inner.values, inner.at, offset + 1)
  end
  local width, reopen = #inner.columns, reopener(inner)
  return function()
    local advance, next_inner, values = outer(), nil, {}
    return function(row)
      while true do
        if not next_inner then
          if not advance(row) then
            return nil
          end
          next_inner = reopen()
        end
        if next_inner(values) then
          for k = 1, width do
            row[offset + k] = values[k]
          end
          return true
        end
        next_inner = nil
      end
    end
  end
end

local function count_product(factors)
  local n = 1
  for _, factor in ipairs(factors) do
    local m = factor.params.n
    if not m then
      return nil
    elseif m ~= 0 and n > (1 << 53) // m then
      core.misuse("product: more than 2^53 rows")
    end
    n = n * m
  end
  return n
end

---Row i of a product: the digits of i - 1, the last factor's being the lowest.
local function product_getter(factors)
  local offsets, at = {}, 0
  for k, factor in ipairs(factors) do
    if not factor.params.get then
      return nil
    end
    offsets[k] = at
    at = at + #factor.columns
  end
  local values = {}
  return function(i, row)
    i = i - 1
    for k = #factors, 1, -1 do
      local params, offset = factors[k].params, offsets[k]
      local n = params.n
      params.get(i % n + 1, values)
      i = i // n
      for c = 1, #params.columns do
        row[offset + c] = values[c]
      end
    end
  end
end

---Every combination of factors that have rows.
local function cross_all(factors)
  if #factors == 1 then
    return factors[1].params
  end
  local open, width = factors[1].params.open, #factors[1].columns
  for k = 2, #factors do
    open = cross(open, factors[k].params, width)
    width = width + #factors[k].columns
  end
  return core.new { columns = M.columns(factors), n = count_product(factors), open = open,
    get = product_getter(factors) }
end

---Puts drawn columns among those of `params`, in the order of the factors.
local function with_draws(params, factors)
  return require("kubeque.params.draw").weave(params, factors)
end

---Every combination; the last factor varies fastest.
function M.product(args)
  return M.product_of(M.factors(args, "product"))
end

function M.product_of(factors)
  local finite, drawn = M.split(factors)
  if #finite == 0 then
    core.misuse("product: every factor is random, so there is no number of rows: "
      .. "use params.space{...}:sample(n)")
  end
  local params = cross_all(finite)
  return #drawn > 0 and with_draws(params, factors) or params
end

-- ---- zip ----

local function name_of(factor)
  return '"' .. table.concat(factor.columns, ", ") .. '"'
end

local function unequal(a, b)
  core.misuse("zip: %s has %s rows and %s has %s: they must have the same number", name_of(a),
    a.params.n or "other", name_of(b), b.params.n or "other")
end

local function shorter(a, b, i)
  core.misuse("zip: %s ends after %d rows, %s goes on: they must have the same number", name_of(a),
    i, name_of(b))
end

local function zip_getter(factors)
  for _, factor in ipairs(factors) do
    if not factor.params.get then
      return nil
    end
  end
  local values = {}
  return function(i, row)
    local at = 0
    for _, factor in ipairs(factors) do
      factor.params.get(i, values)
      for c = 1, #factor.columns do
        row[at + c] = values[c]
      end
      at = at + #factor.columns
    end
  end
end

---Walks all factors in step; the first that ends must not be alone.
local function zip_open(factors)
  return function()
    local walks, values, i = {}, {}, 0
    for k, factor in ipairs(factors) do
      walks[k] = factor.params.open()
    end
    return function(row)
      local at, ended = 0, nil
      for k, factor in ipairs(factors) do
        local more = walks[k](values)
        if k == 1 then
          ended = not more
        elseif ended and more then
          shorter(factors[1], factor, i)
        elseif not ended and not more then
          shorter(factor, factors[1], i)
        end
        for c = 1, more and #factor.columns or 0 do
          row[at + c] = values[c]
        end
        at = at + #factor.columns
      end
      i = i + 1
      return not ended or nil
    end
  end
end

---Rows side by side.
function M.zip(args)
  return M.zip_of(M.factors(args, "zip"))
end

function M.zip_of(factors)
  local finite, drawn = M.split(factors)
  if #finite == 0 then
    core.misuse("zip: every factor is random, so there is no number of rows")
  end
  local n
  for _, factor in ipairs(finite) do
    local m = factor.params.n
    if m and n and m ~= n.params.n then
      unequal(n, factor)
    end
    n = m and factor or n
  end
  local params = core.new { columns = M.columns(finite), n = n and n.params.n,
    open = zip_open(finite), get = zip_getter(finite) }
  return #drawn > 0 and with_draws(params, factors) or params
end

-- ---- chain ----

---The same columns in the order of the first.
local function aligned(params, first, k)
  local place = core.place_of(params.columns)
  local same = #params.columns == #first.columns
  for i, name in ipairs(first.columns) do
    if not place[name] then
      core.misuse("chain: part %d has no column \"%s\" (its columns: %s)", k, name,
        table.concat(params.columns, ", "))
    end
    same = same and place[name] == i
  end
  if #params.columns > #first.columns then
    local wanted = core.place_of(first.columns)
    for _, name in ipairs(params.columns) do
      if not wanted[name] then
        core.misuse("chain: part %d has a column \"%s\" that part 1 has not", k, name)
      end
    end
  end
  return same and params or params:select(first.columns)
end

---One after the other.
function M.chain(list)
  local parts, n = {}, 0
  list = unlisted(list)
  for k, params in ipairs(list) do
    if not core.is(params) then
      core.misuse("chain: part %d: params are needed, not %s", k, core.show(params))
    end
    parts[k] = k == 1 and params or aligned(params, parts[1], k)
    n = n and params.n and n + params.n
  end
  if #parts == 0 then
    core.misuse("chain: at least one part is needed")
  end
  return core.new { columns = parts[1].columns, n = n,
    open = function()
      local k, advance = 1, parts[1].open()
      return function(row)
        while not advance(row) do
          k = k + 1
          if not parts[k] then
            k = k - 1
            return nil
          end
          advance = parts[k].open()
        end
        return true
      end
    end }
end

return M
