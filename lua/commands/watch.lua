-- Live progress of a job until it ends: the waiting of `sub`, later and from anywhere.

local function run(opt, args, ctx)
  ctx:session()
  local job = require("kubeque.select").job(ctx, args[1], true)
  return require("kubeque.progress").wait(ctx, { job },
    { show = opt.show, timeout = opt.wait_timeout })
end

return {
  name = "watch",
  summary = "show the progress of a job until it ends",
  usage = "watch JOB [options]",
  description = "Exit 1 if some task did not succeed. Ctrl-C ends the watching, never the job.",
  options = {
    { "show", value = "any|failed", optional = "all", type = "choice",
      choices = { "any", "failed", "all" },
      help = "copy each ended task's output to stdout, in task order (any: as they end)" },
    { "wait-timeout", value = "DUR", type = "duration",
      help = "stop waiting after so long (exit 4)" },
  },
  args = { { "JOB" } },
  run = run,
}
