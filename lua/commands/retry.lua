-- Runs every task that did not succeed again, with other resources if given.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

local function run(opt, args, ctx)
  ctx:session { create = false }
  local job, ranges = select.job(ctx, args[1])
  local count = require("kubeque.again").reset(ctx, job, ranges, opt)
  if opt.quiet then
    kubeque.out(job.id .. "\n")
    kubeque.out()
  elseif count == 0 then
    kubeque.log.info(("%s: no task to run again: %s"):format(job.id,
      job.state ~= "over" and "none has failed so far"
        or ranges and "all that were named succeeded" or "all succeeded"))
  else
    kubeque.log.info(("%s: %d task%s will run again"):format(job.id, count,
      count == 1 and "" or "s"))
  end
  if count > 0 then
    require("kubeque.nodes").ensure(ctx, job.id)
  end
  if opt.no_wait then
    return 0
  end
  job = fault.check(kubeque.queue.job_by_born(job.born))
  return require("kubeque.progress").wait(ctx, { job }, { show = opt.show,
    timeout = opt.wait_timeout })
end

return {
  name = "retry",
  summary = "run again every task that did not succeed",
  usage = "retry JOB [options]",
  description = "Tasks that succeeded keep their results. What is changed here holds for the tasks "
    .. "that run again only.",
  options = {
    { "resources", "r", value = "K=V,...", many = true,
      help = "other cpu, memory, gpu, disk, named one" },
    { "image", "i", value = "IMAGE", help = "another image" },
    { "timeout", value = "DUR", type = "duration", help = "another time limit (0: none)" },
    { "retries", value = "N", type = "int", min = 0, max = 10,
      help = "further attempts after the first" },
    { "keep-work", help = "keep the work directories of these tasks" },
    { "no-wait", help = "return at once" },
    { "wait-timeout", value = "DUR", type = "duration",
      help = "stop waiting after so long (exit 4)" },
    { "show", value = "any|failed", optional = "all", type = "choice",
      choices = { "any", "failed", "all" }, help = "copy each ended task's output to stdout" },
  },
  args = { { "JOB" } },
  run = run,
}
