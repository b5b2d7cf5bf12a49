-- What listing commands print: tables for people, csv, tsv, json and jsonl for machines.
--
-- Rows are written as they come; only a table holds back its first rows, to know the widths. Times
-- are local for people and UTC for machines.
--
--   local out = output.open(opt, { { "id" }, { "submitted", type = "time" }, ... })
--   out:row { id = "a", submitted = 1500000000000 }
--   out:close()
--
-- A column: [1] key; title (default: the key in capitals); type "time" (ms), "duration" (seconds),
-- "bytes", "number"; `only = "table"` or "data" for columns of one kind of output; the first
-- column is what -q prints.

local M = {}

---Options of every listing command.
M.options = {
  { "json", help = "one JSON document" },
  { "jsonl", help = "JSON Lines: one object a line" },
  { "format", "F", value = "csv|tsv|table", type = "choice",
    choices = { "csv", "tsv", "table", "json", "jsonl" }, help = "how to print rows" },
}

---A copy of `list` with the options of listing commands behind.
function M.with_options(list)
  local all = table.move(list, 1, #list, 1, {})
  return table.move(M.options, 1, #M.options, #all + 1, all)
end

---The format asked for; `default` when nothing was said.
function M.format_of(opt, default)
  return opt.jsonl and "jsonl" or opt.json and "json" or opt.format or default or "table"
end

---Local time for people, to the second.
function M.local_time(ms)
  return (kubeque.time.log(ms):gsub(",%d+$", ""))
end

local human = {
  time = M.local_time,
  duration = function(v) return kubeque.units.format_duration(v < 10 and v or math.floor(v)) end,
  bytes = function(v) return kubeque.units.format_bytes(v) end,
}

---"a: 1, b: 2", sorted by bytes.
local function pairs_text(value)
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = ("%s: %s"):format(key, item)
  end
  table.sort(parts)
  return table.concat(parts, ", ")
end

local function for_people(column, value)
  if value == nil or value == kubeque.json.null then
    return ""
  elseif type(value) == "table" then
    return pairs_text(value)
  elseif human[column.type] then
    return human[column.type](value)
  elseif math.type(value) == "float" then
    return ("%.14g"):format(value)
  end
  return (tostring(value):gsub("[\0-\31\127]", " "))
end

local function for_machines(column, value)
  if value == nil or value == kubeque.json.null then
    return ""
  elseif column.type == "time" then
    return kubeque.time.utc(value)
  elseif type(value) == "table" then
    return kubeque.json.encode(value)
  elseif math.type(value) == "float" then
    return ("%.14g"):format(value)
  end
  return tostring(value)
end

local tsv_escapes = { ["\t"] = "\\t", ["\n"] = "\\n", ["\r"] = "\\r", ["\\"] = "\\\\" }

---One value as JSON.
local function json_value(column, value)
  if value == nil then
    return "null"
  elseif column.type == "time" and value ~= kubeque.json.null then
    return '"' .. kubeque.time.utc(value) .. '"'
  elseif math.type(value) == "integer" then
    return tostring(value)
  elseif type(value) == "string" and not value:find '[^ !#-%[%]-~]' then
    return '"' .. value .. '"' -- nothing in it needs an escape
  end
  return kubeque.json.encode(value)
end

---One row of an object as JSON, keys in the order of the columns.
function M.json_object(columns, row)
  local parts = {}
  for i, column in ipairs(columns) do
    parts[i] = '"' .. column[1] .. '":' .. json_value(column, row[column[1]])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local kinds = {}

kinds.ids = {
  row = function(self, row)
    kubeque.out(for_machines(self.columns[1], row[self.columns[1][1]]) .. "\n")
  end,
}

kinds.jsonl = {
  row = function(self, row)
    kubeque.out(M.json_object(self.columns, row) .. "\n")
  end,
}

kinds.json = {
  row = function(self, row)
    kubeque.out((self.count == 1 and "[\n" or ",\n") .. M.json_object(self.columns, row))
  end,
  close = function(self)
    kubeque.out(self.count == 0 and "[]\n" or "\n]\n")
  end,
}

local function cells(self, row, show)
  local out = {}
  for i, column in ipairs(self.columns) do
    out[i] = show(column, row[column[1]])
  end
  return out
end

local function names(self)
  local out = {}
  for i, column in ipairs(self.columns) do
    out[i] = column[1]
  end
  return out
end

kinds.csv = {
  open = function(self)
    kubeque.out(kubeque.csv.row(names(self)))
  end,
  row = function(self, row)
    kubeque.out(kubeque.csv.row(cells(self, row, for_machines)))
  end,
}

kinds.tsv = {
  open = function(self)
    kubeque.out(table.concat(names(self), "\t") .. "\n")
  end,
  row = function(self, row)
    local out = cells(self, row, for_machines)
    for i, text in ipairs(out) do
      out[i] = text:gsub("[\t\n\r\\]", tsv_escapes)
    end
    kubeque.out(table.concat(out, "\t") .. "\n")
  end,
}

-- ---- tables ----

local HELD = 200 -- rows that decide the widths

local function length(text)
  return utf8.len(text) or #text
end

---The first `n` characters of a text.
function M.cut(text, n)
  if length(text) <= n then
    return text
  elseif n <= 0 then
    return ""
  end
  local at = utf8.len(text) and utf8.offset(text, n + 1) or n + 1
  return text:sub(1, at - 1)
end

local function print_line(self, line)
  local out = {}
  for i, text in ipairs(line) do
    local pad = (" "):rep(self.widths[i] - length(text))
    local column = self.columns[i]
    local right = column.type == "number" or column.type == "bytes" or column.type == "duration"
    out[i] = right and pad .. text or text .. pad
  end
  local text = table.concat(out, "  "):gsub("%s+$", "")
  self.write((self.width and M.cut(text, self.width) or text) .. "\n")
end

local function flush(self)
  self.widths = {}
  for _, line in ipairs(self.held) do
    for i, text in ipairs(line) do
      self.widths[i] = math.max(self.widths[i] or 0, length(text))
    end
  end
  for _, line in ipairs(self.held) do
    print_line(self, line)
  end
  self.held = nil
end

kinds.table = {
  open = function(self)
    local titles = {}
    for i, column in ipairs(self.columns) do
      titles[i] = column.title or (column[1]:gsub("_", " "):upper())
    end
    self.held = { titles }
    self.width = kubeque.term.isatty(1) and kubeque.term.width() or nil
  end,
  row = function(self, row)
    local line = cells(self, row, for_people)
    if self.held then
      self.held[#self.held + 1] = line
      if #self.held > HELD then
        flush(self)
      end
    else
      print_line(self, line)
    end
  end,
  close = function(self)
    if self.held and self.count > 0 then
      flush(self)
    end
  end,
}

local Writer = {}
Writer.__index = Writer

function Writer:row(row)
  self.count = self.count + 1
  self.kind.row(self, row)
end

---Ends the output. An empty table prints nothing on stdout.
function Writer:close()
  if self.kind.close then
    self.kind.close(self)
  end
end

---Starts an output in the format that the options ask for. Lines of a table go through its field
---`write`, which may be replaced.
function M.open(opt, columns, default)
  local format = M.format_of(opt, default)
  local kind = opt.quiet and format == "table" and "ids" or format
  local mine = {}
  for _, column in ipairs(columns) do
    if not column.only or (column.only == "table") == (format == "table") then
      mine[#mine + 1] = column
    end
  end
  local writer = setmetatable({ kind = kinds[kind], columns = mine, count = 0, format = format,
    write = kubeque.out },
    Writer)
  if writer.kind.open then
    writer.kind.open(writer)
  end
  return writer
end

return M
