-- Forgets jobs all of whose tasks have ended; with --results deletes what they left, with --cas
-- removes content that nothing refers to.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

local DEFAULT_AGE <const> = 7 * 86400
local LEAST_AGE <const> = 3600

local function bytes(n)
  return kubeque.units.format_bytes(n)
end

local function clean_cas(opt)
  local age = opt.older or DEFAULT_AGE
  if age < LEAST_AGE then
    fault.raise("usage", "option --older: at least 1h, so that no submission in progress is hurt")
  end
  local done = fault.check(kubeque.clean.cas { older = age, dry_run = opt.dry_run or false })
  kubeque.log.info(("%s %d objects (%s) from the CAS"):format(
    opt.dry_run and "Would remove" or "Removed", done.objects, bytes(done.bytes)))
end

---What dead nodes and killed writers left behind goes with any clean.
local function clean_leftovers(opt)
  if not opt.dry_run then
    fault.check(kubeque.clean.work_dirs())
  end
end

local function is_running(job)
  return (fault.check(kubeque.queue.counts(job.born)).claimed or 0) > 0
end

---The jobs to forget. Named ones must be there; of a pattern only ended ones, with --force also
---those that wait.
local function chosen(opt, pattern, ctx)
  local name = pattern and select.split(pattern)
  local named = name and not select.is_glob(name)
  local list, kept = {}, 0
  for _, job in ipairs((select.jobs(ctx, pattern, true))) do
    if named or job.state == "over" or opt.force and not is_running(job) then
      list[#list + 1] = job
    else
      kept = kept + 1
    end
  end
  return list, kept
end

---Asks before results are deleted. On a terminal only; elsewhere --yes is needed.
local function confirm(opt, what)
  if opt.yes or opt.dry_run then
    return
  elseif not (kubeque.term.isatty(0) and kubeque.term.isatty(2)) then
    fault.raise("usage", "option --results deletes results for good: add --yes")
  end
  io.stderr:write(("Delete the results of %s for good? [y/N] "):format(what))
  if not kubeque.term.wait_line() then
    io.stderr:write "\n"
    fault.raise("interrupted", "nothing was deleted")
  end
  local answer = io.read "l"
  if not answer or not answer:lower():match "^y" then
    fault.raise("usage", "nothing was deleted")
  end
end

---Results of a job that is forgotten already.
local function clean_forgotten(opt, id)
  local found = fault.check(kubeque.clean.results(id, { dry_run = true }))
  if found.files == 0 then
    return false
  end
  confirm(opt, id)
  if not opt.dry_run then
    fault.check(kubeque.clean.results(id, { dry_run = false }))
  end
  kubeque.log.info(("%s: %s results of a forgotten job, %d files (%s)"):format(id,
    opt.dry_run and "would delete" or "deleted", found.files, bytes(found.bytes)))
  return true
end

local function what(jobs)
  return #jobs == 1 and jobs[1].id or #jobs .. " jobs"
end

local function remove(opt, jobs)
  local count = 0
  for _, job in ipairs(jobs) do
    local size = ""
    if opt.dry_run then
      local used = fault.check(kubeque.clean.results(job.id, { dry_run = true }))
      size = (", %d files (%s)%s"):format(used.files, bytes(used.bytes),
        opt.results and "" or " of results stay")
    else
      fault.check(kubeque.control.remove(job.born, { results = opt.results or false,
        force = opt.force or false }))
    end
    count = count + 1
    if opt.quiet then
      kubeque.out(job.id .. "\n")
    else
      kubeque.log.info(("%s: %s, %d task%s%s"):format(job.id,
        opt.dry_run and "would be forgotten" or "forgotten", job.n, job.n == 1 and "" or "s", size))
    end
  end
  return count
end

---A dry run says what the real one would: an open job that is named is refused.
local function check_dry(opt, jobs)
  for _, job in ipairs(opt.dry_run and jobs or {}) do
    local counts = fault.check(kubeque.queue.counts(job.born))
    local running, waiting = counts.claimed or 0, counts.pending or 0
    if running > 0 then
      fault.raisef("conflict", "job %s has %d running task%s: kill it first (kubeque kill %s)",
        job.id, running, running == 1 and "" or "s", job.id)
    elseif job.state ~= "over" and not opt.force then
      fault.raisef("conflict", "job %s has %d task%s that still wait%s: --force forgets %s "
        .. "nevertheless", job.id, waiting, waiting == 1 and "" or "s", waiting == 1 and "s" or "",
        waiting == 1 and "it" or "them")
    end
  end
end

local function run(opt, args, ctx)
  if not ctx:session() then
    if args[1] and not select.is_glob(args[1]) then
      select.jobs(ctx, args[1])
    end
    kubeque.log.info "Cleaned 0 jobs"
    return
  end
  if opt.cas then
    if opt.results or opt.force then
      fault.raise("usage", "option --cas removes content that no job refers to: it goes without "
        .. "--results and --force")
    elseif args[1] then
      fault.raise("usage", "option --cas takes no PATTERN: the CAS is shared by all jobs")
    end
    clean_cas(opt)
    clean_leftovers(opt)
    return
  elseif opt.older then
    fault.raise("usage", "option --older goes with --cas")
  end
  local pattern = args[1]
  if opt.results and pattern and pattern ~= "LAST" and not select.is_glob(pattern)
    and not kubeque.queue.job(pattern) and clean_forgotten(opt, pattern) then
    clean_leftovers(opt)
    return
  end
  local jobs, kept = chosen(opt, pattern, ctx)
  check_dry(opt, jobs)
  if opt.results and #jobs > 0 then
    confirm(opt, what(jobs))
  end
  local count = remove(opt, jobs)
  clean_leftovers(opt)
  if not opt.quiet then
    kubeque.log.info(("%s %d job%s%s"):format(opt.dry_run and "Would clean" or "Cleaned", count,
      count == 1 and "" or "s",
      kept > 0 and (", kept %d with tasks that have not ended"):format(kept) or ""))
  end
end

return {
  name = "clean",
  summary = "forget jobs that have ended; remove results or unused content",
  usage = "clean [PATTERN] [options]",
  description = "Outputs are not deleted, unless --results. A job with waiting tasks needs "
    .. "--force; one with running tasks must be killed first. Work directories that dead nodes "
    .. "left behind go with any clean.",
  options = {
    { "force", help = "also jobs with tasks that wait" },
    { "dry-run", "dryrun", help = "only say what would be done" },
    { "results", help = "delete their results as well, for good (a forgotten job's by its id)" },
    { "yes", "y", help = "do not ask" },
    { "cas", help = "remove content that no remembered job refers to and nobody used for AGE" },
    { "older", value = "AGE", type = "duration", help = "AGE for --cas (default 7d, at least 1h)" },
  },
  args = { { "PATTERN", optional = true } },
  run = run,
}
