-- Stops the job when the same failure repeats: k tasks that ended with the same code and the same
-- last line of output. The task that brings the number to k stays as it is and the rest of the job
-- is killed, so that a mistake in the command costs minutes and not a night.
--
--   kubeque sub --policy failfast -p params.csv ...      after 3
--   kubeque sub --policy failfast:k=10 -p params.csv ...

return kubeque.policy {
  name = "failfast",
  summary = "stop the job when the same failure repeats",
  options = { k = 3 },
  same = true, -- asks for attempt.same: counting costs a query, so it is not there by itself

  on_task_failed = function(_, attempt, _, options)
    if (attempt.same or 0) < options.k then
      return nil
    end
    return { "fail", stop = true, note = ("%d tasks failed in the same way, with %s"):format(
      attempt.same, attempt.label) }
  end,
}
