-- Selectors: JOB, LAST, PATTERN, JOB.N and JOB.3-7,9.
--
-- A task part is what follows the last dot if it is only digits, `,` and `-`; no job id ends so.

local fault = require "kubeque.fault"

local M = {}

---Splits a selector: name (id, LAST or glob) and ranges text or nil.
function M.split(text)
  local name, ranges = text:match("^(.*)%.([%d,%-]*%d[%d,%-]*)$")
  if not name then
    return text
  end
  local ok, why = kubeque.ranges(ranges)
  if not ok then
    fault.raisef("usage", "%s: %s", text, why)
  end
  return name, ranges
end

function M.is_glob(text)
  return text:find("[*?%[]") ~= nil
end

local function no_job(name)
  if name == "LAST" then
    fault.raise("not_found", "there is no LAST job: you submitted none from this machine")
  end
  fault.raisef("not_found", "no job %s (kubeque list shows all)", name)
end

local function find(ctx, name)
  local job, why, code
  if ctx.opened then
    job, why, code = kubeque.queue.job(name)
  end
  if job then
    return job
  elseif why and code ~= "not_found" then
    fault.raise(code, why)
  end
  no_job(name)
end

---Raises unless the job has every task of the ranges.
local function check_ranges(job, ranges)
  local list = ranges and kubeque.ranges(ranges) or {}
  for _, range in ipairs(list) do
    if range[1] > job.n or range[2] > job.n and range[2] < math.maxinteger then
      fault.raisef("not_found", "no task %s.%d: the job has tasks 1 to %d", job.id,
        math.max(range[1], job.n + 1), job.n)
    end
  end
end

local function refuse_ranges(text, name, ranges)
  if ranges then
    fault.raisef("usage", "%s: tasks cannot be chosen here, only whole jobs: %s", text, name)
  end
end

---The one job that JOB or JOB.RANGES names. Exit 3 when there is none, or no such task.
---`whole`: JOB.RANGES is refused.
function M.job(ctx, text, whole)
  local name, ranges = M.split(text)
  if name == "" then
    fault.raisef("usage", '"%s" names no job', text)
  elseif M.is_glob(name) then
    fault.raisef("usage", "%s: one job is needed here, not a pattern", text)
  end
  local job = find(ctx, name)
  if whole then
    refuse_ranges(text, name, ranges)
  end
  check_ranges(job, ranges)
  return job, ranges
end

---The one task that JOB.N names; `JOB` alone is its only task.
function M.task(ctx, text)
  local job, ranges = M.job(ctx, text)
  local n = ranges and math.tointeger(tonumber(ranges))
  if not n and (ranges or job.n ~= 1) then
    fault.raisef("usage", "%s: one task is needed here: %s.N, N from 1 to %d", text, job.id, job.n)
  end
  return job, n or 1
end

---An iterator over jobs, newest first, read a page at a time. `filter` as of kubeque.queue.jobs.
function M.each_job(ctx, filter)
  local page, at, before = {}, 0, nil
  local function read()
    local ask = { limit = 500, before = before }
    for key, value in pairs(filter or {}) do
      ask[key] = value
    end
    page, at = fault.check(kubeque.queue.jobs(ask)), 0
  end
  local done = not ctx.opened
  return function()
    if done then
      return nil
    end
    if at == #page then
      if before and #page < 500 then
        done = true
        return nil
      end
      read()
      if #page == 0 then
        done = true
        return nil
      end
      before = page[#page].bound
    end
    at = at + 1
    return page[at]
  end
end

---All jobs that PATTERN names, and the ranges behind it. An id or LAST that does not exist is
---exit 3, as is a task that it does not have; a glob without match gives an empty list. nil:
---every job. `whole`: ranges are refused.
function M.jobs(ctx, pattern, whole)
  local name, ranges = nil, nil
  if pattern then
    name, ranges = M.split(pattern)
    if whole then
      refuse_ranges(pattern, name, ranges)
    end
    if not M.is_glob(name) then
      local job = find(ctx, name)
      check_ranges(job, ranges)
      return { job }, ranges
    end
  end
  local list = {}
  for job in M.each_job(ctx, { pattern = name }) do
    list[#list + 1] = job
  end
  return list, ranges
end

---The same; says so when there is none.
function M.some_jobs(ctx, pattern, whole)
  local list, ranges = M.jobs(ctx, pattern, whole)
  if #list == 0 and not ctx.quiet then
    kubeque.log.info(('no job matches "%s"'):format(pattern))
  end
  return list, ranges
end

---An iterator over the tasks of a job, read a page at a time. `filter`: ranges, states, label.
function M.each_task(job, filter)
  local page, at, after, done = {}, 0, 0, false
  local ask = { limit = 1000 }
  for key, value in pairs(filter or {}) do
    ask[key] = value
  end
  return function()
    if at == #page and not done then
      ask.after = after
      page, at = fault.check(kubeque.queue.tasks(job.born, ask)), 0
      done = #page < ask.limit
      after = #page > 0 and page[#page].n or after
    end
    at = at + 1
    return page[at]
  end
end

return M
