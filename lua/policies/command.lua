-- Runs a command when something happens, on the machine of the node, with the event as JSON on its
-- standard input.
--
--   kubeque sub --policy command:command="mail -s kubeque me@example.org" ...
--   kubeque sub --policy command:command=./notify,events=task_failed,job_ended ...
--
-- (Quote it for your shell, too.) Events: task_succeeded task_failed task_retried task_lost
-- job_ended policy_error. job_ended comes at least once, the others when they can.

return kubeque.policy {
  name = "command",
  summary = "run a shell line on events",
  options = {
    command = "",
    events = { "job_ended" },
  },

  on_submit = function(_, options)
    if options.command == "" then
      return nil, "command needs one: --policy command:command=./notify"
    end
  end,

  on_event = function(event, options)
    for _, kind in ipairs(options.events) do
      if kind == event.kind then
        return { command = { "/bin/sh", "-c", options.command }, stdin = event }
      end
    end
  end,
}
