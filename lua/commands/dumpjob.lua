-- A whole job as JSON: what was submitted, tasks, attempts, history. Streamed, a task at a time.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

local function json(value)
  return kubeque.json.encode(value)
end

local function time(ms)
  return ms and ms > 0 and kubeque.time.utc(ms) or kubeque.json.null
end

local function text(value)
  return value ~= nil and value ~= "" and value or kubeque.json.null
end

---{{name, value}, ...} as an object; the order of columns is told by `columns`.
local function object(pairs_list)
  local out = {}
  for _, pair in ipairs(pairs_list or {}) do
    out[pair[1]] = pair[2]
  end
  return out
end

local function attempt_of(a)
  return { attempt = a.k, node = text(a.node), label = a.label, cause = a.cause,
    exit_code = a.exit_code, signal = a.signal, started = time(a.started), ended = time(a.ended),
    reason = text(a.reason), verdict = text(a.verdict), tail = text(a.tail),
    resource_usage = { elapsed = a.elapsed, user_cpu_time = a.user_cpu,
      system_cpu_time = a.system_cpu, max_memory_size = a.max_memory, block_input_ops = a.block_in,
      block_output_ops = a.block_out } }
end

local function task_of(job, task, manifest)
  local spec = manifest:task(task.n)
  local attempts = kubeque.json.array {}
  if task.attempt > 0 then
    for i, a in ipairs(fault.check(kubeque.queue.attempts(job.born, task.n))) do
      attempts[i] = attempt_of(a)
    end
  end
  return { task = task.n, state = task.state, label = task.label, reason = text(task.reason),
    attempt = task.attempt, accepted = task.acc > 0 and task.acc or kubeque.json.null,
    node = text(task.node), class = task.class, command = spec.argv or spec.shell,
    parameters = object(spec.parameters), inputs = kubeque.json.array(spec.inputs),
    env = spec.env, cd = spec.cd,
    tries = task.tries, free = task.free, lost = task.lost, attempts = attempts }
end

---What all tasks share, with its lists as lists.
local function common_of(manifest)
  local common = manifest:common()
  for _, name in ipairs { "argv", "results", "exclude" } do
    common[name] = kubeque.json.array(common[name])
  end
  common.limits = kubeque.json.array(require("kubeque.names").of(common.limits or {}))
  return common
end

local function head(job, manifest)
  local info = job.info or {}
  local parts = { job = job.id, born = job.born, state = job.state, tasks_total = job.n,
    priority = job.priority, max_running = job.max_running, submitted = time(job.submitted),
    ended = time(job.ended), user = job.user, cluster = job.cluster, root = job.root,
    policy = require("kubeque.jobpolicy").data(job) or kubeque.json.null,
    results = kubeque.results.dir(job), labels = info.labels or {},
    spec = common_of(manifest), columns = kubeque.json.array(manifest:columns()),
    inputs = kubeque.json.array(manifest:inputs()), classes = kubeque.json.array(job.classes) }
  local out = json(parts)
  return out:sub(1, -2) -- without the closing brace: tasks and history follow
end

local function dump(job, manifest, ranges)
  kubeque.out(head(job, manifest) .. ',"tasks":[')
  local comma = "\n"
  for task in select.each_task(job, { ranges = ranges }) do
    kubeque.out(comma .. json(task_of(job, task, manifest)))
    comma = ",\n"
  end
  kubeque.out '\n],"history":['
  comma = "\n"
  local after = 0
  repeat
    local events = fault.check(kubeque.queue.events(job.born, after))
    for _, event in ipairs(events) do
      after = event.seq
      kubeque.out(comma .. json { time = time(event.t), task = event.n > 0 and event.n or
        kubeque.json.null, kind = event.kind, text = text(event.text) })
      comma = ",\n"
    end
  until #events == 0
  kubeque.out "\n]}\n"
end

local function run(opt, args, ctx)
  ctx:session { read_only = true }
  local job, ranges = select.job(ctx, args[1])
  local manifest = fault.check(kubeque.manifest(job))
  if opt.spec then
    require("kubeque.jobspec").write(ctx, job, manifest, ranges)
  else
    dump(job, manifest, ranges)
  end
end

return {
  name = "dumpjob",
  summary = "print a whole job as JSON",
  usage = "dumpjob JOB [options]",
  description = "What was submitted, tasks, attempts and history. The submitter's environment is "
    .. "never printed.",
  options = {
    { "spec", help = "a job file: `kubeque sub -f` of it gives the same tasks" },
  },
  args = { { "JOB" } },
  run = run,
}
