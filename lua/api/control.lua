return {
  name = "control",
  global = "kubeque.control",
  summary = "what users do to jobs and nodes",
  where = "host",
  help = "The functions behind `kill`, `reset`, `clean` and `nodes --stop`; jobs are named by "
    .. "`born`, the number in their row.",
  functions = {
    { "kill", args = { { "born", "integer" },
        { "ranges", "string", "tasks, as 3-7,9", optional = true },
        { "keep", "boolean", "nodes without work stay", optional = true } },
      returns = { { "integer", "tasks killed" }, { "boolean", "is a node needed to finish it?" } },
      fails = true, help = "Stops tasks for good." },
    { "reset", args = { { "born", "integer" }, { "options", "reset_options" } },
      returns = { { "integer", "tasks that are pending again" } }, fails = true,
      help = "Lets tasks run again, with their attempts counted from the start." },
    { "remove", args = { { "born", "integer" }, { "options", "remove_options", optional = true } },
      returns = { { "true" } }, fails = true, help = "Forgets a job." },
    { "drain", args = { { "node", "string" } }, returns = { { "boolean", "false: no such node" } },
      fails = true, help = "Tells a node to finish what it runs and leave." },
    { "ring_nodes", returns = { { "true" } }, fails = true,
      help = "Wakes all nodes, so that they look for work." },
  },
  tables = {
    { "reset_options", help = "Which tasks.", fields = {
      { "states", "string[]",
        '"failed", "complete" (with a code other than 0), "killed", "succeeded", "claimed" (of '
        .. "dead nodes)" },
      { "ranges", "string", "only these tasks", optional = true },
      { "owner", "string", "only what this node holds", optional = true },
      { "class", "string", "other resources from now on (JSON)", optional = true },
    } },
    { "remove_options", help = "How much.", fields = {
      { "results", "boolean", "delete its results as well", optional = true },
      { "force", "boolean", "also while tasks wait", optional = true },
    } },
  },
}
