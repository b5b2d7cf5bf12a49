-- Makes tasks pending again: claims of dead nodes, failed and killed ones.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

---A node that is, or one that is gone and has claims still.
local function check_owner(id, jobs)
  for _, node in ipairs(fault.check(kubeque.queue.nodes())) do
    if node.id == id then
      return
    end
  end
  for _, job in ipairs(jobs) do
    for task in select.each_task(job, { states = { "claimed" } }) do
      if task.node == id then
        return
      end
    end
  end
  fault.raisef("not_found", "no node %s (kubeque nodes lists all)", id)
end

local function run(opt, args, ctx)
  ctx:session()
  local jobs, ranges = select.some_jobs(ctx, args[1])
  if opt.owner then
    check_owner(opt.owner, jobs)
  end
  local states = opt.all and { "claimed", "failed", "killed", "complete", "succeeded" }
    or { "claimed", "failed", "killed" }
  local count = 0
  for _, job in ipairs(jobs) do
    count = count + fault.check(kubeque.control.reset(job.born, { ranges = ranges, states = states,
      owner = opt.owner }))
  end
  kubeque.log.info(("updated %d tasks"):format(count))
  if count > 0 then
    local _, live = require("kubeque.nodes").counts(
      fault.check(kubeque.queue.nodes(ctx.config.cluster_name)))
    if live == 0 then
      kubeque.log.info(("reset starts no node: kubeque watch %s, or kubeque addnodes %s 1"):format(
        jobs[1].id, jobs[1].id))
    end
  end
end

return {
  name = "reset",
  summary = "make tasks pending again",
  usage = "reset PATTERN [options]",
  description = "Resets failed and killed tasks, and claimed ones whose node is dead. Starts no "
    .. "node and does not wait; `retry` does.",
  options = {
    { "owner", value = "NODE", help = "also take away what this node has claimed, dead or not" },
    { "all", help = "also complete tasks" },
  },
  args = { { "PATTERN" } },
  run = run,
}
