-- What took longest, failed most and needed most memory, and how that goes with the parameters.

local fault = require "kubeque.fault"
local output = require "kubeque.output"
local select = require "kubeque.select"
local summary = require "kubeque.summary"
local taskview = require "kubeque.taskview"

local FEW <const> = 12     -- values of a parameter for which it is shown without being asked for
local MOST <const> = 10000 -- values of one that was asked for; further ones are added up

local task_columns = {
  { "task" }, { "label", title = "STATE" }, { "seconds", type = "duration" },
  { "max_memory", type = "bytes", title = "MEMORY" }, { "failures", type = "number" },
  { "parameters" },
}
local group_columns = {
  { "value" }, { "tasks", type = "number" }, { "failed", type = "number" },
  { "median", type = "duration" }, { "mean", type = "duration" }, { "max", type = "duration" },
  { "max_memory", type = "bytes", title = "MAX MEMORY" },
}
-- For machines: all rows in one table, told apart by `section`.
local all_columns = { { "section" }, { "task" }, { "label" }, { "seconds", type = "duration" },
  { "failures" }, { "parameters" }, { "parameter" }, { "value" }, { "tasks" }, { "failed" },
  { "median" }, { "mean" }, { "max" }, { "max_memory" } }

-- ---- gathering ----

---What the tasks with one value of a parameter did.
local function new_group()
  return { tasks = 0, failed = 0, max_memory = 0, seconds = summary.stream() }
end

---The groups of each parameter, { [name] = { [value] = group } }; a parameter of too many values is
---dropped, unless it was asked for.
local function gatherer(columns, asked)
  local groups, counts = {}, {}
  for _, name in ipairs(asked or columns) do
    groups[name], counts[name] = {}, 0
  end
  return groups, function(name, value)
    local mine = groups[name]
    if not mine or mine[value] then
      return mine and mine[value]
    elseif counts[name] == FEW and not asked then
      groups[name] = nil
      return nil
    elseif counts[name] == MOST then
      mine["(others)"] = mine["(others)"] or new_group()
      return mine["(others)"]
    end
    counts[name], mine[value] = counts[name] + 1, new_group()
    return mine[value]
  end
end

local function add_to(group, row, ended)
  group.tasks = group.tasks + 1
  group.failed = group.failed + (ended and row.state ~= "succeeded" and 1 or 0)
  if row.seconds then
    group.seconds:add(row.seconds)
  end
  group.max_memory = math.max(group.max_memory, row.max_memory or 0)
end

local function check_names(job, columns, asked)
  for _, name in ipairs(#columns > 0 and asked or {}) do -- a job file's are known at the end
    local found = false
    for _, column in ipairs(columns) do
      found = found or column == name
    end
    if not found then
      fault.raisef("usage", "job %s has no parameter %s%s", job.id, name,
        require("kubeque.names").hint(name, columns))
    end
  end
end

---Attempts that failed: all of an ended task but the one that succeeded.
local function failures_of(task)
  return task.state == "succeeded" and task.attempt - 1 or task.state == "failed" and task.attempt
    or math.max(task.attempt - 1, 0)
end

---Walks the tasks once. Returns sections of tasks and the groups.
local function gather(job, ranges, opt)
  local manifest = fault.check(kubeque.manifest(job))
  local columns = manifest:columns()
  check_names(job, columns, opt.by)
  local count = opt.top or 5
  local slowest, hungriest, failing = summary.top(count), summary.top(count), summary.top(count)
  local groups, group_of = gatherer(columns, opt.by)
  for task in select.each_task(job, { ranges = ranges }) do
    local attempt = taskview.attempt(job, task) or {}
    local pairs_list = taskview.parameters(manifest, task.n)
    local row = { n = task.n, task = ("%s.%d"):format(job.id, task.n), label = task.label,
      state = task.state, seconds = attempt.elapsed, max_memory = attempt.max_memory,
      failures = failures_of(task), parameters = {} }
    local ended = task.state ~= "pending" and task.state ~= "claimed" and task.state ~= "ended"
    for _, pair in ipairs(pairs_list) do
      row.parameters[pair[1]] = pair[2]
      local group = group_of(pair[1], pair[2])
      if group then
        add_to(group, row, ended)
      end
    end
    if row.seconds then
      slowest.add(row.seconds, row)
      hungriest.add(row.max_memory or 0, row)
    end
    if row.failures > 0 then
      failing.add(row.failures, row)
    end
  end
  return { { "slowest", slowest.items() }, { "memory", hungriest.items() },
    { "failures", failing.items() } }, groups, opt.by or columns
end

-- ---- printing ----

---Rows of a parameter in order of its values: numbers as numbers.
local function rows_of(groups)
  local rows, numbers = {}, true
  for value, group in pairs(groups) do
    rows[#rows + 1] = { value = value, tasks = group.tasks, failed = group.failed,
      median = group.seconds:median(), mean = group.seconds:mean(),
      max = group.seconds.count > 0 and group.seconds.max or nil, max_memory = group.max_memory }
    numbers = numbers and tonumber(value) ~= nil
  end
  table.sort(rows, function(a, b)
    if numbers and tonumber(a.value) ~= tonumber(b.value) then
      return tonumber(a.value) < tonumber(b.value)
    end
    return a.value < b.value
  end)
  return rows
end

local titles = { slowest = "slowest", memory = "most memory", failures = "most failures" }

local function print_tables(opt, sections, groups, names)
  local function print_one(title, columns, rows)
    if #rows > 0 then
      kubeque.out(title .. "\n")
      local out = output.open(opt, columns)
      for _, row in ipairs(rows) do
        out:row(row)
      end
      out:close()
      kubeque.out "\n"
    end
  end
  for _, section in ipairs(sections) do
    print_one(titles[section[1]], task_columns, section[2])
  end
  for _, name in ipairs(names) do
    local rows = rows_of(groups[name] or {})
    local tasks = 0
    for _, row in ipairs(rows) do
      tasks = tasks + row.tasks
    end
    if opt.by or #rows > 1 and tasks > #rows then -- not where every task has its own
      group_columns[1].title = name
      print_one("by " .. name, group_columns, rows)
    end
  end
end

local function print_rows(opt, sections, groups, names)
  local out = output.open(opt, all_columns)
  for _, section in ipairs(sections) do
    for _, row in ipairs(section[2]) do
      row.section = section[1]
      out:row(row)
    end
  end
  for _, name in ipairs(names) do
    for _, row in ipairs(rows_of(groups[name] or {})) do
      row.section, row.parameter = "by", name
      out:row(row)
    end
  end
  out:close()
end

local function print_ids(sections)
  local seen = {}
  for _, section in ipairs(sections) do
    for _, row in ipairs(section[2]) do
      if not seen[row.n] then
        seen[row.n] = true
        kubeque.out(row.task .. "\n")
      end
    end
  end
end

local function run(opt, args, ctx)
  ctx:session { read_only = true }
  local job, ranges = select.job(ctx, args[1] or "LAST")
  local sections, groups, names = gather(job, ranges, opt)
  local format = output.format_of(opt)
  if format == "table" and opt.quiet then
    print_ids(sections)
  elseif format == "table" then
    print_tables(opt, sections, groups, names)
  else
    print_rows(opt, sections, groups, names)
  end
end

return {
  name = "report",
  summary = "show which tasks took longest, failed most, needed most memory",
  usage = "report [JOB] [options]",
  description = "Tables of tasks, and of the values of a parameter: how many tasks, how many of "
    .. "them failed, the median, mean and largest time, the largest memory. Without --by every "
    .. "parameter of two to 12 values is shown. JOB is the last one, if none is named.",
  options = output.with_options {
    { "by", value = "PARAM", many = true, help = "a table by the values of this parameter" },
    { "top", value = "N", type = "int", min = 1, max = 10000,
      help = "how many tasks of each kind (default 5)" },
  },
  args = { { "JOB", optional = true } },
  run = run,
}
