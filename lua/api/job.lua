return {
  name = "job",
  global = "kubeque",
  summary = "jobs in Lua: submit, wait, read results, go on",
  where = "host",
  help = [[
In a recipe (`kubeque run FILE.lua`) `job` and `params` are globals, with `args` (the words behind the
recipe's name) and `set` (what `--set k=v` gave), and a job is a *step*: run again, the recipe finds
what it submitted before by what it is about (command, parameters, content of inputs, environment
given with it, directory, image, patterns of results, policy). A step that is done is not repeated;
of one that failed in part what did not succeed runs again; resources, limits, retries, labels and
priority may change without making it another step.

A task that did not succeed ends the script with exit status 1, where it is waited for; a mistake in
the script ends it with 7 and its line.]],
  functions = {
    { "job", args = { { "options", "job_options|string", "or the id of a job that is there" } },
      returns = { { "job" } },
      help = "A job, not submitted yet.",
      example = [[
local fit = kubeque.job {
  name = "fit",
  command = { "python3", "^fit.py", "{lr}", "{seed}" },
  params = "grid.csv",
  resources = { cpu = 2, memory = "4G" },
  retries = 1,
}
fit:submit():wait()
local best = fit:results("score.json"):min("loss")
print(best.lr, best.seed, best.loss)]] },
    { "wait_all", args = { { "jobs", "job[]" }, { "options", "job_wait", optional = true } },
      returns = { { "true?", "every task of all succeeded" },
        { "string?", '"failed" or "timeout"' } },
      help = "Waits until all of some jobs are over." },
    { "wait_any", args = { { "jobs", "job[]" }, { "options", "job_wait", optional = true } },
      returns = { { "job?", "the first of them that is over" },
        { "string?", '"failed" or "timeout"' } },
      help = "Waits until one of some jobs is over." },
    { "once", args = { { "name", "string" }, { "fn", "fun(): any" } }, returns = { { "any" } },
      help = "What `fn()` returned the first time, also when the recipe runs again (`--fresh` "
        .. "forgets it). The value is kept as JSON in the store, for this recipe.",
      example = [[local started = kubeque.once("started", function() return os.date() end)]] },
  },
  classes = {
    { "job", help = "A job. What is in it of options is given when it is made.", fields = {
      { "id", "string", "when it is submitted" }, { "n", "integer", "how many tasks it has" },
      { "name", "string", optional = true },
    }, methods = {
      { "submit", returns = { { "job", "itself" } },
        help = "Stores the job and starts nodes, as `kubeque sub --no-wait` does; in a recipe, "
          .. "unless an earlier run did." },
      { "wait", args = { { "options", "job_wait", optional = true } },
        returns = { { "true?", "every task succeeded" }, { "string?", '"failed" or "timeout"' } },
        help = "Waits until every task has ended. One that did not succeed ends the script, unless "
          .. "the job says `allow_failures` or `check = false` is given: then it is `nil, "
          .. "\"failed\"`." },
      { "ok", returns = { { "boolean" } }, help = "It is over and every task succeeded." },
      { "counts", returns = { { "table<string, integer>" } },
        help = 'How many tasks have each label: `{ ["complete(code=0)"] = 9, pending = 1 }`.' },
      { "tasks", args = { { "options", "job_tasks", optional = true } },
        returns = { { "fun(): task_result?" } },
        help = "An iterator over the tasks: the columns of tasks.csv, and the parameters.",
        example = [[
for task in fit:tasks { state = "failed" } do
  print(task.kq_task, task.lr, task.kq_exit_code)
end]] },
      { "results", args = {
          { "file", "string", "a file of each task's results", optional = true,
            default = "just the tasks" },
          { "options", "job_results", optional = true } },
        returns = { { "results" } },
        help = "What the tasks that succeeded left: rows with the parameters, the columns of "
          .. "tasks.csv, and what the file holds. A JSON object gives fields; a JSON list, JSONL, "
          .. "CSV or TSV many rows; any other file the field `text`. NaN, Infinity, null and, in "
          .. "tables, nan, inf, NA and nothing at all do not count where the smallest, the mean and "
          .. "so on are asked for. A task without the file is an error." },
      { "stdout", args = { { "task", "integer", optional = true, default = "the only one" } },
        returns = { { "string" } }, help = "The output of a task, so far." },
      { "path", args = { { "task", "integer" }, { "file", "string", optional = true } },
        returns = { { "string" } }, help = "Where a task's results are, or one file of them." },
      { "outputs", args = { { "...", "string", "patterns; none: every output" } },
        returns = { { "string[]" } },
        help = "Output files of all tasks as inputs of the next job, each below the number of its "
          .. "task. A task without such a file is an error.",
        example = [[
local merge = kubeque.job {
  command = "cat */counts.txt | sort > all.txt", -- 1/counts.txt, 2/counts.txt, ...
  push = count:outputs("counts.txt"),
}]] },
      { "fetch", args = { { "dir", "string" }, { "options", "job_fetch", optional = true } },
        returns = { { "table", "tasks, files, bytes, skipped, pending, lost" } },
        help = "Copies results into a directory, as `kubeque fetch` does." },
      { "kill", args = { { "tasks", "string", "3-7,9", optional = true, default = "all" } },
        returns = { { "integer", "how many tasks were stopped" } },
        help = "Stops it, or some of its tasks." },
      { "retry", args = { { "options", "job_retry", optional = true } },
        returns = { { "job", "itself" } },
        help = "Runs what did not succeed again, as `kubeque retry` does, with other resources if "
          .. "given; `wait` then waits for it." },
      { "title", returns = { { "string" } }, help = "How messages call it." },
    } },
    { "results", help = "Rows of results: a list with methods. A field may be a name, or a "
        .. "function of the row.", methods = {
      { "min", args = { { "field", "string|function" } }, returns = { { "task_result" } },
        help = "The row in which the field is smallest; rows without it (or with null or NaN in "
          .. "it) do not count." },
      { "max", args = { { "field", "string|function" } }, returns = { { "task_result" } },
        help = "The row in which it is largest." },
      { "sum", args = { { "field", "string|function" } }, returns = { { "number" } },
        help = "The sum." },
      { "mean", args = { { "field", "string|function" } }, returns = { { "number" } },
        help = "The mean." },
      { "median", args = { { "field", "string|function" } }, returns = { { "number" } },
        help = "The median." },
      { "sort", args = { { "field", "string|function" },
          { "direction", '"up"|"down"', optional = true, default = '"up"' } },
        returns = { { "results" } }, help = "In order of the field, the smallest first." },
      { "top", args = { { "n", "integer" }, { "field", "string|function" },
          { "direction", '"up"|"down"', optional = true, default = '"up"' } },
        returns = { { "results" } }, help = "The first n of `sort`." },
      { "filter", args = { { "fn", "fun(row: task_result): any" } }, returns = { { "results" } },
        help = "The rows for which it says true." },
      { "group", args = { { "field", "string|function" } },
        returns = { { "fun(): any, results" } },
        help = "An iterator over the values of the field and the rows of each.",
        example = [[
for opt, rows in fit:results("score.json"):group("opt") do
  print(opt, rows:mean("loss"))
end]] },
      { "list", args = { { "field", "string|function" } }, returns = { { "any[]" } },
        help = "The values of the field, as a plain list." },
      { "rows", returns = { { "task_result[]" } }, help = "The rows, as a plain list." },
      { "params", args = { { "columns", "string[]", optional = true,
          default = "the job's parameters" } }, returns = { { "params" } },
        help = "Columns as parameters of the next job; rows that say the same are one.",
        example = [[local again = fit:results("score.json"):top(3, "loss"):params()]] },
    } },
  },
  tables = {
    { "job_options", help = "The options of `kubeque sub`, with `_` for `-`: texts mean what they "
        .. "mean on the command line. Also:", fields = {
      { "command", "string|string[]", "a shell line, or words that no shell sees; `{name}` and "
        .. "`^file` as on the command line", optional = true },
      { "params", "string|table[]|params", "one task a row: a file, a list of tables, or "
        .. "`kubeque.params`", optional = true },
      { "name", "string", "of the step: in messages, and in the ids of a recipe's jobs",
        optional = true },
      { "id", "string", "the job id", optional = true, default = "made by kubeque" },
      { "allow_failures", "boolean", "tasks that do not succeed do not end the script",
        optional = true },
      { "push", "string|string[]", "inputs; lists in the list are fine", optional = true },
      { "resources", "table|string", '`{ cpu = 2, memory = "4G" }`', optional = true },
      { "env", "table|string[]", '`{ A = "1", HOME = true }`: true takes the value from here',
        optional = true },
      { "label", "table|string[]", '`{ who = "me" }`', optional = true },
      { "policy", "string|table", "a SPEC of --policy, { SPEC, option = value }, or a list", optional = true },
    } },
    { "job_wait", help = "How to wait.", fields = {
      { "timeout", "number|string", "seconds, or a text such as 5m", optional = true },
      { "check", "boolean", "false: a task that did not succeed does not end the script",
        optional = true, default = "true" },
      { "show", '"all"|"any"|"failed"', "copy output of tasks to stdout", optional = true },
    } },
    { "job_tasks", help = "Which tasks.", fields = {
      { "state", "string|string[]", "pending, claimed, ended, succeeded, failed, killed",
        optional = true },
    } },
    { "job_results", help = "Which results.", fields = {
      { "missing", '"skip"|"error"', "a task without the file", optional = true,
        default = '"error"' },
      { "state", "string|string[]", "tasks in these states", optional = true,
        default = '"succeeded"' },
    } },
    { "job_fetch", help = "As the options of `kubeque fetch`.", fields = {
      { "flat", "boolean", optional = true }, { "force", "boolean", optional = true },
      { "only", "string|string[]", optional = true },
      { "ranges", "string", "only these tasks: 3-7,9", optional = true },
    } },
    { "job_retry", help = "As the options of `kubeque retry`.", fields = {
      { "resources", "table|string", optional = true }, { "image", "string", optional = true },
      { "timeout", "number|string", optional = true }, { "retries", "integer", optional = true },
      { "keep_work", "boolean", optional = true },
      { "ranges", "string", "only these tasks: 3-7,9; of kubeque.queue.retry", optional = true },
    } },
    { "task_result", help = "A task: its parameters by their names, and as in tasks.csv:", fields = {
      { "kq_job", "string" }, { "kq_task", "integer" }, { "kq_state", "string", "the label" },
      { "kq_exit_code", "integer|string", "or signaled(SIGKILL)", optional = true },
      { "kq_reason", "string", optional = true }, { "kq_attempts", "integer" },
      { "kq_node", "string", optional = true }, { "kq_started", "string", optional = true },
      { "kq_ended", "string", optional = true }, { "kq_seconds", "number", optional = true },
      { "kq_user_cpu", "number", optional = true }, { "kq_system_cpu", "number", optional = true },
      { "kq_max_memory", "integer", "bytes", optional = true },
    } },
  },
}
