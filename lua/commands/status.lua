-- How jobs are doing: a line a job, or everything about their tasks.

local output = require "kubeque.output"
local progress = require "kubeque.progress"
local select = require "kubeque.select"

local columns = {
  { "job" }, { "state" }, { "tasks", type = "number" }, { "counts" }, { "nodes" },
  { "submitted", type = "time" }, { "ended", type = "time" }, { "user" }, { "labels" },
}

local function row_of(job, counts, by_state)
  return { job = job.id, state = job.state, tasks = job.n, counts = counts, nodes = by_state,
    submitted = job.submitted, ended = job.ended > 0 and job.ended or nil, user = job.user,
    labels = job.info and job.info.labels or {} }
end

local function has_labels(job, wanted)
  local labels = job.info and job.info.labels or {}
  for _, label in ipairs(wanted or {}) do
    if labels[label.key] ~= label.value then
      return false
    end
  end
  return true
end

---Counts of the nodes of each cluster, read once.
local function node_reader()
  local known = {}
  return function(cluster)
    if not known[cluster] then
      local check = require("kubeque.fault").check
      known[cluster] = require("kubeque.nodes").counts(check(kubeque.queue.nodes(cluster)))
    end
    return known[cluster]
  end
end

---The jobs asked for, as an iterator, and the task ranges.
local function chosen(ctx, pattern, opt)
  local list, ranges
  local each
  if pattern then
    list, ranges = select.some_jobs(ctx, pattern, opt.wait)
    local i = 0
    each = function()
      i = i + 1
      return list[i]
    end
  else
    each = select.each_job(ctx)
  end
  return function()
    for job in each do
      if has_labels(job, opt.label) then
        return job
      end
    end
  end, ranges
end

local function one_line(job, counts, by_state)
  kubeque.out(("%s: %s  nodes: %s\n"):format(job.id, progress.tasks_text(counts, progress.colour(1)),
    require("kubeque.nodes").text(by_state)))
end

---Waits for the jobs; then an iterator over them as they are now, and the exit status.
local function wait(ctx, opt, pattern)
  local jobs = {}
  if not pattern and not opt.label then
    pattern = "LAST"
  end
  for job in chosen(ctx, pattern, opt) do
    jobs[#jobs + 1] = job
  end
  local code, i = 0, 0
  if #jobs > 0 then
    code = progress.wait(ctx, jobs, { timeout = opt.wait_timeout })
  end
  return function()
    i = i + 1
    return jobs[i] and kubeque.queue.job_by_born(jobs[i].born)
  end, code
end

local function run(opt, args, ctx)
  local check = require("kubeque.fault").check
  ctx:session { read_only = not opt.wait }
  local code, ranges = 0, nil
  local each
  if opt.wait then
    each, code = wait(ctx, opt, args[1])
    if code > 100 then
      return code -- interrupted: nothing more is said
    end
  else
    each, ranges = chosen(ctx, args[1], opt)
  end
  local nodes_of = node_reader()
  if opt.tasks or opt.failures or ranges then
    require("kubeque.taskview").print(opt, each, ranges)
    return code
  end
  local out = (opt.json or opt.jsonl or opt.format or opt.quiet) and output.open(opt, columns)
  local found = false
  for job in each do
    found = true
    local counts, by_state = check(kubeque.queue.counts(job.born)), nodes_of(job.cluster)
    if out then
      out:row(row_of(job, counts, by_state))
    else
      one_line(job, counts, by_state)
      if opt.detailed then
        require("kubeque.taskview").detailed(job)
      end
    end
  end
  if out then
    out:close()
  elseif not found and not args[1] then
    kubeque.log.info "no jobs"
  end
  return code
end

return {
  name = "status",
  summary = "show how jobs are doing",
  usage = "status [PATTERN] [options]",
  description = "A line a job: `ID: LABEL: N, LABEL: N  nodes: STATE: N`. PATTERN is a job's id, "
    .. "LAST, a quoted glob, or tasks of a job (JOB.3-7,9); without it all jobs are shown, newest "
    .. "first.",
  options = output.with_options {
    { "wait", help = "wait until the jobs have ended; exit 1 if some task did not succeed" },
    { "wait-timeout", value = "DUR", type = "duration",
      help = "with --wait: stop waiting after so long (exit 4)" },
    { "detailed", help = "more about each job: command, times, tasks or what failed" },
    { "failures", help = "the tasks that did not succeed, with the end of their output" },
    { "tasks", help = "a row a task: parameters, node, attempts, times, memory" },
    { "label", value = "K=V", type = "kv", many = true, help = "only jobs with this label" },
  },
  args = { { "PATTERN", optional = true } },
  run = run,
}
