-- Tasks as users see them: one record of what queue and manifest know, and how status prints it.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

local M = {}

local TAIL_SIZE <const> = 2048 -- as src/model/task.h
local TAIL_LINES <const> = 20

M.columns = {
  { "job" }, { "task", type = "number" }, { "state", only = "data" },
  { "label", title = "STATE" },
  { "exit_code", type = "number", only = "data" }, { "parameters" }, { "node" },
  { "attempts", type = "number" }, { "started", type = "time" },
  { "ended", type = "time", only = "data" }, { "seconds", type = "duration" },
  { "user_cpu", type = "duration", only = "data" },
  { "system_cpu", type = "duration", only = "data" }, { "cpu", type = "duration", only = "table" },
  { "max_memory", type = "bytes", title = "MEMORY" }, { "reason" }, { "tail", only = "data" },
}

---The last attempt that says how the task went: the accepted one, else the last that ended.
function M.attempt(job, task)
  if task.attempt == 0 then
    return nil
  end
  local a = kubeque.queue.attempt(job.born, task.n, task.acc > 0 and task.acc or 0)
  if a and a.started == 0 then -- it ended before it began: there is nothing to measure
    a.started, a.elapsed, a.user_cpu, a.system_cpu, a.max_memory = nil, nil, nil, nil, nil
  end
  return a
end

---Parameters of a task as a list of {name, value}.
function M.parameters(manifest, n)
  return manifest and manifest:task(n).parameters or {}
end

---Everything about a task, by the keys of M.columns.
function M.record(job, task, manifest)
  local a = M.attempt(job, task) or {}
  local parameters = {}
  for _, pair in ipairs(M.parameters(manifest, task.n)) do
    parameters[pair[1]] = pair[2]
  end
  return { job = job.id, task = task.n, state = task.state, label = task.label,
    exit_code = a.exit_code and a.exit_code >= 0 and a.exit_code or nil, parameters = parameters,
    node = task.node ~= "" and task.node or nil, attempts = task.attempt, started = a.started,
    ended = a.ended and a.ended > 0 and a.ended or nil, seconds = a.elapsed,
    user_cpu = a.user_cpu, system_cpu = a.system_cpu,
    cpu = a.user_cpu and a.user_cpu + a.system_cpu, max_memory = a.max_memory,
    reason = task.reason ~= "" and task.reason or nil, tail = a.tail }
end

---"x=1 y=2", in the order of the columns.
local function parameters_text(manifest, n)
  local parts = {}
  for _, pair in ipairs(M.parameters(manifest, n)) do
    parts[#parts + 1] = pair[1] .. "=" .. pair[2]
  end
  return table.concat(parts, " ")
end

---The last lines of what the queue keeps of an output: whole ones where there is more than one,
---and nothing in them that a terminal would obey.
function M.tail_lines(text)
  local lines = {}
  for line in text:gsub("\r?\n$", ""):gmatch "[^\n]*" do
    lines[#lines + 1] = line:gsub("\r$", ""):gsub("[\0-\8\11-\31\127]", "?")
  end
  if #text >= TAIL_SIZE and #lines > 1 then -- cut in front
    table.remove(lines, 1)
  end
  return table.move(lines, math.max(1, #lines - TAIL_LINES + 1), #lines, 1, {})
end

local function indented(text)
  return "    " .. table.concat(M.tail_lines(text), "\n    ") .. "\n"
end

local function fields(record)
  local time = require("kubeque.output").local_time
  local units = kubeque.units
  local parts = {}
  local function add(format, value)
    if value then
      parts[#parts + 1] = format:format(value)
    end
  end
  add("node %s", record.node)
  add(record.attempts == 1 and "%d attempt" or "%d attempts",
    record.attempts > 0 and record.attempts)
  add("started %s", record.started and time(record.started))
  add("ended %s", record.ended and time(record.ended))
  add("took %s", record.seconds and units.format_duration(record.seconds))
  add("cpu %s", record.cpu and units.format_duration(record.cpu))
  add("memory %s", record.max_memory and units.format_bytes(record.max_memory))
  return table.concat(parts, ", ")
end

---One task in full, for --failures and --detailed.
local function print_block(job, task, manifest)
  local record = M.record(job, task, manifest)
  local parameters = parameters_text(manifest, task.n)
  local progress = require "kubeque.progress"
  kubeque.out(("%s.%d: %s%s\n"):format(job.id, task.n,
    progress.label_text(task.label, task.label, progress.colour(1)),
    parameters ~= "" and "  " .. parameters:gsub("[\0-\31\127]", " ") or ""))
  local text = fields(record)
  if text ~= "" then
    kubeque.out("  " .. text .. "\n")
  end
  if record.reason then
    kubeque.out("  reason: " .. record.reason .. "\n")
  end
  if record.tail and record.tail ~= "" and (task.state == "failed" or task.state == "ended") then
    kubeque.out("  end of its output:\n" .. indented(record.tail))
  end
end

---Rows or blocks of the tasks of some jobs.
function M.print(opt, each_job, ranges)
  local output = require "kubeque.output"
  local states = opt.failures and { "failed", "killed" } or nil
  local machine = opt.json or opt.jsonl or opt.format
  local blocks = opt.failures and not machine and not opt.quiet
  local out = not blocks and output.open(opt, M.columns)
  for job in each_job do
    local manifest = fault.check(kubeque.manifest(job))
    for task in select.each_task(job, { ranges = ranges, states = states }) do
      if blocks then
        print_block(job, task, manifest)
      elseif opt.quiet and not machine then
        kubeque.out(("%s.%d\n"):format(job.id, task.n))
      else
        local record = M.record(job, task, manifest)
        if out.format == "table" then
          record.parameters = parameters_text(manifest, task.n)
        end
        out:row(record)
      end
    end
  end
  if out then
    out:close()
  end
end

local function last_line(text)
  return (text or ""):match("([^\n]*)\n*$") or ""
end

---Of a large job: the first failures, grouped by label and last line of output.
local function grouped_failures(job)
  local groups, order, seen = {}, {}, 0
  for task in select.each_task(job, { states = { "failed", "killed" }, limit = 100 }) do
    local a = M.attempt(job, task) or {}
    local key = task.label .. "\0" .. last_line(a.tail)
    local group = groups[key]
    if not group then
      group = { label = task.label, line = last_line(a.tail), first = task.n, count = 0 }
      groups[key] = group
      order[#order + 1] = group
    end
    group.count = group.count + 1
    seen = seen + 1
    if seen == 20 then
      break
    end
  end
  for _, group in ipairs(order) do
    kubeque.out(("  %d x %s, first %s.%d%s\n"):format(group.count, group.label, job.id, group.first,
      group.line ~= "" and ": " .. group.line or ""))
  end
  if seen == 20 then
    kubeque.out(("  these are the first 20; all: kubeque status --failures %s\n"):format(job.id))
  end
end

local function resources_text(class)
  local parts = {}
  for name, amount in pairs(class.resources or {}) do
    parts[#parts + 1] = ("%s=%s"):format(name,
      name == "memory" and kubeque.units.format_bytes(amount) or ("%.14g"):format(amount))
  end
  table.sort(parts)
  return table.concat(parts, ",")
end

---What a job runs, as typed.
function M.command_text(job, common)
  local words = common and common.argv or job.info and job.info.argv or {}
  return (table.concat(words, " "):gsub("[\0-\31\127]+", " "))
end

---What `status --detailed` prints below a job's line.
function M.detailed(job)
  local time = require("kubeque.output").local_time
  local manifest = fault.check(kubeque.manifest(job))
  local common = manifest:common()
  kubeque.out(("  command:   %s\n"):format(M.command_text(job, common)))
  kubeque.out(("  submitted: %s by %s%s\n"):format(time(job.submitted), job.user,
    job.ended and job.ended > 0 and ", ended " .. time(job.ended) or ""))
  local said = {}
  for _, class in ipairs(job.classes or {}) do
    local line = ("  resources: %s, image %s\n"):format(resources_text(class),
      class.image or "none")
    kubeque.out(said[line] and "" or line) -- classes differ in more than that
    said[line] = true
  end
  local policy = require "kubeque.jobpolicy"
  if policy.of(job) then
    kubeque.out(("  policy:    %s\n"):format(policy.text(job)))
    if job.stopped then
      kubeque.out(("  stopped:   %s\n"):format(job.stopped))
    end
    local errors = policy.errors(job)
    if errors[1] then
      kubeque.out(("  the policy failed %d time%s, last: %s\n"):format(#errors,
        #errors == 1 and "" or "s", errors[#errors]))
    end
  end
  kubeque.out(("  results:   %s\n"):format(kubeque.results.dir(job)))
  if job.n > 1000 then
    grouped_failures(job)
    return
  end
  for task in select.each_task(job) do
    print_block(job, task, manifest)
  end
end

return M
