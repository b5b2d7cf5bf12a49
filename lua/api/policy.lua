return {
  name = "policy",
  global = "kubeque",
  summary = "declaring a policy: what happens after an attempt, when a node is lost, to a submission",
  where = "both",
  help = [[
A policy travels with its job and runs on the nodes, in a sandbox: it decides, kubeque acts. It has
no files, processes, network and clock, so that the same question always has the same answer. What a
hook is given are copies; writing to one is an error. `nil` from a hook leaves the decision to the
next policy of the job, and in the end to kubeque. Choose one with `--policy NAME`, or
`--policy FILE.lua:key=value`; `kubeque policy list` shows those there are, `kubeque policy test`
asks one about a task that has run.]],
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
      { "summary", "string", "one line for `kubeque policy list`", optional = true },
      { "options", "table",
        "names and default values (texts, numbers, booleans, lists) of what `--policy NAME:key=value` "
          .. "may set", optional = true },
      { "same", "boolean", "ask for attempt.same, which costs a query a failure", optional = true },
      { "on_submit", "fun(job: policy_submission, options: table): policy_submission?, string?",
        "before the first write: nil, the changed job, or `nil, why` to refuse it", optional = true },
      { "on_task_failed",
        "fun(task: policy_task, attempt: policy_attempt, job: policy_job, options: table): verdict|string|nil",
        "after an attempt that did not exit 0: a verdict or nil", optional = true },
      { "on_task_lost",
        "fun(task: policy_task, node: policy_node, job: policy_job, options: table): verdict|string|nil",
        "for a task whose node is gone: a verdict or nil", optional = true },
      { "scale", "fun(state: policy_state, options: table): integer?", "how many nodes to have",
        optional = true },
      { "on_event", "fun(event: policy_event, options: table): policy_effect|policy_effect[]|nil",
        "after something happened: an effect, a list of them, or nil", optional = true },
    } },
    { "verdict", help = "What a hook wants: a word, or this table with the word as first item.",
      fields = {
      { "action", '"retry"|"fail"|"complete"|"wait"',
        "fail: the outcome stands; complete: it counts as a success; wait: one more lease, of a lost "
          .. "node only" },
      { "after", "number|string", "seconds (or \"5m\") before the next attempt, at most a day",
        optional = true },
      { "free", "boolean", "the attempt does not count; at most 100 times", optional = true },
      { "elsewhere", "boolean",
        "the next attempt is made by another node than the one of this attempt; when there is none "
          .. "that can, by the same one. A lost task always runs elsewhere", optional = true },
      { "with", "table<string, number|string>",
        "other resources: memory (bytes or \"4G\"), cpu, gpu, disk, named ones, image",
        optional = true },
      { "stop", "boolean", "with fail or complete: kill the rest of the job", optional = true },
      { "note", "string", "one sentence for `kubeque explain`", optional = true },
    } },
    { "policy_task", help = "A task as hooks see it.", fields = {
      { "n", "integer", "its number, from 1" }, { "job", "string", "id of its job" },
      { "tries", "integer", "attempts that were tried again and counted, so far" },
      { "free", "integer", "those that did not count" },
      { "lost", "integer", "those that went with their node; at the fifth kubeque gives it up" },
      { "retries", "integer", "what --retries allows" },
      { "class", "policy_class", "what it may use" },
      { "parameters", "table<string, string>", "its row" },
      { "attempt", "integer", "number of the last attempt" }, { "node", "string" },
      { "state", '"ended"|"claimed"', "claimed: its node is lost" },
      { "label", "string", "in an event: what became of it", optional = true },
      { "reason", "string", "in an event", optional = true },
    } },
    { "policy_class", help = "Resources of a task.", fields = {
      { "resources", "table<string, number>", "cpu, memory (bytes), gpu, disk, named ones" },
      { "limits", "string[]", "which of them are limits, too (\"memory\": -r named it)",
        optional = true },
      { "image", "string" },
      { "timeout_ms", "integer", "where it differs from the job's", optional = true },
      { "retries", "integer", "where it differs from the job's", optional = true },
      { "keep_work", "boolean", optional = true },
    } },
    { "policy_attempt", help = "The attempt that has ended.", fields = {
      { "cause", '"exit"|"signal"|"timeout"|"oom"|"disk"|"missing_input"|"output"|"image"|"lost"|"preempted"',
        "why it ended" },
      { "exit_code", "integer", optional = true }, { "signal", "integer", optional = true },
      { "label", "string", "as `complete(code=3)`, `failed(timeout)`" },
      { "reason", "string", "more about it" },
      { "tail", "string", "the end of its output" },
      { "same", "integer",
        "how many tasks of the job failed in the same way (label and last line of output), this one "
          .. "included; only with `same = true`", optional = true },
      { "k", "integer", "its number, from 1" }, { "node", "string" },
      { "elapsed", "number", "seconds" }, { "user_cpu", "number", "seconds" },
      { "system_cpu", "number", "seconds" }, { "max_memory", "integer", "bytes" },
      { "block_in", "integer" }, { "block_out", "integer" },
      { "started", "integer", "milliseconds" }, { "ended", "integer", "milliseconds" },
      { "job", "integer" }, { "n", "integer" },
      { "result_sha256", "string" }, { "result_bytes", "integer" },
    } },
    { "policy_node", help = "A node that is gone.", fields = {
      { "id", "string" }, { "state", "string" }, { "cluster", "string" },
      { "cap", "table<string, number>", "cpu, memory, named resources" },
      { "info", "table", "host, pid, log, version, message, ..." },
      { "waits", "integer", "leases it was given more, at most 3" },
      { "registered", "integer", "milliseconds" }, { "running", "integer", "tasks" },
      { "memory", "integer", "bytes set aside" },
    } },
    { "policy_job", help = "A job as hooks see it.", fields = {
      { "id", "string" }, { "n", "integer", "tasks" }, { "priority", "integer" },
      { "max_running", "integer", "0: no limit" }, { "submitted", "integer", "milliseconds" },
      { "user", "string" }, { "cluster", "string" },
      { "info", "table", "labels, argv (the first 16 KiB), cwd, results, nodes" },
    } },
    { "policy_submission", help = "A job before it is stored. What is not marked as fixed may be "
      .. "changed.", fields = {
      { "labels", "table<string, string>" }, { "priority", "integer" },
      { "retries", "integer", optional = true },
      { "timeout", "number|string", "seconds", optional = true },
      { "resources", "table<string, number|string>", optional = true },
      { "max_running", "integer", optional = true }, { "image", "string", optional = true },
      { "nodes", "integer", "--nodes", optional = true },
      { "id", "string", "fixed, as all that follow" }, { "n", "integer", "tasks" },
      { "user", "string" }, { "cluster", "string" },
      { "command", "string|string[]", optional = true }, { "columns", "string[]" },
      { "argv", "string[]", optional = true }, { "cwd", "string", optional = true },
      { "inputs", "integer", "files" }, { "input_bytes", "integer" },
    } },
    { "policy_state", help = "What `scale` decides by.", fields = {
      { "pending", "integer", "tasks" }, { "running", "integer", "tasks" },
      { "nodes", "integer", "live ones" },
      { "wanted", "integer", "--nodes of the job, 0: not said" },
      { "oldest_pending", "number", "seconds that a task has been waiting" },
      { "node_hours", "number", "what all nodes of the cluster, ended ones too, lived while the job was open" },
      { "job", "policy_job", optional = true },
    } },
    { "policy_event", help = "What happened.", fields = {
      { "kind", '"task_succeeded"|"task_failed"|"task_retried"|"task_lost"|"job_ended"|"policy_error"',
        "job_ended comes at least once, the others when they can" },
      { "time", "integer", "milliseconds since 1970" },
      { "job", "policy_job" }, { "task", "policy_task", "of the task_ kinds", optional = true },
      { "attempt", "policy_attempt", "of the task_ kinds", optional = true },
      { "counts", "table<string, integer>", "job_ended: tasks by label", optional = true },
      { "text", "string", "what broke, or what was decided", optional = true },
    } },
    { "policy_effect", help = "What kubeque shall do: one of webhook and command.", fields = {
      { "webhook", "string", "http:// or https:// address that gets a POST", optional = true },
      { "body", "table|string", "a table is sent as JSON; default: the event", optional = true },
      { "headers", "table<string, string>", optional = true },
      { "command", "string[]", "program and its arguments, no shell", optional = true },
      { "stdin", "table|string", "a table is JSON; default: the event", optional = true },
      { "timeout", "number|string", "seconds, at most 300", optional = true, default = "10" },
    } },
  },
}
