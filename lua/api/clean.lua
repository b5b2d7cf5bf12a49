return {
  name = "clean",
  global = "kubeque.clean",
  summary = "what is left behind, and its size",
  where = "host",
  functions = {
    { "cas", args = { { "options", "clean_options", optional = true } },
      returns = { { "cleaned", "objects and bytes" } }, fails = true,
      help = "Removes content that nothing refers to and nobody used for `older` seconds." },
    { "results", args = { { "id", "string" }, { "options", "clean_options", optional = true } },
      returns = { { "cleaned", "files and bytes" } }, fails = true,
      help = "Removes the results of a forgotten job; those of a remembered one are only counted." },
    { "work_dirs", args = { { "options", "work_options", optional = true } },
      returns = { { "true" } }, fails = true,
      help = "Removes what dead nodes and processes left." },
    { "du", args = { { "options", "work_options", optional = true } },
      returns = { { "du_row[]" } }, fails = true,
      help = "Bytes and files by job, of the CAS, of what was left behind." },
  },
  tables = {
    { "clean_options", help = "What may go.", fields = {
      { "older", "number", "seconds without use (only the CAS)", optional = true,
        default = "7 days" },
      { "dry_run", "boolean", "only count", optional = true } } },
    { "work_options", help = "Where tasks run.", fields = {
      { "work_dir", "string", optional = true, default = "HOME/work" } } },
    { "cleaned", help = "What went.", fields = {
      { "objects", "integer", optional = true }, { "files", "integer", optional = true },
      { "bytes", "integer" } } },
    { "du_row", help = "A line of `kubeque du`.", fields = {
      { "what", "string" }, { "kind", "string" }, { "bytes", "integer" }, { "files", "integer" },
      { "path", "string" } } },
  },
}
