-- The steps of a recipe: jobs that are recognised when the recipe runs again.
--
-- A step is what its job is about: the digest that kubeque.submit makes of command, rows, content
-- of inputs, environment given with it, directory, image, patterns of results and policy. It stands
-- in the job's info, and its first digits in the job's id; so of two recipes that submit the same
-- step at once one makes the job and the other finds it, and nothing else has to be kept.

local fault = require "kubeque.fault"

local M = {}

---A name as a part of a job id.
---@param text string
function M.id_part(text)
  return (text:gsub("[^%w_-]+", "-"):gsub("^[-_]+", ""):sub(1, 32):gsub("[-_]+$", ""))
end

local function say(ctx, format, ...)
  if not ctx.quiet then
    kubeque.log.info(format:format(...))
  end
end

---The digest of what a specification is about. Stores nothing.
local function content_of(spec)
  spec.id, spec.dry_run, spec.content = nil, true, true
  local done, why, code = kubeque.submit(spec)
  spec.dry_run, spec.content = nil, nil
  return fault.check(done, why, code).content
end

---The digest that a job has as a step.
---@param job table the job object
---@param ctx table
---@return string key
function M.key(job, ctx)
  local spec <close> = require("kubeque.job").spec(job, ctx)
  return content_of(spec)
end

---Ids a step may have: the first one will do, but for two steps of one name with equal digits.
local function ids_of(recipe, job, key)
  if job.wanted_id then
    return { job.wanted_id }
  end
  local base, part = recipe.name, job.name and M.id_part(job.name)
  if part and part ~= "" then
    base = part == base and base or base .. "-" .. part
  else
    local count = (recipe.unnamed[key] or 0) + 1 -- the same step twice in one run
    recipe.unnamed[key] = count
    base = count > 1 and base .. "-" .. count or base
  end
  return { base .. "-" .. key:sub(1, 8), base .. "-" .. key:sub(1, 16), base .. "-" .. key:sub(1, 32) }
end

---The job that is this step, nil when there is none yet; second: the id it would get.
local function find(ctx, ids, key)
  for _, id in ipairs(ids) do
    if not ctx.opened then -- a dry run on a machine without a store
      return nil, id
    end
    local job, why, code = kubeque.queue.job(id)
    if not job and code ~= "not_found" then
      fault.raise(code, why)
    elseif not job or job.info.step == key then
      return job, id
    end
  end
  fault.raisef("conflict", "job %s is there and is no run of this step: give the step another name "
    .. "or id, or remove the job: kubeque clean %s", ids[1], ids[1])
end

---Did the step come to its end: all tasks succeeded, or what failed is allowed to?
local function is_done(job, allow_failures)
  if require("kubeque.progress").succeeded(job) then
    return true
  end
  local counts = fault.check(kubeque.queue.counts(job.born))
  return allow_failures and not counts.killed
end

---Goes on with the job of an earlier run, or of one at this moment.
local function attach(recipe, ctx, job, rec)
  if rec.state ~= "over" then
    say(ctx, "%s: running already: %s", job:title(), rec.id)
    return rec, recipe.dry_run and "planned" or "open"
  elseif is_done(rec, job.allow_failures) then
    say(ctx, "%s: done already: %s", job:title(), rec.id)
    return rec, "done"
  elseif recipe.dry_run then
    say(ctx, "%s: what did not succeed would run again: %s", job:title(), rec.id)
    return rec, "planned"
  end
  local count = require("kubeque.again").reset(ctx, rec, nil, job.opt)
  if count == 0 then -- another run of the recipe was first
    say(ctx, "%s: running already: %s", job:title(), rec.id)
    return rec, "open"
  end
  say(ctx, "%s: %d task%s run%s again: %s", job:title(), count, count == 1 and "" or "s",
    count == 1 and "s" or "", rec.id)
  return rec, "again"
end

local function submit(ctx, spec, id, key, recipe, replace)
  local info = fault.check(kubeque.json.decode(spec.info))
  info.step, info.recipe = key, recipe.name
  spec.id, spec.info, spec.mode = id, kubeque.json.encode(info), replace and "clean" or "new"
  local ok, done = pcall(require("kubeque.submit").submit, ctx, spec, true)
  if ok then
    return done
  end
  local f = fault.of(done)
  if f and f.code == "conflict" and not replace then
    return nil -- somebody else was first
  end
  error(done, 0)
end

---Submits the job of a step, or finds it.
---@param recipe table kubeque.recipe's state of the run
---@param ctx table
---@param job table the job object
---@param spec table for kubeque.submit
---@return table record at least id, born, n
---@return string how "new", "open", "done", "again", "planned"
function M.submit(recipe, ctx, job, spec)
  local key = content_of(spec)
  local ids = ids_of(recipe, job, key)
  while true do
    local rec, id = find(ctx, ids, key)
    local replace = rec and recipe.fresh and not recipe.made[id]
    if rec and not replace then
      return attach(recipe, ctx, job, rec)
    elseif recipe.dry_run then
      spec.dry_run = true
      local plan = require("kubeque.submit").submit(ctx, spec, true)
      say(ctx, "%s: %d task%s would run: %s", job:title(), plan.n, plan.n == 1 and "" or "s", id)
      return { id = id, n = plan.n }, "planned"
    end
    local done = submit(ctx, spec, id, key, recipe, replace)
    if done then
      recipe.made[id] = true
      return done, "new"
    end
  end
end

return M
