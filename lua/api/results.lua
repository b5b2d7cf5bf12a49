return {
  name = "results",
  global = "kubeque.results",
  summary = "where the published files of a job are",
  where = "host",
  functions = {
    { "dir", args = { { "job", "job_row" } }, returns = { { "string" } },
      help = "The directory of the whole job." },
    { "path", args = { { "job", "job_row" }, { "n", "integer" } }, returns = { { "string?" } },
      fails = true, help = "The directory of the accepted attempt of task n; nil when there is none." },
    { "stdout", args = { { "job", "job_row" }, { "n", "integer" },
        { "attempt", "integer", optional = true, default = "the accepted one, else the last" } },
      returns = { { "string?" } }, fails = true,
      help = "The path of a task's stdout.txt, also while it runs; nil when there is none." },
    { "settle", args = { { "job", "job_row" } }, returns = { { "true" } }, fails = true,
      help = "Publishes what was accepted, if its node did not come to it." },
  },
}
