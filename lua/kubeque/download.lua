-- Fetching the results of a job with what is said about it: `kubeque fetch` and `sub --fetch`.

local fault = require "kubeque.fault"

local M = {}

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

---Fetches the results of a job; options: dest, flat, only, force. Raises what went wrong.
function M.job(ctx, job, ranges, o)
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

return M
