-- Downloads results into a directory of the user.

local function run(opt, args, ctx)
  ctx:session()
  local job, ranges = require("kubeque.select").job(ctx, args[1])
  require("kubeque.download").job(ctx, job, ranges, opt)
end

return {
  name = "fetch",
  summary = "download the results of a job",
  usage = "fetch JOB [options]",
  description = "Results of task N go to DIR/N/, with stdout.txt and result.json; DIR/tasks.csv "
    .. "lists every task. What is there already and equal is kept, what differs is replaced; files "
    .. "that were never ours are left alone. JOB.3-7 fetches only these tasks.",
  options = {
    { "dest", "d", value = "DIR", help = "where to (default: a directory named as the job)" },
    { "flat", help = "outputs under their own paths, without a directory for each task" },
    { "only", value = "GLOB", many = true, help = "only files that match" },
    { "force", help = "replace what another job, or somebody else, left in DIR" },
  },
  args = { { "JOB" } },
  run = run,
}
