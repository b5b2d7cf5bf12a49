-- All jobs, newest first.

local output = require "kubeque.output"

local columns = {
  { "job" }, { "state" }, { "tasks", type = "number" }, { "priority", type = "number" },
  { "submitted", type = "time" }, { "ended", type = "time", only = "data" }, { "user" },
  { "command" }, { "labels", only = "data" },
  { "policy", only = "data" }, { "results", only = "data" },
}

local function run(opt, args, ctx)
  ctx:session { read_only = true }
  local command_text = require("kubeque.taskview").command_text
  local policy_text = require("kubeque.jobpolicy").text
  local out = output.open(opt, columns)
  local select = require "kubeque.select"
  if args[1] and not select.is_glob(args[1]) then
    args[1] = select.job(ctx, args[1], true).id -- exit 3 for an id that is none
  end
  local found
  for job in select.each_job(ctx, { pattern = args[1] }) do
    found = true
    local info = job.info or {}
    out:row { job = job.id, state = job.state, tasks = job.n, priority = job.priority,
      submitted = job.submitted, ended = job.ended > 0 and job.ended or nil, user = job.user,
      command = command_text(job), labels = info.labels or {},
      policy = policy_text(job), results = kubeque.results.dir(job) }
  end
  out:close()
  if not found and not opt.quiet and out.format == "table" then
    kubeque.log.info "no jobs"
  end
end

return {
  name = "list",
  summary = "list jobs, newest first",
  usage = "list [PATTERN] [options]",
  options = output.with_options {},
  args = { { "PATTERN", optional = true } },
  run = run,
}
