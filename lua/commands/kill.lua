-- Stops jobs, or some of their tasks. No other job is touched.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

local function run(opt, args, ctx)
  ctx:session()
  local jobs, ranges = select.some_jobs(ctx, args[1])
  for _, job in ipairs(jobs) do
    local count, needed = 0, false
    if job.state ~= "over" then
      count, needed = fault.check(kubeque.control.kill(job.born, ranges, opt.keepcluster or false))
    end
    if needed then -- work came up while idle nodes were told to leave
      require("kubeque.nodes").ensure(ctx, job.id)
    end
    if (job.policy or "") ~= "" then -- without a node nobody else tells its end
      require("kubeque.deliver").tell(kubeque.queue.job_by_born(job.born) or job)
    end
    if opt.quiet then
      kubeque.out(job.id .. "\n")
    elseif count == 0 then
      kubeque.log.info(("%s: nothing to kill, its tasks have ended"):format(args[1] == "LAST"
        and job.id or ranges and job.id .. "." .. ranges or job.id))
    else
      kubeque.log.info(("%s: killed %d task%s"):format(job.id, count, count == 1 and "" or "s"))
    end
  end
end

return {
  name = "kill",
  summary = "stop jobs or tasks",
  usage = "kill PATTERN [options]",
  description = "Running tasks get SIGTERM and, after the grace period, SIGKILL; waiting ones "
    .. "become killed; whoever waits for the job returns. PATTERN may name tasks: JOB.3-7,9.",
  options = {
    { "keepcluster", help = "nodes without work linger instead of leaving at once" },
  },
  args = { { "PATTERN" } },
  run = run,
}
