-- kubeque.job{...}: a job in Lua. Its options are those of `kubeque sub`.
--
--   local fit = kubeque.job { command = "python3 ^fit.py {lr}", params = "grid.csv", push = "data" }
--   fit:submit():wait()
--   local best = fit:results("score.json"):min("loss")
--
-- kubeque.job "ID" is the job of that id (or LAST). In a recipe a job is a step: submit() finds what
-- an earlier run submitted (kubeque.steps).

local fault = require "kubeque.fault"
local misuse = require "kubeque.misuse"
local names = require "kubeque.names"

local M = {}

local methods = {}

local Job = { __name = "job" }

function Job.__index(_, key)
  if methods[key] then
    return methods[key]
  elseif key == "id" or key == "n" or key == "born" then
    misuse.raise("job: %s is known when it is submitted: call :submit()", key)
  elseif key ~= "name" and key ~= "wanted_id" and key ~= "rows" and key ~= "how" then
    misuse.raise("a job has no %s%s", tostring(key), names.hint(key,
      names.of(methods, { id = true, n = true, name = true })))
  end
end

function Job.__newindex(_, key)
  misuse.raise("job: %s cannot be set: options are given when a job is made, job{%s = ...}",
    tostring(key), tostring(key))
end

function Job.__tostring(self)
  return rawget(self, "id") or self.name or "job"
end

function M.is(value)
  return getmetatable(value) == Job
end

local function context()
  return require("kubeque.context").current()
end

local function recipe()
  return package.loaded["kubeque.recipe"] and require("kubeque.recipe").current
end

---@param t table|string the options of sub with `_` for `-`, `command`, `params`, `name`, `id`,
---`allow_failures`; or the id of a job that is there
---@return table job
function M.new(t)
  if type(t) == "string" then
    local ctx = context()
    local rec = require("kubeque.select").job(ctx, ctx:session() and t or t)
    return setmetatable({ opt = {}, id = rec.id, born = rec.born, n = rec.n, how = "there",
      allow_failures = false }, Job)
  end
  local job = require("kubeque.jobopt").read(t)
  job.wanted_id, job.id = job.id, nil
  local run = recipe()
  if run then
    run:note()
  end
  return setmetatable(job, Job)
end

-- ---- what it is now ----

---A dry run goes as far as what is there.
local function check_planned(self)
  if self.how == "planned" then
    kubeque.log.info(("what comes next depends on the results of %s"):format(self:title()))
    fault.raise("dry_run", "", 0)
  end
end

local function record(self)
  check_planned(self)
  local rec, why, code = kubeque.queue.job_by_born(self.born)
  if not rec and code == "not_found" then
    fault.raisef("not_found", "job %s is gone: somebody removed it (kubeque clean)", self.id)
  end
  return fault.check(rec, why, code)
end

---How messages call it.
function methods:title()
  local number = rawget(self, "number")
  return number and "step " .. (self.name or number) or "job " .. tostring(self)
end

---The job is over and every task succeeded.
---@return boolean
function methods:ok()
  local rec = record(self)
  return rec.state == "over" and require("kubeque.progress").succeeded(rec)
end

---How many tasks have each label: { ["complete(code=0)"] = 9, pending = 1 }.
---@return table
function methods:counts()
  return fault.check(kubeque.queue.counts(record(self).born))
end

-- ---- submitting ----

---What the job would be, for kubeque.submit.
---@return table spec to be closed
function M.spec(job, ctx)
  local opt, rows = job.opt, job.rows
  opt.name = opt.name or job.wanted_id
  if rows and opt.params then
    misuse.raise "job: a job has one source of parameters"
  end
  if #job.words == 0 and not (opt.commands or opt.file) then
    misuse.raise "job: option command is missing"
  end
  opt.params = rows and "-" or opt.params
  local spec = require("kubeque.spec").build(opt, job.words, ctx)
  if rows then
    opt.params, spec.path, spec.format = nil, nil, nil
    spec.spool = require("kubeque.submit").spool(rows)
  end
  return setmetatable(spec, { __close = function()
    if spec.spool then
      spec.spool:close()
    end
  end })
end

local function wants_nodes(self)
  return not (self.opt.no_nodes or self.opt.nodes == 0)
end

local function start_nodes(self, ctx)
  local opt = self.opt
  if wants_nodes(self) then
    require("kubeque.nodes").ensure(ctx, self.id, opt.nodes, opt["local"])
  end
end

---Stores the job and starts nodes, as `kubeque sub --no-wait` does.
---@return table self
function methods:submit()
  if rawget(self, "how") then
    misuse.raise("%s is submitted already", self:title())
  end
  local ctx, run = context(), recipe()
  ctx:session { create = not (run and run.dry_run) }
  if run and (self.opt.clean or self.opt.rerun) then
    misuse.raise("job: option %s: a recipe finds its steps by itself, and runs them anew with "
      .. "--fresh", self.opt.clean and "clean" or "rerun")
  elseif run then
    run:add(self)
  end
  require("kubeque.nodes").check(ctx, self.opt) -- a mistake comes before anything is done
  local spec <close> = M.spec(self, ctx)
  local done, how
  if run then
    done, how = require("kubeque.steps").submit(run, ctx, self, spec)
  else
    done, how = require("kubeque.submit").submit(ctx, spec, true), "new"
  end
  for key, value in pairs { id = done.id, n = done.n, born = done.born, how = how } do
    rawset(self, key, value)
  end
  if how == "new" or how == "again" then
    start_nodes(self, ctx)
  end
  return self
end

-- ---- waiting ----

---What the end of the job means for the script: true; nil and "failed"; or a fault.
local function outcome(self, rec, check)
  if require("kubeque.progress").succeeded(rec) then
    return true
  elseif check == false or self.allow_failures then
    return nil, "failed"
  end
  local counts = self:counts()
  local good, all = counts["complete(code=0)"] or 0, counts
  all["complete(code=0)"] = nil
  fault.raise("job", ("%s: %d of %d task%s did not succeed (%s): kubeque explain %s"):format(
    self:title(), rec.n - good, rec.n, rec.n == 1 and "" or "s",
    require("kubeque.progress").tasks_text(all), rec.id), 1)
end

---Reads the options of wait, wait_all and wait_any.
local function read_wait(what, o)
  misuse.keys(what, o, { "check", "show", "timeout" })
  o = o or {}
  misuse.choice(what .. ": option show", o.show, { "all", "any", "failed" })
  if o.check ~= nil and type(o.check) ~= "boolean" then
    misuse.raise("%s: option check: true or false expected, got a %s", what, type(o.check))
  end
  return { check = o.check, show = o.show,
    timeout = misuse.seconds(what .. ": option timeout", o.timeout) }
end

---Waits for some jobs; their records, or nil and why it ended sooner.
local function wait_for(list, o)
  local ctx, open, records = context(), {}, {}
  for i, job in ipairs(list) do
    rawset(job, "waited", true)
    records[i] = record(job)
    if records[i].state ~= "over" then
      open[#open + 1] = records[i]
    end
  end
  if #open > 0 and not (o.any and #open < #list) then
    local code, why = require("kubeque.progress").wait(ctx, open, { show = o.show, any = o.any,
      timeout = o.timeout, start_nodes = wants_nodes(list[1]) })
    if why == "interrupted" then
      fault.raise("interrupted", "", code)
    elseif why ~= "over" then
      return nil, why
    end
  end
  for i, job in ipairs(list) do
    records[i] = record(job)
    if records[i].state == "over" then
      fault.check(kubeque.results.settle(records[i]))
    end
  end
  return records
end

---Waits until every task has ended. A task that did not succeed ends the script, unless the job says
---`allow_failures = true` or `check = false` is given.
---@param o? table timeout (seconds or text), check, show ("all", "any", "failed")
---@return boolean|nil done true when all tasks succeeded
---@return string|nil why "failed" or "timeout"
function methods:wait(o)
  o = read_wait("wait", o)
  local records, why = wait_for({ self }, o)
  if not records then
    return nil, why
  end
  return outcome(self, records[1], o.check)
end

local function check_list(what, list)
  if M.is(list) then
    list = { list }
  elseif type(list) ~= "table" then
    misuse.raise("%s: a list of jobs expected, got a %s", what, type(list))
  end
  for i, job in ipairs(list) do
    if not M.is(job) then
      misuse.raise("%s: item %d is no job", what, i)
    end
  end
  return list
end

---Waits until all of some jobs are over, as job:wait() does for one.
---@param list table[] jobs
---@param o? table
---@return boolean|nil done
---@return string|nil why
function M.wait_all(list, o)
  list, o = check_list("wait_all", list), read_wait("wait_all", o)
  local records, why = wait_for(list, o)
  if not records then
    return nil, why
  end
  local all = true
  for i, job in ipairs(list) do
    all = outcome(job, records[i], o.check) and all
  end
  if not all then
    return nil, "failed"
  end
  return true
end

---Waits until one of some jobs is over.
---@param list table[] jobs
---@param o? table
---@return table|nil job the first of them that is over
---@return string|nil why "failed" beside the job, or "timeout"
function M.wait_any(list, o)
  list, o = check_list("wait_any", list), read_wait("wait_any", o)
  if #list == 0 then
    misuse.raise "wait_any: the list is empty"
  end
  o.any = true
  local records, why = wait_for(list, o)
  if not records then
    return nil, why
  end
  for i, job in ipairs(list) do
    if records[i].state == "over" then
      local _, failed = outcome(job, records[i], o.check)
      return job, failed
    end
  end
end

-- ---- what it left ----

local function need_over(self, what)
  local rec = record(self)
  if rec.state ~= "over" then
    misuse.raise("%s: %s is not over yet: wait for it first (:wait())", what, self:title())
  end
  return rec
end

---An iterator over the tasks: tables with the columns of tasks.csv (kq_task, kq_state, kq_exit_code,
---kq_seconds, ...) and the parameters.
---@param o? table state: one of pending, claimed, ended, succeeded, failed, killed, or a list
function methods:tasks(o)
  misuse.keys("tasks", o, { "state" })
  return require("kubeque.jobfiles").tasks(record(self), o and o.state)
end

---What the tasks that succeeded left, as a collection: parameters, columns of tasks.csv, and what
---`file` holds. A JSON object gives fields; a list, JSONL, CSV or TSV many rows; any other file
---`text`.
---@param file? string
---@param o? table missing = "skip": leave out tasks without the file; state as of tasks()
---@return table results
function methods:results(file, o)
  misuse.keys("results", o, { "missing", "state" })
  return require("kubeque.jobfiles").results(need_over(self, "results"), file, o or {})
end

---The output of a task.
---@param n? integer
---@return string text
function methods:stdout(n)
  return require("kubeque.jobfiles").stdout(record(self), n)
end

---Where a task's results are, or one file of them.
---@param n integer
---@param file? string
---@return string path
function methods:path(n, file)
  return require("kubeque.jobfiles").path(need_over(self, "path"), n, file)
end

---Files of all tasks as inputs of the next job: push = fit:outputs("*.json") gives it 1/a.json,
---2/a.json, ...
---@param ... string patterns; none: every output
---@return string[] specs
function methods:outputs(...)
  return require("kubeque.jobfiles").outputs(need_over(self, "outputs"), { ... })
end

---Copies results into a directory, as `kubeque fetch` does.
---@param dir string
---@param o? table flat, only, force, ranges
---@return table counts
function methods:fetch(dir, o)
  misuse.keys("fetch", o, { "flat", "only", "force", "ranges" })
  o = o or {}
  if dir ~= nil and type(dir) ~= "string" then
    misuse.raise("fetch: a directory expected, got a %s", type(dir))
  end
  check_planned(self)
  return require("kubeque.download").job(context(), record(self), o.ranges, { dest = dir,
    flat = o.flat, force = o.force, only = type(o.only) == "string" and { o.only } or o.only })
end

-- ---- changing it ----

---Stops the job, or some of its tasks.
---@param ranges? string "3-7,9"
---@return integer count tasks that were stopped
function methods:kill(ranges)
  check_planned(self)
  local count, needed = fault.check(kubeque.control.kill(self.born, ranges, false))
  if needed then
    require("kubeque.nodes").ensure(context(), self.id)
  end
  return count
end

---Runs what did not succeed again, as `kubeque retry` does; wait() then waits for it.
---@param o? table resources, image, timeout, retries, keep_work: for these tasks only
---@return table self
function methods:retry(o)
  local opt = require("kubeque.tableopt").read(require "builtin.commands.retry", o or {}, {
    what = "retry", instead = { no_wait = "leave :wait() out", show = ":wait{show = \"all\"}",
    wait_timeout = ":wait{timeout = ...}" } })
  local ctx = context()
  if require("kubeque.again").reset(ctx, record(self), nil, opt) > 0 then
    start_nodes(self, ctx)
  end
  return self
end

---What scripts know as kubeque.job.
function M.public(t)
  return M.new(t)
end

return M
