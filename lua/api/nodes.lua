return {
  name = "nodes",
  global = "kubeque.nodes",
  summary = "starting and stopping nodes of this machine",
  where = "host",
  help = "What the queue knows of all nodes, also of other machines: `kubeque.queue.nodes`.",
  functions = {
    { "add", args = { { "options", "nodes_add", optional = true } },
      returns = { { "started_node[]" } }, fails = true, help = "Starts nodes." },
    { "list", args = { { "cluster", "string", optional = true } },
      returns = { { "started_node[]" } }, fails = true, help = "Those that run." },
    { "stop", args = { { "id", "string" }, { "force", "boolean", optional = true } },
      returns = { { "true" } }, fails = true,
      help = "Tells a node to finish what it runs and leave; with `force` it ends at once and its "
        .. "tasks go to others." },
  },
  tables = {
    { "nodes_add", help = "What to start.", fields = {
      { "cluster", "string", optional = true, default = "the session's" },
      { "count", "integer", optional = true, default = "1" },
      { "first", "boolean", "only if the cluster has none", optional = true },
      { "job", "string", "id of the job that asked", optional = true },
      { "args", "string[]", "for `kubeque consume`", optional = true },
    } },
    { "started_node", help = "A node of this machine.", fields = {
      { "id", "string" }, { "state", "string" }, { "log", "string", "path of its log" } } },
  },
}
