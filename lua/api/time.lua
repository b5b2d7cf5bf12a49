return {
  name = "time",
  global = "kubeque.time",
  summary = "the clocks",
  where = "host",
  help = "A moment is in milliseconds since 1970, as in the rows of the queue.",
  functions = {
    { "now", returns = { { "integer", "milliseconds since 1970" } }, help = "The wall clock." },
    { "mono", returns = { { "number", "seconds" } },
      help = "A clock for measuring: it never jumps, and stands still in suspend." },
    { "utc", args = { { "ms", "integer" } }, returns = { { "string" } },
      help = "RFC 3339, as in all output for machines: `2017-09-15T09:49:48.062Z`." },
    { "log", args = { { "ms", "integer" } }, returns = { { "string" } },
      help = "Local time as in log lines: `2017-09-15 09:49:48,062`." },
    { "id", args = { { "ms", "integer" } }, returns = { { "string" } },
      help = "Local time as in the ids of jobs: `20170915-094948`." },
  },
}
