-- A retry policy that looks at why an attempt ended:
--
--   kubeque sub --policy ./by-cause.lua:tries=4 ...
--
--   exit code 75 (EX_TEMPFAIL: try again later)    later, up to `tries` times
--   killed by a signal                             at once, once
--   an input was not there                         never: somebody has to look
-- Anything else is left to the next policy, or to what kubeque does by itself.

local EX_TEMPFAIL = 75

return kubeque.policy {
  name = "by-cause",
  summary = "tries again what the exit code calls temporary",
  options = { tries = 4, pause = 1.0 },

  on_task_failed = function(task, attempt, _, options)
    if attempt.cause == "exit" and attempt.exit_code == EX_TEMPFAIL then
      if task.tries < options.tries then
        return { "retry", after = options.pause * 2 ^ task.tries, note = "the program said: later" }
      end
      return { "fail", note = ("the program said 'later' %d times"):format(task.tries + 1) }
    elseif attempt.cause == "signal" and task.tries == 0 then
      return { "retry", note = "a crash may be bad luck, once" }
    elseif attempt.cause == "missing_input" then
      return { "fail", note = "an input is gone: submit again when it is there" }
    end
    return nil
  end,
}
