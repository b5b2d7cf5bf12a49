-- What scripts do to jobs by their id, beside the reading functions of kubeque.queue in C. Each
-- prints nothing and answers `nil, why, code` when the world says no. A job is its id, LAST, its
-- `born`, or a row of queue.job(); kubeque.job{...} is the comfortable way.

local fault = require "kubeque.fault"
local misuse = require "kubeque.misuse"

local queue = kubeque.queue
local M = {}

---Runs fn with faults as `nil, why, code`.
local function guarded(fn, ...)
  local done = table.pack(pcall(fn, ...))
  if done[1] then
    return table.unpack(done, 2, done.n)
  end
  local f = fault.of(done[2])
  if not f then
    error(done[2], 0)
  end
  return nil, f.message, f.code
end

---The context as one that says nothing.
local function silent()
  local ctx = require("kubeque.context").current()
  return setmetatable({ quiet = true, plain = true }, { __index = ctx })
end

local function row_of(what, job)
  require("kubeque.context").current():session {}
  if type(job) == "table" and math.type(job.born) == "integer" then
    job = job.born
  end
  if type(job) == "string" then
    return fault.check(queue.job(job))
  elseif math.type(job) == "integer" then
    return fault.check(queue.job_by_born(job))
  end
  misuse.raise("kubeque.queue.%s: a job expected: an id, a row or its born, got a %s", what,
    type(job))
end

---Stores a job and starts nodes: the options of kubeque.job.
---@param t table
---@return table|nil row
function M.submit(t)
  local job, recipe = require("kubeque.job").new(t), package.loaded["kubeque.recipe"]
  if recipe and recipe.current then
    recipe.current.busy = true
  end
  return guarded(function()
    local ctx = silent()
    ctx:session { create = true }
    require("kubeque.nodes").check(ctx, job.opt)
    local spec <close> = require("kubeque.job").spec(job, ctx)
    local done = require("kubeque.submit").submit(ctx, spec, true)
    if not (job.opt.no_nodes or job.opt.nodes == 0) then
      require("kubeque.nodes").ensure(ctx, done.id, job.opt.nodes, job.opt["local"])
    end
    return fault.check(queue.job_by_born(done.born))
  end)
end

---Waits until every task has ended.
---@param job any
---@param o table|nil timeout (seconds)
---@return boolean|nil succeeded did every task succeed?
function M.wait(job, o)
  misuse.keys("kubeque.queue.wait", o, { "timeout" })
  local timeout = misuse.seconds("kubeque.queue.wait: option timeout", o and o.timeout)
  return guarded(function()
    local row, ctx = row_of("wait", job), silent()
    local code, why = require("kubeque.progress").wait(ctx, { row }, { timeout = timeout,
      done_lines = false, silent = true })
    if why ~= "over" then
      fault.raise(why, why == "timeout" and row.id .. " is not over yet" or "interrupted")
    end
    return code == 0
  end)
end

---Stops a job, or some of its tasks.
---@param job any
---@param ranges string|nil "3-7,9"
---@return integer|nil count
function M.kill(job, ranges)
  return guarded(function()
    local row = row_of("kill", job)
    local count, needed = fault.check(kubeque.control.kill(row.born, ranges, false))
    if needed then
      require("kubeque.nodes").ensure(silent(), row.id)
    end
    return count
  end)
end

---Makes tasks pending again, as `kubeque reset` does; starts no node.
---@param job any
---@param o table|nil ranges, owner (a node), all (also complete tasks)
---@return integer|nil count
function M.reset(job, o)
  misuse.keys("kubeque.queue.reset", o, { "ranges", "owner", "all" })
  o = o or {}
  return guarded(function()
    local states = { "claimed", "failed", "killed" }
    if o.all then
      states = { "claimed", "failed", "killed", "complete", "succeeded" }
    end
    return fault.check(kubeque.control.reset(row_of("reset", job).born, { ranges = o.ranges,
      states = states, owner = o.owner }))
  end)
end

---Runs what did not succeed again, as `kubeque retry --no-wait` does.
---@param job any
---@param o table|nil resources, image, timeout, retries, keep_work, ranges
---@return integer|nil count
function M.retry(job, o)
  local options = {}
  for key, value in pairs(o or {}) do
    options[key] = value
  end
  local ranges = options.ranges
  options.ranges = nil
  local opt = require("kubeque.tableopt").read(require "builtin.commands.retry", options,
    { what = "kubeque.queue.retry", instead = { no_wait = "call kubeque.queue.wait() or do not",
      show = "read kubeque.results.stdout()", wait_timeout = "kubeque.queue.wait(job, {timeout = })" } })
  return guarded(function()
    local ctx, row = silent(), row_of("retry", job)
    local count = require("kubeque.again").reset(ctx, row, ranges, opt)
    if count > 0 then
      require("kubeque.nodes").ensure(ctx, row.id)
    end
    return count
  end)
end

for name, fn in pairs(M) do
  rawset(queue, name, fn)
end
return M
