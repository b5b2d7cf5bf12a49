return {
  name = "policy",
  global = "kubeque",
  summary = "declaring a policy: what happens after an attempt, when a node is lost, to a submission",
  where = "both",
  help = [[
A policy travels with its job and runs on the nodes, in a sandbox: it decides, kubeque acts. It has
no files, processes, network and clock, so that the same question always has the same answer. What a
hook is given are copies; writing to one is an error. `nil` from a hook leaves the decision to the
next policy, and in the end to kubeque.]],
  functions = {
    { "policy", args = { { "declaration", "policy_declaration" } },
      returns = { { "policy_declaration", "the same table" } },
      help = "Declares a policy; a policy's file ends with it.",
      example = [[
return kubeque.policy {
  name = "patient",
  summary = "try again later when the licence server has no licence (code 75)",
  options = { after = 300 },
  on_task_failed = function(task, attempt, job, options)
    if attempt.exit_code == 75 then
      return { "retry", after = options.after, free = true, note = "no licence was free" }
    end
  end,
}]] },
  },
  tables = {
    { "policy_declaration", help = "A policy. Hooks that are not there cost nothing.", fields = {
      { "name", "string", "that of the file", optional = true },
      { "summary", "string", "one line for `kubeque scripts`", optional = true },
      { "options", "table", "names and default values of what `--policy NAME:key=value` may set",
        optional = true },
      { "same", "boolean", "ask for task.same, which costs a query a failure", optional = true },
      { "on_submit", "fun(job: table, options: table): any",
        "before the first write: nil, a changed job, or `nil, why` to refuse", optional = true },
      { "on_task_failed", "fun(task: table, attempt: table, job: table, options: table): any",
        "after an attempt that did not exit 0: a verdict or nil", optional = true },
      { "on_task_lost", "fun(task: table, node: table, job: table, options: table): any",
        "for a task whose node is gone: a verdict or nil", optional = true },
      { "scale", "fun(state: table, options: table): integer?", "how many nodes to have",
        optional = true },
      { "on_event", "fun(event: table, options: table): table?",
        "after something happened: an effect, a list of them, or nil", optional = true },
    } },
    { "verdict", help = "What a hook wants: a word, or this table.", fields = {
      { "action", '"retry"|"fail"|"complete"|"wait"', "or as first item; wait: a lost node only" },
      { "after", "number", "seconds before the next attempt", optional = true },
      { "free", "boolean", "the attempt does not count", optional = true },
      { "with", "table", "other resources: memory, cpu, image", optional = true },
      { "stop", "boolean", "end the rest of the job", optional = true },
      { "note", "string", "one sentence for `kubeque explain`", optional = true },
    } },
  },
}
