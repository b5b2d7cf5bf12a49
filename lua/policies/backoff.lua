-- Tries again, later and later, after causes that pass by themselves: a server that is down, a
-- licence that is taken, a download that stalls. Other failures are left to the next policy.
--
--   kubeque sub --policy backoff ...                          code 75 (EX_TEMPFAIL of sysexits.h)
--   kubeque sub --policy backoff:codes=75,111,after=30 ...    these codes: 30 s, 1 m, 2 m, ...
--   kubeque sub --policy backoff:causes=timeout,times=2 ...   by cause: exit signal timeout oom disk
--                                                             missing_input output image
--   kubeque sub --policy backoff:elsewhere=true ...           each time on another node, if there is one

local function holds(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

return kubeque.policy {
  name = "backoff",
  summary = "try again, later and later, after some exit codes or causes",
  options = {
    codes = { 75 },  -- exit codes
    causes = {},     -- causes other than an exit code
    after = 10,      -- seconds before the second attempt; doubled each time
    longest = 3600,  -- at most so many
    times = 8,       -- further attempts; --retries does not count here
    elsewhere = false, -- not on the node where it failed
  },

  on_task_failed = function(task, attempt, _, options)
    local matches = attempt.cause == "exit" and holds(options.codes, attempt.exit_code)
      or holds(options.causes, attempt.cause)
    if not matches then
      return nil
    elseif task.tries >= options.times then
      return { "fail", note = ("given up: tried again %d times"):format(task.tries) }
    end
    local pause = math.min(options.after * 2 ^ task.tries, options.longest)
    return { "retry", after = pause, elsewhere = options.elsewhere,
      note = ("again in %g s: %s may pass (%d of %d)"):format(pause, attempt.label, task.tries + 1,
        options.times) }
  end,
}
