-- Tells a web server what happens: a POST with the event as JSON.
--
--   kubeque sub --policy webhook:url=http://localhost:8080/hook ...
--   kubeque sub --policy webhook:url=https://example.org/x,events=task_failed,job_ended ...
--
-- Events: task_succeeded task_failed task_retried task_lost job_ended policy_error. job_ended comes
-- at least once, the others when they can.

return kubeque.policy {
  name = "webhook",
  summary = "POST events to a URL",
  options = {
    url = "",
    events = { "job_ended" },
    timeout = 10, -- seconds
  },

  on_submit = function(_, options)
    if not options.url:find "^https?://" then
      return nil, "webhook needs a URL: --policy webhook:url=http://host/path"
    end
  end,

  on_event = function(event, options)
    for _, kind in ipairs(options.events) do
      if kind == event.kind then
        return { webhook = options.url, body = event, timeout = options.timeout }
      end
    end
  end,
}
