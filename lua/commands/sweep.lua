-- Prints the rows that factors in the language of sweeps stand for.

local fault = require "kubeque.fault"

local BATCH <const> = 1000

local function json_value(value)
  return type(value) == "string" and kubeque.json.encode(value) or kubeque.csv.text(value)
end

local writers = {}

function writers.csv(columns)
  return kubeque.csv.row(columns), kubeque.csv.row
end

function writers.tsv(columns)
  local function line(values)
    local parts = {}
    for i = 1, #columns do
      parts[i] = kubeque.csv.text(values[i])
      if parts[i]:find "[\t\r\n]" then
        fault.raisef("usage", "column \"%s\": a value holds a tab or a line end, which TSV cannot "
          .. "hold: use --format csv or jsonl", columns[i])
      end
    end
    return table.concat(parts, "\t") .. "\n"
  end
  return line(columns), line
end

function writers.jsonl(columns)
  local keys = {}
  for i, name in ipairs(columns) do
    keys[i] = kubeque.json.encode(name) .. ":"
  end
  return "", function(values)
    local parts = {}
    for i = 1, #columns do
      parts[i] = keys[i] .. json_value(values[i])
    end
    return "{" .. table.concat(parts, ",") .. "}\n"
  end
end

local function print_rows(params, format)
  local header, line = writers[format](params.columns)
  local advance, row, parts = params.open(), {}, { header }
  while advance(row) do
    parts[#parts + 1] = line(row)
    if #parts >= BATCH then
      kubeque.out(table.concat(parts))
      parts = {}
    end
  end
  kubeque.out(table.concat(parts))
end

local function run(opt, words)
  local params = require("kubeque.sweep").params(words, { zip = opt.zip, sample = opt.sample,
    lhs = opt.lhs, sobol = opt.sobol, seed = opt.seed })
  if opt.count then
    kubeque.out(params:count() .. "\n")
  else
    print_rows(params, opt.format or "csv")
  end
end

return {
  name = "sweep",
  summary = "print the rows of a parameter sweep",
  usage = "sweep NAME=VALUES... [options]",
  description = "Every combination of the factors; the last varies fastest. VALUES are a,b,c · 1..5 "
    .. "· 0..1..0.25 (in steps) · lin:0..1:11 · log:1e-5..1e-1:7, or drawn for each row: "
    .. "uniform:0..1 · loguniform:1e-5..1e-1 · int:1..100 · normal:0,1. `kubeque sub --sweep` "
    .. "takes the same factors; the same seed gives the same rows on every machine.",
  options = {
    { "zip", value = "NAMES", many = true, help = "these factors move together (a,b)" },
    { "sample", value = "N", type = "int", min = 1, help = "N of the combinations at random" },
    { "lhs", value = "N", type = "int", min = 1, help = "N points of a Latin hypercube" },
    { "sobol", value = "N", type = "int", min = 1, help = "N points of a Sobol' sequence" },
    { "seed", value = "S", type = "int", help = "what random values follow from (default 0)" },
    { "count", help = "print only how many rows there are" },
    { "format", "F", value = "csv|tsv|jsonl", type = "choice", choices = { "csv", "tsv", "jsonl" },
      help = "how to print rows (default csv)" },
  },
  args = { { "NAME=VALUES", many = true } },
  run = run,
}
