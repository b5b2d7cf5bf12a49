-- Why a job or task is not running, why it failed, why it was tried again.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

local function print_one(opt, what, text, evidence)
  if opt.json then
    kubeque.out(kubeque.json.encode { what = what, why = text,
      evidence = kubeque.json.array(evidence) } .. "\n")
    return
  end
  kubeque.out(text .. "\n")
  for _, line in ipairs(evidence) do
    kubeque.out("  " .. line .. "\n")
  end
end

local function run(opt, args, ctx)
  ctx:session { read_only = true }
  local job, ranges = select.job(ctx, args[1])
  local why = require "kubeque.why"
  if not ranges and job.n > 1 then
    print_one(opt, job.id, why.job(job))
    return
  end
  local found
  for task in select.each_task(job, { ranges = ranges }) do
    found = true
    print_one(opt, ("%s.%d"):format(job.id, task.n), why.task(job, task))
  end
  if not found then
    fault.raisef("not_found", "no task %s: the job has tasks 1 to %d", args[1], job.n)
  end
end

return {
  name = "explain",
  summary = "say why a job or task is not running, or why it failed",
  usage = "explain JOB[.N]",
  description = "One plain sentence, and its evidence: attempts, nodes, the end of the output.",
  options = { { "json", help = "one JSON object a task" } },
  args = { { "JOB" } },
  run = run,
}
