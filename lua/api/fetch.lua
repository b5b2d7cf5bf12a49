return {
  name = "fetch",
  global = "kubeque",
  summary = "results into a directory",
  where = "host",
  functions = {
    { "fetch", args = { { "born", "integer", "of the job" }, { "options", "fetch_options" } },
      returns = { { "fetched" } }, fails = true,
      help = "Copies results as `kubeque fetch` does: files that are there with the same content "
        .. "are skipped, no partial file appears under its name.",
      example = [[
local job = assert(kubeque.queue.job "LAST")
local sum = assert(kubeque.fetch(job.born, { dest = "out", only = { "*.json" } }))
print(sum.files, sum.skipped)]] },
  },
  tables = {
    { "fetch_options", help = "Where to and what.", fields = {
      { "dest", "string", "the directory" },
      { "flat", "boolean", "all files side by side", optional = true },
      { "force", "boolean", "replace what is no result", optional = true },
      { "only", "string[]", "globs of the files wanted", optional = true },
      { "ranges", "string", "tasks, as 3-7,9", optional = true },
      { "progress", "fun(files: integer, bytes: integer)",
        "called now and then; an error in it ends the fetch", optional = true },
    } },
    { "fetched", help = "What was done.", fields = {
      { "tasks", "integer" }, { "files", "integer", "copied" }, { "bytes", "integer" },
      { "skipped", "integer", "there already" }, { "pending", "integer", "tasks without results" },
      { "lost", "integer", "tasks whose results are gone" } } },
  },
}
