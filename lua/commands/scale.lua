-- Hidden: adds nodes, as the policy of a job wants it. Nodes start it (work/scale.h) in the directory
-- in which the job was submitted, so that the configuration is that of its user.

local fault = require "kubeque.fault"

local function run(opt, _, ctx)
  local home = opt.home
  fault.check(kubeque.session { home = home })
  local job = fault.check(kubeque.queue.job_by_born(opt.job))
  kubeque.proc.setenv("KUBEQUE_HOME", home)
  kubeque.proc.setenv("KUBEQUE_CLUSTER_NAME", job.cluster)
  ctx:session()
  require("kubeque.nodes").grow(ctx, job, opt.target)
end

return {
  name = "scale",
  summary = "add nodes",
  usage = "scale",
  options = {
    { "home", value = "DIR", hidden = true },
    { "job", value = "BORN", type = "int", hidden = true },
    { "target", value = "N", type = "int", hidden = true },
  },
  args = {},
  run = run,
}
