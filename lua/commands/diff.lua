-- What differs between two jobs: how they were submitted, which parameters only one has, and which
-- tasks ended otherwise.

local fault = require "kubeque.fault"
local output = require "kubeque.output"
local select = require "kubeque.select"
local taskview = require "kubeque.taskview"

local LEAST_SECONDS <const>, LEAST_BYTES <const> = 1, 10000000 -- smaller changes are noise

local columns = { { "task" }, { "change" }, { "parameters" }, { "before" }, { "after" } }

-- ---- how they were submitted ----

local function words(list)
  return list and table.concat(list, " ") or nil
end

---What was asked for, by name.
local function spec_of(side)
  local job, manifest = side.job, side.manifest
  local common = manifest:common()
  local spec = { command = words(common.argv), image = common.image, cd = common.cd,
    timeout = common.timeout, retries = common.retries, results = words(common.results),
    exclude = words(common.exclude), outputs = common.outputs, columns = words(manifest:columns()),
    tasks = manifest:n(), cluster = job.cluster, policy = job.policy ~= "" and job.policy or nil,
    priority = job.priority }
  for name, value in pairs(common.resources) do
    spec["resource " .. name] = value
  end
  for name, value in pairs(common.env) do
    spec["env " .. name] = "=" .. value
  end
  for _, input in ipairs(fault.check(manifest:inputs())) do
    spec["input " .. input.dst] = (input.sha256 or input.url):sub(1, 12)
  end
  return spec
end

---For people: the value of a variable may be a secret.
local function shown(name, value)
  return value ~= nil and (name:find "^env " and "(set)" or tostring(value)) or nil
end

local function compare_specs(a, b, row)
  for _, name in ipairs(require("kubeque.names").of(a, b)) do
    if a[name] ~= b[name] then
      local other = name:find "^env " and a[name] and b[name] and "(another value)"
      row { change = name, before = shown(name, a[name]), after = other or shown(name, b[name]) }
    end
  end
end

-- ---- tasks ----

---What a task's parameters are, by name.
local function parameters_of(side, n)
  local parameters = {}
  for _, pair in ipairs(taskview.parameters(side.manifest, n)) do
    parameters[pair[1]] = pair[2]
  end
  return parameters
end

---An iterator over the tasks of a job: task, and a key that equal parameters share.
local function walk(side)
  local each = select.each_task(side.job)
  return function()
    local task = each()
    if task then
      local parameters = parameters_of(side, task.n)
      return task, next(parameters) and kubeque.json.encode(parameters)
        or side.manifest:task(task.n).command
    end
  end
end

---Numbers of tasks by key, first in, first out.
local function waiting_room()
  local waiting = {}
  local room = { waiting = waiting }
  function room.put(key, n)
    local there = waiting[key]
    if not there then
      waiting[key] = n
    elseif type(there) == "table" then
      there[#there + 1] = n
    else
      waiting[key] = { there, n }
    end
  end
  function room.take(key)
    local there = waiting[key]
    local n = type(there) == "table" and table.remove(there, 1) or there
    if type(there) ~= "table" or not there[1] then
      waiting[key] = nil
    end
    return n
  end
  function room.rest()
    local list = {}
    for _, there in pairs(waiting) do
      local ns = type(there) == "table" and there or { there }
      table.move(ns, 1, #ns, #list + 1, list)
    end
    table.sort(list)
    return list
  end
  return room
end

---Calls pair(a, b) for tasks with equal parameters, then alone(side, n) for those without a
---partner. Both jobs are walked side by side; only what waits for its partner is remembered.
local function match(left, right, pair, alone)
  local next_a, next_b = walk(left), walk(right)
  local a_room, b_room = waiting_room(), waiting_room()
  repeat
    local a, a_key = next_a()
    local b, b_key = next_b()
    local a_partner = a and b_room.take(a_key)
    if a_partner then
      pair(a, fault.check(kubeque.queue.task(right.job.born, a_partner)))
    elseif a then
      a_room.put(a_key, a.n)
    end
    local b_partner = b and a_room.take(b_key)
    if b_partner then
      pair(b_partner == (a and a.n) and a
        or fault.check(kubeque.queue.task(left.job.born, b_partner)), b)
    elseif b then
      b_room.put(b_key, b.n)
    end
  until not a and not b
  for _, n in ipairs(a_room.rest()) do
    alone(left, n)
  end
  for _, n in ipairs(b_room.rest()) do
    alone(right, n)
  end
end

---Have they grown or shrunk by the factor?
local function far_apart(x, y, factor, least)
  if not x or not y or math.abs(x - y) < least then
    return false
  end
  return math.max(x, y) >= factor * math.min(x, y)
end

local function compare_tasks(left, right, a, b, factor, row)
  local function changed(what, before, after, show)
    row({ task = ("%s.%d"):format(right.job.id, b.n), change = what,
      parameters = parameters_of(right, b.n), before = before, after = after }, show)
  end
  if a.label ~= b.label then
    changed("outcome", a.label, b.label)
  end
  local one, two = taskview.attempt(left.job, a) or {}, taskview.attempt(right.job, b) or {}
  if far_apart(one.elapsed, two.elapsed, factor, LEAST_SECONDS) then
    changed("time", one.elapsed, two.elapsed, kubeque.units.format_duration)
  end
  if far_apart(one.max_memory, two.max_memory, factor, LEAST_BYTES) then
    changed("memory", one.max_memory, two.max_memory, kubeque.units.format_bytes)
  end
end

local function run(opt, args, ctx)
  ctx:session { read_only = true }
  local sides = {}
  for i = 1, 2 do
    local job = select.job(ctx, args[i], true)
    sides[i] = { job = job, manifest = fault.check(kubeque.manifest(job)) }
  end
  local left, right = sides[1], sides[2]
  local out, count = output.open(opt, columns), 0
  local function row(values, show)
    count = count + 1
    if show and out.format == "table" then
      values.before, values.after = show(values.before), show(values.after)
    end
    if values.task or not (opt.quiet and out.format == "table") then
      out:row(values)
    end
  end
  compare_specs(spec_of(left), spec_of(right), row)
  match(left, right, function(a, b)
    compare_tasks(left, right, a, b, opt.factor or 2, row)
  end, function(side, n)
    local label = fault.check(kubeque.queue.task(side.job.born, n)).label
    row { task = ("%s.%d"):format(side.job.id, n), change = "only in " .. side.job.id,
      parameters = parameters_of(side, n), before = side == left and label or nil,
      after = side == right and label or nil }
  end)
  out:close()
  if count == 0 and out.format == "table" and not opt.quiet then
    kubeque.log.info(("%s and %s do not differ"):format(left.job.id, right.job.id))
  end
end

return {
  name = "diff",
  summary = "show what differs between two jobs",
  usage = "diff JOB1 JOB2 [options]",
  description = "Command, image, resources, names of variables, inputs; then task by task, those with "
    .. "equal parameters side by side: which are only in one, which ended otherwise, which took or "
    .. "needed --factor times as much (and at least 1 s or 10 MB).",
  options = output.with_options {
    { "factor", value = "X", type = "number", min = 1,
      help = "how many times the time or memory is a change (default 2)" },
  },
  args = { { "JOB1" }, { "JOB2" } },
  run = run,
}
