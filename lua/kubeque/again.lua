-- Running again what did not succeed: what `retry`, a recipe that is run again and kubeque.queue
-- do.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

local M = {}

local STATES = { "failed", "killed" } -- as the queue calls them
local WHAT = { "failed", "complete", "killed" } -- as reset does: complete is a code other than 0

---What the nodes there are have, and what a new one of this machine would, as JSON.
local function capacities(config)
  local machine, most = kubeque.machine(), require("kubeque.provider").unbounded(config) or {}
  local own = { cpu = config.node_cpu or most.cpu or math.max(1, machine.cpus),
    memory = config.node_memory or most.memory or machine.memory }
  for name, amount in pairs(config.node_resources) do
    own[name] = amount
  end
  local list = { kubeque.json.encode(own) }
  for _, node in ipairs(fault.check(kubeque.queue.nodes(config.cluster_name))) do
    list[#list + 1] = kubeque.json.encode(node.cap)
  end
  return list
end

---A class with what the options change, as JSON.
local function changed_class(class, opt, named, have)
  local copy = kubeque.json.decode(kubeque.json.encode(class))
  copy.resources, copy.avoid = copy.resources or {}, nil -- wherever its last attempt failed
  local limits = {}
  for _, name in ipairs(copy.limits or {}) do
    limits[name] = true
  end
  for name, amount in pairs(named or {}) do
    copy.resources[name] = amount
    limits.memory = limits.memory or name == "memory" or nil
  end
  copy.limits = kubeque.json.array {}
  for name in pairs(limits) do
    table.insert(copy.limits, name)
  end
  table.sort(copy.limits)
  fault.check(kubeque.units.possible(kubeque.json.encode(copy.resources), table.unpack(have)))
  copy.image = opt.image or copy.image
  copy.timeout_ms = opt.timeout and math.floor(opt.timeout * 1000) or copy.timeout_ms
  copy.retries = opt.retries or copy.retries
  copy.keep_work = opt.keep_work or copy.keep_work
  return kubeque.json.encode(copy)
end

---Ranges text of the tasks to run again, by class.
local function ranges_by_class(job, ranges)
  local by_class = {}
  for task in select.each_task(job, { ranges = ranges, states = STATES }) do
    local list = by_class[task.class] or {}
    by_class[task.class] = list
    local last = list[#list]
    if last and last[2] == task.n - 1 then
      last[2] = task.n
    else
      list[#list + 1] = { task.n, task.n }
    end
  end
  for class, list in pairs(by_class) do
    for i, range in ipairs(list) do
      list[i] = range[1] == range[2] and tostring(range[1]) or range[1] .. "-" .. range[2]
    end
    by_class[class] = table.concat(list, ",")
  end
  return by_class
end

---Makes what did not succeed pending again.
---@param ctx table its config
---@param job table
---@param ranges string|nil only these tasks
---@param opt table resources, image, timeout, retries, keep_work: as retry's, all optional
---@return integer count of tasks that run again
function M.reset(ctx, job, ranges, opt)
  if opt.image then
    require("kubeque.config").image(ctx.config, opt.image)
  end
  if job.state == "killing" then
    fault.raisef("conflict", "%s is being killed: try again when it has ended", job.id)
  end
  if not (opt.resources or opt.image or opt.timeout or opt.retries or opt.keep_work) then
    return fault.check(kubeque.control.reset(job.born, { ranges = ranges, states = WHAT }))
  end
  local named = opt.resources
    and fault.check(kubeque.units.resources(table.concat(opt.resources, ",")))
  local have, changes, count = capacities(ctx.config), {}, 0
  for class, text in pairs(ranges_by_class(job, ranges)) do
    changes[#changes + 1] = { ranges = text, states = WHAT,
      class = changed_class(job.classes[class], opt, named, have) }
  end
  for _, change in ipairs(changes) do
    count = count + fault.check(kubeque.control.reset(job.born, change))
  end
  return count
end

return M
