local columns = { "columns", "string[]", "names of the columns, in order" }
local seed = { "options", "seed_options", optional = true }
local factors = { "...", "params|table",
  "params, or tables `{name = values}`: see above; the last varies fastest" }
local rows = { { "params" } }

return {
  name = "params",
  global = "kubeque.params",
  summary = "rows of parameters: grids, files, samples",
  where = "host",
  help = [[
An object of class `params` is a recipe for rows: nothing is computed before somebody walks them, a
walk keeps no row, and every walk gives the same rows. So a product of ten million rows costs no
memory, and a seed gives the same numbers on every machine. `kubeque.job{params = ...}` takes one.

Where factors are expected (`product`, `zip`, `space`), a factor is a params object, or a table
`{name = values}` in which values are a list, a single value, params of one column, or something
random (`uniform`, ...). Several names in one table come in the order of their names; for another
order write several tables: `product({lr = ...}, {seed = ...})`, or a list of them.

Values are texts, numbers and booleans; `nil` and tables are errors. As text a whole number has no
point, any other is the shortest decimal that reads back to the same number. Points that need
fractions (steps, `linspace`) are rounded to 15 significant digits, those of `logspace` to 14.

Random numbers are SplitMix64's: row *i* of a column takes number *i* of the stream of (seed, name of
the column), so another column or fewer rows change nothing. All functions raise: misuse with the
line of the script, a file that cannot be read as a mistake of the user (exit 2).]],
  functions = {
    { "of", args = { { "value", "params|table[]|string" } }, returns = rows,
      help = "Params of what a script may hold: params, a list of rows, the name of a file." },
    { "is", args = { { "value", "any" } }, returns = { { "boolean" } },
      help = "Is it a params object?" },
    { "rows", args = { { "list", "table[]", "tables by name with the same keys, or lists" },
      { "columns", "string[]", "names of the lists' items", optional = true } }, returns = rows,
      help = "Rows of a list. Columns are in the order of their names, or as given.",
      example = [[
local rows = kubeque.params.rows { { lr = 0.1, seed = 1 }, { lr = 0.2, seed = 2 } }
local same = kubeque.params.rows({ { 0.1, 1 }, { 0.2, 2 } }, { "lr", "seed" })
assert(#rows == #same)]] },
    { "generate", args = { { "columns", "string[]" },
      { "start", "function", "called for each walk; returns an iterator, which returns the values "
        .. "of the next row, and nil at the end" } }, returns = rows,
      help = "Rows of a function.",
      example = [[
local squares = kubeque.params.generate({ "n", "square" }, function()
  local n = 0
  return function()
    n = n + 1
    if n <= 100 then
      return n, n * n
    end
  end
end)
assert(#squares:rows() == 100)]] },
    { "file", args = { { "path", "string", "\"-\" is stdin" },
      { "format", '"csv"|"tsv"|"jsonl"|"json"|"lines"', optional = true,
        default = "by the ending" } }, returns = rows,
      help = "Rows of a file, as `kubeque sub --params` reads them: values are text as it stands "
        .. "there. Each walk reads it again and fails when it has changed." },
    { "csv", args = { { "path", "string" } }, returns = rows, help = "Rows of a CSV file.",
      example = [[
local runs = kubeque.params.csv "runs.csv"
  :filter(function(row) return tonumber(row.epochs) > 10 end)
  :map { name = function(row) return row.model .. "-" .. row.seed end }]] },
    { "tsv", args = { { "path", "string" } }, returns = rows, help = "Rows of a TSV file." },
    { "jsonl", args = { { "path", "string" } }, returns = rows,
      help = "Rows of a file of JSON Lines." },
    { "json", args = { { "path", "string" } }, returns = rows,
      help = "Rows of a JSON file that holds a list of objects; it is streamed." },
    { "sqlite", args = { { "path", "string" }, { "sql", "string", "one query" } }, returns = rows,
      help = "Rows of a query of a SQLite database, which is only read. NULL is the empty text.",
      example = [[
local failed = kubeque.params.sqlite("runs.db",
  "SELECT id, lr FROM runs WHERE loss IS NULL ORDER BY id")]] },
    { "product", args = { factors }, returns = rows,
      help = "Every combination; the last factor varies fastest. Random factors do not multiply: "
        .. "each row draws its own. `a * b` is the product of two params.",
      example = [[
local p = kubeque.params
local grid = p.product({ lr = p.logspace(1e-5, 1e-1, 5) }, { opt = { "adam", "sgd" } },
  { seed = p.range(1, 3) }, { dropout = p.uniform(0, 0.5) })
assert(#grid == 30)]] },
    { "zip", args = { factors }, returns = rows,
      help = "Rows side by side. Unequal lengths are refused." },
    { "chain", args = { { "...", "params", "with the same columns" } }, returns = rows,
      help = "One after the other. `a .. b` is the chain of two." },
    { "values", args = { { "list", "any[]" } }, returns = rows,
      help = "A column of given values." },
    { "choice", args = { { "list", "any[]" } }, returns = rows,
      help = "The same as `values`: each in a grid, one of them in a space." },
    { "range", args = { { "first", "number" }, { "last", "number" },
      { "step", "number", optional = true, default = "1, or -1 when last is less" } },
      returns = rows, help = "first, first + step, ... up to last, which is included." },
    { "linspace", args = { { "first", "number" }, { "last", "number" }, { "n", "integer" } },
      returns = rows, help = "n points at equal distances, both ends included." },
    { "logspace", args = { { "first", "number" }, { "last", "number" }, { "n", "integer" } },
      returns = rows, help = "n points at equal ratios, both ends included." },
    { "uniform", args = { { "low", "number" }, { "high", "number" }, seed },
      returns = { { "draw" } }, help = "Any number between two bounds, each as likely." },
    { "loguniform", args = { { "low", "number", "above 0" }, { "high", "number" }, seed },
      returns = { { "draw" } },
      help = "Any number between two bounds, each order of magnitude as likely." },
    { "integers", args = { { "low", "integer" }, { "high", "integer" }, seed },
      returns = { { "draw" } }, help = "Whole numbers, both bounds included." },
    { "normal", args = { { "mean", "number" }, { "deviation", "number" }, seed },
      returns = { { "draw" } }, help = "Normally distributed numbers." },
    { "space", args = { factors }, returns = { { "space" } },
      help = "Factors of which points are taken instead of every combination.",
      example = [[
local p = kubeque.params
local space = p.space { lr = p.loguniform(1e-5, 1e-1), layers = p.integers(1, 8),
  opt = { "adam", "sgd" } }
local first = space:sample(20, { seed = 1 })
local even = space:latin_hypercube(20, { seed = 1 })]] },
    { "latin_hypercube", args = { { "space", "space|table" }, { "n", "integer" },
      { "options", "hypercube_options", optional = true } }, returns = rows,
      help = "n rows of which, for each factor, one lies in each n-th of its range (McKay, "
        .. "Beckman, Conover 1979)." },
    { "sobol", args = { { "space", "space|table" }, { "n", "integer" },
      { "options", "sobol_options", optional = true } }, returns = rows,
      help = "n points of a Sobol' sequence, at most 64 factors; direction numbers of Joe and Kuo "
        .. "(2008, new-joe-kuo-6.21201). Powers of two are balanced best." },
  },
  classes = {
    { "params", help = "Rows of parameters. `params[i]` is row *i* as a table and `#params` how "
      .. "many there are, where that is known without a walk.", fields = { columns }, methods = {
      { "iter", returns = { { "function" } },
        help = "A fresh iterator: the values of the next row, in the order of the columns; nil "
          .. "behind the last." },
      { "each", returns = { { "function" } },
        help = "A fresh iterator of rows as tables: `for row in params:each() do`." },
      { "count", returns = { { "integer?" } },
        help = "How many rows there are; nil when only a walk would tell." },
      { "rows", returns = { { "table[]" } }, help = "All rows as a list of tables." },
      { "map", args = { { "how", "function|table<string, function>",
        "`{name = function(row) ... end}` adds or replaces columns, each function sees the row "
          .. "as it was; one function returns the new row" } }, returns = rows,
        help = "Computed columns." },
      { "filter", args = { { "fn", "function", "of a row as a table" } }, returns = rows,
        help = "The rows for which fn(row) is true." },
      { "select", args = { { "...", "string|string[]" } }, returns = rows,
        help = "Only these columns, in this order." },
      { "rename", args = { { "names", "table<string, string>", "old = \"new\"" } },
        returns = rows, help = "Columns by other names." },
      { "as", args = { { "name", "string" } }, returns = rows,
        help = "The only column by another name." },
      { "take", args = { { "n", "integer" } }, returns = rows, help = "The first n rows." },
      { "sample", args = { { "n", "integer" }, seed }, returns = rows,
        help = "n of the rows, none twice, each as likely, in random order. Where rows can be had "
          .. "by number no other is computed; else one walk keeps n." },
    } },
    { "draw", help = "Something random: a value of its own for each row.", methods = {
      { "sample", args = { { "n", "integer" }, seed }, returns = rows,
        help = "n values, column \"value\"." },
    } },
    { "space", help = "Factors of which points are taken.", fields = { columns }, methods = {
      { "sample", args = { { "n", "integer" }, seed }, returns = rows,
        help = "n random rows: different rows of the grid when no factor is random, else each "
          .. "factor takes a value for itself. The first of more rows are the same." },
      { "sampler", args = { { "seed", "integer", optional = true, default = "0" },
        { "done", "integer", "rows to pass over", optional = true, default = "0" } },
        returns = { { "function" } },
        help = "A function that returns the rows of sample() one after the other, as tables; when "
          .. "no factor is random it ends with nil behind the last combination." },
      { "latin_hypercube", args = { { "n", "integer" },
        { "options", "hypercube_options", optional = true } }, returns = rows,
        help = "As kubeque.params.latin_hypercube." },
      { "sobol", args = { { "n", "integer" }, { "options", "sobol_options", optional = true } },
        returns = rows, help = "As kubeque.params.sobol." },
      { "grid", returns = rows, help = "Every combination." },
    } },
  },
  tables = {
    { "seed_options", help = "Options of what is random.", fields = {
      { "seed", "integer", "what the numbers follow from", optional = true, default = "0" },
    } },
    { "hypercube_options", help = "Options of latin_hypercube.", fields = {
      { "seed", "integer", "what the numbers follow from", optional = true, default = "0" },
      { "centered", "boolean", "the middle of each n-th", optional = true },
    } },
    { "sobol_options", help = "Options of sobol.", fields = {
      { "seed", "integer", "what the shift follows from", optional = true, default = "0" },
      { "shift", "boolean", "false: the published points, without a digital shift",
        optional = true, default = "true" },
      { "skip", "integer", "points to leave out at the start", optional = true, default = "0" },
    } },
  },
}
