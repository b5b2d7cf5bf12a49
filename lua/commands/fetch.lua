-- Downloads results into a directory of the user.

local fault = require "kubeque.fault"

local function progress_line(ctx)
  if not require("kubeque.progress").terminal(ctx) then
    return nil
  end
  local next_draw = 0
  return function(files, bytes)
    local now = kubeque.time.mono()
    if now >= next_draw then
      kubeque.term.write_line(("%d files, %s"):format(files, kubeque.units.format_bytes(bytes)))
      next_draw = now + 0.2
    end
  end
end

local function plural(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

---Fetches the results of a job; also what `sub --fetch` does at the end. Raises what went wrong.
local function fetch(ctx, job, ranges, o)
  local dest = o.dest or job.id
  local done, why, code = kubeque.fetch(job.born, { dest = dest, flat = o.flat or false,
    only = o.only, ranges = ranges, force = o.force or false, progress = progress_line(ctx) })
  if not done and code == "interrupted" then
    kubeque.term.clear()
    kubeque.log.info(("Interrupted: what is there stays, kubeque fetch %s goes on"):format(job.id))
    fault.raise("interrupted", "")
  end
  fault.check(done, why, code)
  kubeque.term.clear()
  if not ctx.quiet then
    kubeque.log.info(("Fetched %s of %s into %s: %s (%s)%s"):format(plural(done.tasks, "task"),
      job.id, dest, plural(done.files, "file"), kubeque.units.format_bytes(done.bytes),
      done.skipped > 0 and ", " .. done.skipped .. " were there already" or ""))
    if done.pending > 0 then
      kubeque.log.info(("%s not ended yet: fetch again for what is missing"):format(
        done.pending == 1 and "1 task has" or done.pending .. " tasks have"))
    end
  end
  return done
end

local function run(opt, args, ctx)
  ctx:session()
  local job, ranges = require("kubeque.select").job(ctx, args[1])
  fetch(ctx, job, ranges, opt)
end

return {
  name = "fetch",
  summary = "download the results of a job",
  usage = "fetch JOB [options]",
  description = "Results of task N go to DIR/N/, with stdout.txt and result.json; DIR/tasks.csv "
    .. "lists every task. What is there already and equal is kept, what differs is replaced; files "
    .. "that were never ours are left alone. JOB.3-7 fetches only these tasks.",
  options = {
    { "dest", "d", value = "DIR", help = "where to (default: a directory named as the job)" },
    { "flat", help = "outputs under their own paths, without a directory for each task" },
    { "only", value = "GLOB", many = true, help = "only files that match" },
    { "force", help = "replace what another job, or somebody else, left in DIR" },
  },
  args = { { "JOB" } },
  run = run,
  fetch = fetch,
}
