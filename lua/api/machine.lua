return {
  name = "machine",
  global = "kubeque",
  summary = "this machine",
  where = "host",
  functions = {
    { "machine", returns = { { "machine_info" } },
      help = "What this process may use of this machine." },
    { "machine_check", returns = { { "true" } }, fails = true,
      help = "Has the system what kubeque needs?" },
  },
  tables = {
    { "machine_info", help = "A machine.", fields = {
      { "cpus", "number", "may be a fraction" }, { "threads", "integer" },
      { "memory", "integer", "bytes" }, { "memory_available", "integer", "bytes" },
      { "host", "string" }, { "machine_id", "string" }, { "boot_id", "string" } } },
  },
}
