return {
  name = "search",
  global = "kubeque.search",
  summary = "sweeps whose next tasks depend on the results of the last",
  where = "host",
  help = [[
A search is a table with three methods: `suggest`, `tell` and `best`. `random` and `halving` make
such tables; your own is as good, as long as what it suggests depends on nothing but what it was told
(no `math.random` without a seed). `run` drives one in a recipe: each batch of rows is a job, and a
journal on disk says what was asked and told. Stopped at any moment and started again, it asks nothing
twice and tells nothing twice. When the job was changed, or what is read of its results, it begins anew
with the first batch that this concerns.]],
  functions = {
    { "run", args = { { "options", "search_run" } }, returns = { { "search_best" } },
      help = "Drives a search until it is over.",
      example = [[
local best = kubeque.search.run {
  search = kubeque.search.random { space = { lr = params.loguniform(1e-4, 1) }, trials = 40, seed = 1 },
  job = { name = "fit", command = { "python3", "^train.py", "{lr}" } },
  file = "score.json",
  value = "loss",
}
print(best.row.lr, best.value)]] },
    { "random", args = { { "options", "search_random" } }, returns = { { "search" } },
      help = "Random search: points of a space, each drawn for itself." },
    { "halving", args = { { "options", "search_halving" } }, returns = { { "search" } },
      help = "Successive halving (K. Jamieson, A. Talwalkar, AISTATS 2016): all configurations get "
        .. "little of a resource, the best 1/eta of them eta times as much, and so on. The amounts "
        .. "are max, max/eta, ... down to min." },
  },
  classes = {
    { "search", help = "What `kubeque.search.run` drives.", fields = {
      { "trials", "integer", "how many rows it may want in one batch", optional = true,
        default = "10" },
    }, methods = {
      { "suggest", args = { { "n", "integer" } }, returns = { { "table[]?" } },
        help = "At most n rows to try next; nil when it is over; an empty list when it has to be "
          .. "told results first." },
      { "tell", args = { { "row", "table" }, { "value", "number?" } },
        help = "What a row gave; smaller is better, nil: it failed." },
      { "best", returns = { { "table?", "row" }, { "number?", "value" } },
        help = "The best so far." },
    } },
  },
  tables = {
    { "search_run", help = "What to drive, and how.", fields = {
      { "search", "search" },
      { "job", "job_options|fun(rows: table[], batch: integer): job",
        "options of each batch's job, without params; or what makes it" },
      { "value", "string|fun(row: task_result): number?", "which field of the result to make small" },
      { "file", "string", "where it is, as of `job:results`", optional = true,
        default = "the columns of tasks.csv" },
      { "goal", '"min"|"max"', optional = true, default = '"min"' },
      { "batch", "integer", "rows at a time", optional = true, default = "all there are" },
      { "name", "string", "of the journal", optional = true, default = "the job's" },
    } },
    { "search_best", help = "How a search ended.", fields = {
      { "row", "table", "the best row" }, { "value", "number" },
      { "trials", "results", "every row that was tried, with its `value`" },
      { "failed", "integer", "how many gave none" },
    } },
    { "search_random", help = "Random search.", fields = {
      { "space", "table", "factors, or params.space{...}" },
      { "trials", "integer", optional = true, default = "10" },
      { "seed", "integer", optional = true, default = "0" },
    } },
    { "search_halving", help = "Successive halving.", fields = {
      { "space", "table", "factors, or params.space{...}" },
      { "trials", "integer", "configurations to begin with", optional = true, default = "27" },
      { "eta", "number", optional = true, default = "3" },
      { "resource", "string", "the column that says how much", optional = true,
        default = '"epochs"' },
      { "min", "number", optional = true, default = "1" },
      { "max", "number", optional = true, default = "27" },
      { "seed", "integer", optional = true, default = "0" },
    } },
  },
}
