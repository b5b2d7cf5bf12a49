-- Submitting: what `sub` does between its command line and waiting. Lines that C reports become the
-- lines of the contract, in its order; many of a kind fold into one.

local fault = require "kubeque.fault"

local M = {}

local FILES = 20   -- more files than this fold into one line
local BATCHES = 10 -- more batches than this fold into one line
local REDRAW = 0.2

local function bytes(n)
  return kubeque.units.format_bytes(n)
end

---What an event of kubeque.submit becomes: on[kind](reporter, text, n, size).
local on = {}

---Handles the events of kubeque.submit; `live`: on a line that is drawn again and again.
local Reporter = {}
Reporter.__index = Reporter

local function reporter(ctx, live)
  return setmetatable({ live = live, quiet = ctx.quiet, next_draw = 0, files = 0, uploaded = 0,
    uploaded_bytes = 0, present = 0, batches = {} }, Reporter)
end

function Reporter:event(kind, text, n, size)
  if on[kind] then
    on[kind](self, text, n, size)
  end
end

function Reporter:log(format, ...)
  if not self.quiet then
    kubeque.log.info(format:format(...))
  end
end

function Reporter:draw(format, ...)
  local now = kubeque.time.mono()
  if self.live and now >= self.next_draw then
    self.next_draw = now + REDRAW
    kubeque.term.write_line(format:format(...))
  end
end

function Reporter:clear()
  if self.live then
    kubeque.term.clear()
  end
end

---One input more: a line of its own, or one for all when they are many.
function Reporter:input(text, line)
  if self.files <= FILES then
    self:log("%s", line)
  else
    self:draw("Inputs: %d of %d files, %s", self.uploaded + self.present, self.files, text)
  end
end

function on.warning(_, text)
  kubeque.log.warn(text)
end

function on.policy(r, text)
  r:log("Changed by its policy: %s", text)
end

function on.inputs(r, _, n)
  r.files = n
end

function on.directory(r, text, n, size)
  r:log("Uploading %d files (%d bytes) from %s", n, size, text)
end

function on.present(r, text, n)
  r.present = r.present + n
  r:input(text, "Already in CAS cache, skipping upload of " .. text)
end

function on.uploaded(r, text, n, size)
  r.uploaded, r.uploaded_bytes = r.uploaded + n, r.uploaded_bytes + size
  r:input(text, ("Uploading %s (%d bytes)"):format(text, size))
end

function on.submitting(r, text)
  if r.files > FILES then
    r:clear()
    r:log("Uploaded %d files (%d bytes), %d already in CAS cache", r.uploaded, r.uploaded_bytes,
      r.present)
    r.files = 0
  end
  r:log("Submitting job with id: %s", text)
end

function on.progress(r, _, n)
  r:draw("%d tasks stored", n)
end

function on.batch(r, _, n)
  r.batches[#r.batches + 1] = n
end

function on.saved(r, _, n)
  r:clear()
  if #r.batches > BATCHES then
    r:log("Saved %d task definition batches containing %d tasks", #r.batches, n)
  else
    for _, count in ipairs(r.batches) do
      r:log("Saved task definition batch containing %d tasks", count)
    end
  end
  r:log("Saved job definition with %d tasks", n)
end

function on.kept(r, _, n)
  if n == 1 then
    r:log "1 task keeps its result"
  else
    r:log("%d tasks keep their results", n)
  end
end

function on.kept_changed(r, _, n)
  r:log("%d of these results %s made by another command or with other inputs", n,
    n == 1 and "was" or "were")
end

local function interrupted()
  kubeque.log.info("Interrupted, nothing was submitted")
  fault.raise("interrupted", "")
end

---Makes the rows of a params object once, for `spool` of kubeque.submit.
function M.spool(params)
  local spool, message, code = kubeque.spool(params)
  if not spool and code == "interrupted" then
    interrupted()
  end
  return fault.check(spool, message, code)
end

local in_use = "use another name, or --clean to replace it, or --rerun to run what did not succeed"

---Submits. Returns what kubeque.submit returns; raises what went wrong. `script`: a script does it,
---so a refusal is one fault and nothing is printed of it.
function M.submit(ctx, spec, script)
  local live = not ctx.quiet and kubeque.term.isatty(2)
    and require("kubeque.progress").terminal(ctx)
  local report = reporter(ctx, live)
  spec.event = function(...)
    report:event(...)
  end
  local done, message, code = kubeque.submit(spec)
  report:clear()
  if done then
    if done.n > 1000 and not spec.dry_run then
      M.check_space(ctx, done.n, spec.outputs)
    end
    return done
  end
  if code == "interrupted" then
    interrupted()
  elseif code == "conflict" and not script and message:find("^Existing job with id") then
    kubeque.log.error("kubeque sub: " .. message)
    kubeque.log.error(in_use)
    fault.raise("conflict", "")
  end
  fault.raise(code, message)
end

---Warns when the results' file system may be too small for that many tasks (`outputs` other than
---all: not every task leaves something). Returns free bytes, inodes and the directory.
function M.check_space(ctx, tasks, outputs)
  local dir = ctx.config.default_url_prefix
  while not kubeque.fs.stat(dir) and dir ~= "/" do
    dir = dir:match("^(.+)/[^/]*$") or "/"
  end
  local free, inodes = kubeque.fs.free(dir)
  if not free then
    return nil
  end
  if outputs == "failed" or outputs == "none" then
    return free, inodes, dir
  end
  if inodes and inodes < 3 * tasks then
    kubeque.log.warn(("%s has %d free inodes for the results of %d tasks, which need 3 each: "
      .. "--outputs failed makes fewer directories"):format(dir, inodes, tasks))
  end
  if free < 8192 * tasks then
    kubeque.log.warn(("%s has %s free for the results of %d tasks, which need at least 8 KiB each")
      :format(dir, bytes(free), tasks))
  end
  return free, inodes, dir
end

---What --dry-run prints.
function M.print_plan(ctx, spec, plan, nodes_text)
  local free, inodes, dir = M.check_space(ctx, plan.n, spec.outputs)
  local out = kubeque.out
  out(("job:     %s\n"):format(plan.id))
  out(("tasks:   %d\n"):format(plan.n))
  if spec.words and spec.words[1] then
    out(("command: %s\n"):format(table.concat(spec.words, " ")))
  end
  out(("inputs:  %d files, %d bytes; to upload: %d files, %d bytes\n"):format(plan.files,
    plan.bytes, plan.upload_files, plan.upload_bytes))
  out(("nodes:   %s\n"):format(nodes_text))
  out("price:   0 (this machine)\n")
  out(("results: %s/%s\n"):format(ctx.config.default_url_prefix, plan.id))
  if free then
    out(("space:   %d bytes and %s inodes free in %s\n"):format(free,
      inodes and tostring(inodes) or "unlimited", dir))
  end
end

return M
