return {
  name = "manifest",
  global = "kubeque",
  summary = "what the tasks of a job are",
  where = "host",
  functions = {
    { "manifest", args = { { "job", "job_row" } }, returns = { { "manifest" } }, fails = true,
      help = "Opens what was submitted. It is read in parts of 1,000 tasks; a walk in order reads "
        .. "each once.",
      example = [[
local job = assert(kubeque.queue.job "LAST")
local m <close> = assert(kubeque.manifest(job))
for n = 1, m:n() do print(n, m:task(n).command) end]] },
  },
  classes = {
    { "manifest", help = "What was submitted.", methods = {
      { "n", returns = { { "integer" } }, help = "How many tasks." },
      { "columns", returns = { { "string[]" } }, help = "Names of the parameters, as submitted." },
      { "common", returns = { { "task_spec" } }, help = "What all tasks share." },
      { "inputs", returns = { { "task_input[]" } }, fails = true, help = "Inputs that all share." },
      { "task", args = { { "n", "integer" } }, returns = { { "task_spec" } }, fails = true,
        help = "One task." },
      { "close", help = "Ends it; also by `local m <close>`." },
    } },
  },
  tables = {
    { "task_spec", help = "What a task is. Some keys are only in what all share, others only in "
      .. "the task.", fields = {
      { "n", "integer", optional = true },
      { "command", "string", "for people", optional = true },
      { "shell", "string", "a line for /bin/sh", optional = true },
      { "argv", "string[]", "or the words", optional = true },
      { "one_word", "boolean" },
      { "parameters", "string[][]", "{{name, value}, ...} in order of the columns",
        optional = true },
      { "inputs", "task_input[]", optional = true },
      { "env", "table<string, string>" }, { "cd", "string", optional = true },
      { "image", "string", optional = true },
      { "resources", "table<string, number>", optional = true },
      { "limits", "table<string, boolean>", "which resources are limits", optional = true },
      { "timeout", "number", "seconds, 0: none", optional = true },
      { "retries", "integer", optional = true }, { "grace", "number", optional = true },
      { "results", "string[]", "globs", optional = true },
      { "exclude", "string[]", "globs", optional = true },
      { "outputs", '"all"|"failed"|"none"', optional = true },
      { "keep_work", "boolean", optional = true }, { "clean_env", "boolean", optional = true },
      { "link_inputs", "boolean", optional = true },
      { "max_stdout", "integer", "bytes, 0: no limit", optional = true },
    } },
    { "task_input", help = "A file that a task gets.", fields = {
      { "dst", "string", "path in the work directory" },
      { "sha256", "string", "its content in the CAS", optional = true },
      { "url", "string", "or where it comes from", optional = true },
      { "size", "integer" }, { "mode", "integer" }, { "mtime", "integer" },
    } },
  },
}
