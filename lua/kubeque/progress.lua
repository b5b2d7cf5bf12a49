-- Waiting for jobs: what sub, retry, watch and status --wait do until the last task has ended.
--
-- wait(ctx, jobs, o) returns an exit status and why it ended ("over", "timeout", "interrupted",
-- "gone"). o:
--   show         "all", "any" or "failed": copy the output of ended tasks to stdout
--   timeout      seconds (--wait-timeout)
--   any          until one of them is over, not all
--   start_nodes  false: only say that no node is there, do not start one
--   done_lines   false: without the closing lines about results
--   silent       also no word about an interruption or a timeout
--
-- Status lines: on a terminal one live line; else `Tasks:` and `Nodes:` when they changed, at most
-- one a second in the first ten seconds, then one every ten, and always the last.

local fault = require "kubeque.fault"
local nodes = require "kubeque.nodes"

local M = {}

local NO_NODE = 10    -- seconds without a node until one is started
local REDRAW = 0.2    -- seconds between two drawings of the live line

local function say(w, text)
  if not w.ctx.quiet then
    kubeque.log.info(text)
  end
end

---"complete(code=0): 3, pending: 2", sorted by bytes. `colour`: what failed is red.
function M.tasks_text(counts, colour)
  local parts = {}
  for label, count in pairs(counts) do
    if count > 0 then
      parts[#parts + 1] = { label, M.label_text(label, ("%s: %d"):format(label, count), colour) }
    end
  end
  table.sort(parts, function(a, b) return a[1] < b[1] end)
  for i, part in ipairs(parts) do
    parts[i] = part[2]
  end
  return parts[1] and table.concat(parts, ", ") or "(no tasks)"
end

---May what goes to descriptor `fd` have colour? NO_COLOR: no; FORCE_COLOR: yes, piped or not.
function M.colour(fd)
  local no, force = os.getenv "NO_COLOR" or "", os.getenv "FORCE_COLOR" or ""
  if no ~= "" then
    return false
  elseif force ~= "" then
    return force ~= "0"
  end
  return kubeque.term.isatty(fd) and os.getenv "TERM" ~= "dumb"
end

---A label as people see it: red where something did not succeed.
function M.label_text(label, text, colour)
  local good = label == "complete(code=0)" or label == "pending" or label == "claimed"
  return colour and not good and "\27[31m" .. text .. "\27[0m" or text
end

---Is the live line wanted, and may it have colour?
function M.terminal(ctx)
  local live = not ctx.plain and not ctx.quiet and kubeque.term.isatty(2)
    and os.getenv "TERM" ~= "dumb"
  return live, live and M.colour(2)
end

---Did every task of an ended job succeed?
function M.succeeded(job)
  local counts = fault.check(kubeque.queue.counts(job.born))
  local good = counts["complete(code=0)"] or 0
  if good == job.n then
    return true
  end
  local bad = fault.check(kubeque.queue.tasks(job.born, { states = { "failed", "killed" },
    limit = 1 }))
  return #bad == 0
end

-- ---- looking ----

---Reads the jobs that are not over and adds up their counts.
local function look(w)
  local counts, total, over = {}, 0, 0
  for _, entry in ipairs(w.jobs) do
    if not entry.over then
      local job = kubeque.queue.job_by_born(entry.job.born)
      if not job then
        w.gone = entry.job.id
        return
      end
      entry.over = job.state == "over"
      entry.job = job
      entry.counts = fault.check(kubeque.queue.counts(job.born))
    end
    over = over + (entry.over and 1 or 0)
    total = total + entry.job.n
    for label, count in pairs(entry.counts) do
      counts[label] = (counts[label] or 0) + count
    end
  end
  w.counts, w.total = counts, total
  w.open = over < (w.o.any and 1 or #w.jobs)
  w.pending, w.running = counts.pending or 0, counts.claimed or 0
  w.ended = total - w.pending - w.running
  w.good = counts["complete(code=0)"] or 0
end

local function look_at_nodes(w, now)
  if now < (w.next_nodes or 0) and w.open then
    return
  end
  w.next_nodes = now + 0.25
  w.by_state, w.live_nodes = nodes.counts(
    fault.check(kubeque.queue.nodes(w.ctx.config.cluster_name)))
end

---Tasks a second over the last ten seconds, and the time left at that rate.
local function measure(w, now)
  local samples = w.samples
  local last = samples[#samples]
  if not last or now - last.t >= 0.5 then
    samples[#samples + 1] = { t = now, ended = w.ended }
  end
  while #samples > 2 and now - samples[2].t >= 10 do
    table.remove(samples, 1)
  end
  local span = now - samples[1].t
  local done = w.ended - samples[1].ended
  w.rate = span >= 0.5 and done > 0 and done / span or nil
  w.left = w.rate and (w.total - w.ended) / w.rate or nil
end

---Text of a recent failure, for the live line; looked up when there are new ones.
local function find_failure(w, now)
  local bad = w.ended - w.good
  if bad == (w.bad_seen or 0) or now < (w.next_failure or 0) then
    return
  end
  w.bad_seen = bad
  for _, entry in ipairs(w.jobs) do
    local list = kubeque.queue.tasks(entry.job.born, { states = { "failed", "killed" },
      after = entry.failed_at or 0, limit = 100 })
    local task = list and list[#list]
    if task then
      entry.failed_at = task.n
      local name = #w.jobs > 1 and ("%s.%d"):format(entry.job.id, task.n) or "task " .. task.n
      w.failure = name .. " " .. task.label
    end
  end
  w.next_failure = now + math.max(2, 50 * (kubeque.time.mono() - now))
end

-- ---- telling ----

local function draw(w, now)
  if now < (w.next_draw or 0) then
    return
  end
  w.next_draw = now + REDRAW
  measure(w, now)
  find_failure(w, now)
  kubeque.term.write_line(require("kubeque.live").line({ total = w.total, ended = w.ended,
    bad = w.ended - w.good, running = w.running, pending = w.pending, nodes = w.live_nodes,
    rate = w.rate, left = w.left, failure = w.failure }, kubeque.term.live_width(), w.colour))
end

---Prints the two status lines if they changed and it is time.
local function print_lines(w, now, last)
  if not last and now < (w.next_lines or 0) then
    return
  end
  local tasks, cluster = M.tasks_text(w.counts), nodes.text(w.by_state)
  if tasks == w.tasks_line and cluster == w.nodes_line then
    return
  end
  if tasks ~= w.tasks_line then
    say(w, "Tasks: " .. tasks)
  end
  if cluster ~= w.nodes_line then
    say(w, "Nodes: " .. cluster)
  end
  w.tasks_line, w.nodes_line = tasks, cluster
  w.next_lines = now + (now - w.begun < 10 and 1 or 10)
end

local function report(w, now, last)
  if w.live and not last then
    draw(w, now)
  else
    if w.live then
      kubeque.term.clear()
    end
    print_lines(w, now, last)
  end
end

local function show(w, now, last)
  if not w.copiers or not last and now < (w.next_show or 0) then
    return
  end
  local before = kubeque.time.mono()
  if w.live then
    kubeque.term.clear()
  end
  for _, copy in ipairs(w.copiers) do
    copy()
  end
  kubeque.out()
  w.next_show = before + math.max(0.05, 10 * (kubeque.time.mono() - before))
end

-- ---- nodes ----

---Starts a node when tasks have been waiting without one for a while, or says that none is there.
local function mind_nodes(w, now)
  if w.pending == 0 or w.live_nodes > 0 then
    w.lonely = nil
    return
  end
  w.lonely = w.lonely or now
  if now - w.lonely < w.patience then
    return
  end
  w.lonely = now
  w.patience = math.min(300, w.patience * 2)
  local id = w.jobs[1].job.id
  local known, here = pcall(nodes.is_local, w.ctx) -- a broken provider does not end the waiting
  if w.o.start_nodes == false or not known or not here then
    if not w.hinted then
      local why = known and nodes.why_none(w.ctx) or not known and tostring(here) or nil
      say(w, ("No node is running for this job%s: kubeque addnodes %s 1"):format(
        why and " (" .. why .. ")" or "", id))
      w.hinted = true
    end
    return
  end
  local count = nodes.target(w.jobs[1].job, 0)
  if count < 1 then
    say(w, ("The policy of job %s wants no node now"):format(id))
    return
  end
  say(w, "Adding initial node for cluster")
  nodes.add(w.ctx, { count = count, first = true, job = id })
end

---Looks for dead nodes, as every waiting client does.
local function reap(w, now)
  if now < w.next_reap then
    return
  end
  local _, next_look = kubeque.reap { lease = w.ctx.config.lease }
  w.next_reap = now + math.max(0.5, next_look or w.ctx.config.lease / 3)
end

-- ---- the loop ----

local function interrupted(w)
  local id = w.jobs[1].job.id
  if w.live then
    kubeque.term.clear()
  end
  if not w.o.silent then
    kubeque.log.info("Interrupted -- Exiting, but your job will continue to run unaffected.")
    kubeque.log.info(("Watch it: kubeque watch %s   Stop it: kubeque kill %s"):format(id, id))
  end
  return 130, "interrupted" -- the program says 143 or 129 where another signal came
end

local function done(w)
  local code = 0
  for _, entry in ipairs(w.jobs) do
    if not entry.over then
      goto continue
    end
    kubeque.results.settle(entry.job) -- the node may be a moment behind the queue
    require("kubeque.deliver").tell(entry.job) -- its node may have died before it did
    if entry.job.stopped then
      say(w, ("Job %s was stopped by its policy: %s"):format(entry.job.id, entry.job.stopped))
    end
    if w.o.done_lines ~= false then
      say(w, "Done waiting for job to complete, results written to "
        .. kubeque.results.dir(entry.job))
      say(w, ("You can download results via 'kubeque fetch %s'"):format(entry.job.id))
    end
    if not M.succeeded(entry.job) then
      code = 1
    end
    ::continue::
  end
  local only = w.jobs[1].job
  if #w.jobs == 1 and only.n == 1 and not w.copiers and not w.ctx.quiet
    and kubeque.term.isatty(1) and w.live then
    require("kubeque.show").last_lines(only, 1, 20)
  end
  return code, "over"
end

---How long to sleep until something has to be looked at again.
local function pause(w, now)
  local wait = (w.live or w.o.any) and REDRAW or 1 -- of several jobs one bell is heard
  if w.deadline then
    wait = math.min(wait, w.deadline - now)
  end
  if w.copiers then
    wait = math.min(wait, math.max(0.05, (w.next_show or 0) - now))
  end
  return math.max(0, wait)
end

---Sleeps until the bell rings or the pause is over. Looks get rarer the longer the job takes (a
---hundredth of its time, at most 50 ms apart), so that watching never costs what running needs.
local function sleep(w, now)
  local gap = math.min(0.05, (now - w.begun) / 100)
  if gap > 0.002 then
    kubeque.sleep(gap)
  end
  local entry
  for _, e in ipairs(w.jobs) do
    if not e.over then
      entry = e
      break
    end
  end
  if not w.bell or w.bell_for ~= entry then
    if w.bell then
      w.bell:close()
    end
    w.bell, w.bell_for = kubeque.watch(entry.job.born), entry
    return "bell" -- what happened before the bell hung there was not heard
  end
  return w.bell and w.bell:wait(pause(w, now)) or kubeque.sleep(math.min(0.1, pause(w, now)))
end

local function loop(w)
  while true do
    local now = kubeque.time.mono()
    look(w)
    if w.gone then
      fault.raisef("not_found", "job %s was removed while it was waited for", w.gone)
    end
    look_at_nodes(w, now)
    report(w, now, not w.open)
    show(w, now, not w.open)
    if not w.open then
      return done(w)
    elseif w.deadline and now >= w.deadline then
      if not w.o.silent then
        kubeque.log.info(("stopped waiting after %s; the job goes on: kubeque watch %s"):format(
          kubeque.units.format_duration(w.o.timeout), w.jobs[1].job.id))
      end
      return 4, "timeout"
    end
    mind_nodes(w, now)
    reap(w, now)
    if sleep(w, now) == "interrupted" or kubeque.interrupted() then
      return interrupted(w)
    end
  end
end

---Waits until all of `jobs` are over. See the top of this file.
function M.wait(ctx, jobs, o)
  local now = kubeque.time.mono()
  local live, colour = M.terminal(ctx)
  local w = { ctx = ctx, o = o or {}, jobs = {}, begun = now, samples = {}, patience = NO_NODE,
    live = live, colour = colour, next_reap = now + 2 }
  for i, job in ipairs(jobs) do
    w.jobs[i] = { job = job }
  end
  if w.o.timeout and w.o.timeout > 0 then
    w.deadline = now + w.o.timeout
  end
  if w.o.show then
    w.copiers = {}
    for i, job in ipairs(jobs) do
      w.copiers[i] = require("kubeque.show").copier(job, w.o.show)
    end
  end
  say(w, "Waiting for job to terminate")
  local ok, code, why = xpcall(loop, function(e) return e end, w)
  if w.bell then
    w.bell:close()
  end
  if w.live then
    kubeque.term.clear()
  end
  if not ok then
    error(code, 0)
  end
  return code, why
end

return M
