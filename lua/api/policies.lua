return {
  name = "policies",
  global = "kubeque.policies",
  summary = "asking policies from a command",
  where = "host",
  help = "A bundle is what travels with a job: its policies and all they require, as JSON "
    .. "(docs/internals.md). `kubeque.queue.job(id).policy` is its hash in the CAS.",
  functions = {
    { "check", args = { { "bundle", "string" } }, returns = { { "policy_description[]" } },
      fails = true, help = "Loads the policies of a bundle as a node would and says what they are.",
      example = [[
local job = assert(kubeque.queue.job "LAST")
for _, policy in ipairs(assert(kubeque.policies.check(kubeque.cas.get(job.policy)))) do
  print(policy.name, table.concat(policy.hooks, " "))
end]] },
    { "ask", args = { { "question", "policy_question" } }, returns = { { "policy_answer" } },
      fails = true,
      help = "What the policies of a bundle say of an attempt that is over. Nothing happens to it." },
    { "scale", args = { { "state", "policy_scale" } }, returns = { { "integer?", "nil: no opinion" } },
      fails = true, help = "How many nodes the policies of a job want." },
  },
  tables = {
    { "policy_description", help = "A policy in a bundle.", fields = {
      { "name", "string" }, { "summary", "string", optional = true },
      { "hooks", "string[]" }, { "options", "table", "given ones over the defaults" },
      { "same", "boolean" } } },
    { "policy_question", help = "An attempt, with the numbers as they were when it ended.", fields = {
      { "bundle", "string" }, { "job", "integer", "born" }, { "n", "integer", "task" },
      { "k", "integer", "attempt" }, { "tries", "integer", optional = true },
      { "free", "integer", optional = true }, { "lost", "integer", optional = true },
      { "retries", "integer", optional = true }, { "same", "integer", optional = true },
      { "class", "string", "JSON", optional = true },
      { "parameters", "string", "JSON", optional = true },
      { "node", "table", "asks on_task_lost: id, state, cluster, cap and info (JSON), waits, "
        .. "registered, running, memory", optional = true } } },
    { "policy_answer", help = "A verdict, within kubeque's bounds.", fields = {
      { "action", '"retry"|"fail"|"complete"|"wait"' }, { "after", "number", optional = true },
      { "free", "boolean", optional = true }, { "elsewhere", "boolean", optional = true },
      { "stop", "boolean", optional = true },
      { "class", "policy_class", "another one", optional = true },
      { "note", "string", optional = true } } },
    { "policy_scale", help = "What `scale` is asked with.", fields = {
      { "job", "integer", "born; the queue tells the rest. Without it the stock policy is asked",
        optional = true },
      { "nodes", "integer", "live ones", optional = true },
      { "wanted", "integer", "as --nodes says", optional = true },
      { "pending", "integer", "without job", optional = true },
      { "running", "integer", "without job", optional = true },
      { "oldest_pending", "number", "seconds, without job", optional = true },
      { "node_hours", "number", "without job", optional = true } } },
  },
}
