-- NAME: a policy. It decides what happens after a task failed; it travels with the job and runs on
-- the nodes, also when you are not there.
--
--   kubeque sub --policy NAME ...                   use it for a job
--   kubeque sub --policy NAME:times=5,after=60 ...  with other options
--   kubeque policy test NAME JOB.N                  what it would say to what happened already
--
-- It runs in a sandbox: it gets values and returns a decision. No files, no network, no clock; what
-- it is given cannot be changed. Without an answer (nil) the next policy is asked, then kubeque's
-- own. A hook that is not there costs nothing: remove those that you do not need.

return kubeque.policy {
  name = "NAME",
  summary = "try again what ran out of licences",

  -- Defaults. A given option must have its default's type.
  options = {
    code = 75,  -- exit code that means "no licence just now"
    times = 3,  -- further attempts
    after = 30, -- seconds between them
  },

  -- After every attempt that did not exit with 0. Answers: "retry", "fail", "complete", or a table
  -- { "retry", after = seconds, with = { memory = "8G", cpu = 2 }, free = true, elsewhere = true,
  --   note = "why" }.
  on_task_failed = function(task, attempt, _, options)
    if attempt.cause ~= "exit" or attempt.exit_code ~= options.code then
      return nil
    elseif task.tries >= options.times then
      return { "fail", note = ("no licence after %d further attempts"):format(task.tries) }
    end
    return { "retry", after = options.after, note = "there was no licence" }
  end,

  -- Others: on_submit(job, options), on_task_lost(task, node, job, options),
  -- scale(state, options), on_event(event, options): docs/lua.md.
}
