-- Live: the open jobs, the nodes, and the tasks that run.

local fault = require "kubeque.fault"
local output = require "kubeque.output"
local select = require "kubeque.select"

local LEAST <const>, TICK <const> = 0.1, 1 -- seconds between looks: with many rings, with none
local JOBS <const> = 20

local node_columns = {
  { "node" }, { "state" }, { "cpu", type = "number" }, { "memory", type = "bytes" },
  { "running", type = "number" }, { "age", type = "duration" },
}
local task_columns = {
  { "task" }, { "node" }, { "seconds", type = "duration", title = "TIME" },
  { "attempt", type = "number" }, { "parameters" }, { "output", title = "LAST LINE" },
}
-- For machines: all in one table, told apart by `kind`.
local all_columns = { { "id" }, { "kind" }, { "state" }, { "node" }, { "seconds" }, { "attempt" },
  { "parameters" }, { "output" }, { "cpu" }, { "memory" }, { "running" }, { "pending" },
  { "ended" }, { "failed" }, { "tasks" } }

-- ---- looking ----

local function open_jobs(ctx)
  local jobs = {}
  for job in select.each_job(ctx, { states = { "open", "killing" } }) do
    local counts = fault.check(kubeque.queue.counts(job.born))
    local waiting = (counts.pending or 0) + (counts.claimed or 0)
    jobs[#jobs + 1] = { job = job, id = job.id, kind = "job", state = job.state, tasks = job.n,
      pending = counts.pending or 0, running = counts.claimed or 0, ended = job.n - waiting,
      failed = job.n - waiting - (counts["complete(code=0)"] or 0) }
  end
  return jobs
end

---Since when a task writes, and the last line of it: what moves while the queue stands still.
local function look_at_output(row)
  row.path = row.path or row.job and kubeque.results.stdout(row.job, row.n, row.attempt)
  local stat = row.path and kubeque.fs.stat(row.path:match "^(.*)/")
  if stat then
    row.seconds = math.max(0, (kubeque.time.now() - stat.mtime) // 1000)
    local lines = require("kubeque.taskview").tail_lines(kubeque.fs.tail(row.path, 400) or "")
    row.output = lines[#lines]
  end
end

---The tasks that a node holds; `known` keeps what does not change: the job and its manifest.
local function held_by(node, known, tasks)
  for _, task in ipairs(fault.check(kubeque.queue.held(node))) do
    local entry = known[task.job]
    if not entry then
      local job = kubeque.queue.job_by_born(task.job)
      entry = { job = job, manifest = job and kubeque.manifest(job) }
      known[task.job] = entry
    end
    local id = ("%s.%d"):format(entry.job and entry.job.id or "?", task.n)
    local row = { kind = "task", id = id, task = id, state = "running", node = node,
      attempt = task.attempt, parameters = {}, job = entry.job, n = task.n }
    for _, pair in ipairs(require("kubeque.taskview").parameters(entry.manifest, task.n)) do
      row.parameters[pair[1]] = pair[2]
    end
    look_at_output(row)
    tasks[#tasks + 1] = row
  end
end

---Everything there is to see. `known` keeps what does not change between two looks.
local function look(ctx, known)
  local view = { jobs = open_jobs(ctx), nodes = {}, tasks = {} }
  local now = kubeque.time.now()
  for _, node in ipairs(ctx.opened and fault.check(kubeque.queue.nodes()) or {}) do
    view.nodes[#view.nodes + 1] = { kind = "node", id = node.id, node = node.id,
      state = node.state, cpu = node.cap.cpu, memory = node.cap.memory, running = node.running,
      age = math.max(0, (now - node.registered) // 1000) }
    held_by(node.id, known, view.tasks)
  end
  table.sort(view.tasks, function(a, b)
    local x, y = a.seconds or 0, b.seconds or 0
    return x > y or x == y and a.task < b.task
  end)
  return view
end

-- ---- showing ----

local function bar_of(job, nodes, width)
  local name = job.id .. "  "
  return name .. require("kubeque.live").line({ total = job.tasks, ended = job.ended,
    bad = job.failed, running = job.running, pending = job.pending, nodes = nodes },
    math.max(width - #name, 10))
end

---A table as lines.
local function lines_of(columns, rows)
  local lines = {}
  local out = output.open({ format = "table" }, columns)
  out.write = function(text) lines[#lines + 1] = text:gsub("\n$", "") end
  for _, row in ipairs(rows) do
    out:row(row)
  end
  out:close()
  return lines
end

---Everything as lines; each part may take a share of `rows`, the tasks what is left.
local function compose(view, rows, width)
  local lines = { ("%s  jobs: %d open  nodes: %d  tasks running: %d"):format(
    output.local_time(kubeque.time.now()), #view.jobs, #view.nodes, #view.tasks), "" }
  local function add(part, share)
    local room = math.max(0, math.min(share, rows - #lines - 1))
    for i, line in ipairs(part) do
      if i > room or i == room and part[i + 1] then
        lines[#lines + 1] = ("... %d more"):format(#part - i + 1)
        break
      end
      lines[#lines + 1] = output.cut(line, width - 1)
    end
    lines[#lines + 1] = part[1] and "" or nil
  end
  local bars = {}
  for i, job in ipairs(view.jobs) do
    bars[i] = bar_of(job, #view.nodes, width)
  end
  add(bars, rows // 3)
  add(lines_of(node_columns, view.nodes), rows // 3)
  add(lines_of(task_columns, view.tasks), rows)
  return lines
end

local function print_once(opt, view)
  local format = output.format_of(opt)
  if format == "table" and not opt.quiet then
    for _, line in ipairs(compose(view, math.maxinteger, 1000)) do
      kubeque.out(line .. "\n")
    end
    return
  end
  local out = output.open(opt, all_columns)
  for _, list in ipairs { view.jobs, view.nodes, view.tasks } do
    for _, row in ipairs(list) do
      out:row(row)
    end
  end
  out:close()
end

---Bells of the open jobs: { [born] = bell }; those of others are taken down.
local function hang_bells(jobs, bells)
  local list, open = {}, {}
  for i, entry in ipairs(jobs) do
    local born = entry.job.born
    open[born] = true
    if i <= JOBS then
      bells[born] = bells[born] or kubeque.watch(born)
      list[#list + 1] = bells[born]
    end
  end
  for born, bell in pairs(bells) do
    if not open[born] then
      bell:close()
      bells[born] = nil
    end
  end
  return list
end

---Looks again when something changed; else only at what the running tasks print.
local function look_again(ctx, state)
  if not ctx.opened then -- there was no store; perhaps there is one by now
    ctx.opened = nil
    ctx:session { read_only = true }
  end
  local change = ctx.opened and fault.check(kubeque.queue.change())
  if not state.view or state.rung or change ~= state.change then
    state.view, state.change = look(ctx, state.known), change
    return
  end
  for _, row in ipairs(state.view.tasks) do
    look_at_output(row)
  end
end

---Draws until q, Escape or Ctrl-C. It sleeps until a bell rings; many rings are one look.
local function live(ctx)
  local screen <close> = fault.check(kubeque.screen())
  local state, bells = { known = {} }, {}
  local what, key
  repeat
    look_again(ctx, state)
    screen:draw(compose(state.view, screen:size()))
    what, key = screen:wait(LEAST)
    if what == "timeout" then
      what, key = screen:wait(TICK, hang_bells(state.view.jobs, bells))
    end
    state.rung = what == "bell"
  until what == "interrupted" or what == "key" and (key:find "^[qQ]" or key == "\27")
  for _, bell in pairs(bells) do
    bell:close()
  end
  return what == "interrupted" and 130 or 0
end

local function run(opt, _, ctx)
  ctx:session { read_only = true }
  local once = opt.once or opt.quiet or opt.plain or output.format_of(opt) ~= "table"
    or not kubeque.term.isatty(0) or not kubeque.term.isatty(1) or os.getenv "TERM" == "dumb"
  if once then
    print_once(opt, look(ctx, {}))
  else
    return live(ctx)
  end
end

return {
  name = "top",
  summary = "show nodes and tasks live",
  usage = "top [options]",
  description = "Open jobs with their progress, nodes, and the tasks that run, the longest first, "
    .. "with the last line of what they print; q ends it. Where there is no terminal it is shown "
    .. "once.",
  options = output.with_options {
    { "once", help = "show it once, as plain lines" },
  },
  args = {},
  run = run,
}
