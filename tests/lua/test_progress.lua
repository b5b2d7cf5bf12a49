-- Waiting for jobs, on a fake queue and a fake clock: what is printed when, and how it ends.
-- luacheck: globals kubeque
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"

local world

---A world of one or more jobs; `script[i]` is done when the clock has moved i seconds.
local function new_world(jobs, script)
  world = { now = 100, jobs = {}, script = script or {}, lines = {}, added = 0, out = {},
    nodes = { { state = "RUNNING" } } }
  for i, n in ipairs(jobs) do
    world.jobs[i] = { job = { born = i, id = "j" .. i, n = n, state = "open" },
      counts = { pending = n }, tasks = {} }
  end
end

local real = { time = kubeque.time.mono, info = kubeque.log.info, sleep = kubeque.sleep }
kubeque.time.mono = function() return world.now end
kubeque.log.info = function(text)
  world.lines[#world.lines + 1] = { world.now - 100, text }
end

local function advance(seconds)
  local before = math.floor(world.now - 100 + 1e-6)
  world.now = world.now + seconds
  for i = before + 1, math.floor(world.now - 100 + 1e-6) do
    if world.script[i] then
      world.script[i](world.jobs[1], world.jobs[2])
    end
  end
end

kubeque.sleep = function(seconds)
  advance(seconds)
  return "timeout"
end
kubeque.interrupted = function() return world.signal end
kubeque.reap = function() return 0, 5 end
kubeque.out = function(text) world.out[#world.out + 1] = text end
kubeque.watch = function()
  return {
    wait = function(_, seconds)
      if world.now > 100 + 10000 then
        error "it waits for ever"
      end
      advance(math.max(seconds, 0.01))
      return world.signal and "interrupted" or "timeout"
    end,
    close = function() end,
  }
end
kubeque.queue = {
  job_by_born = function(born)
    local entry = world.jobs[born]
    local copy = {}
    for key, value in pairs(entry.job) do
      copy[key] = value
    end
    return not entry.gone and copy or nil
  end,
  counts = function(born)
    local copy = {}
    for key, value in pairs(world.jobs[born].counts) do
      copy[key] = value
    end
    return copy
  end,
  nodes = function() return world.nodes end,
  tasks = function(born) return world.jobs[born].bad or {} end,
}
kubeque.nodes = {
  add = function(o)
    world.added = world.added + 1
    t.ok(o.first and o.cluster == "local", "the node that is started is the first of the cluster")
    world.nodes = { { state = "RUNNING" } }
    return { { id = "n", log = "/log" } }
  end,
}
kubeque.results = { settle = function() return true end, dir = function(job) return "/results/" .. job.id end }
local progress = require "kubeque.progress"

local function context(quiet)
  return { quiet = quiet or false, plain = true, opt = {}, config = { cluster_name = "local",
    lease = 20, linger = 30, heartbeat = 5, grace_period = 10, work_dir = "/w",
    durability = "process", node_resources = {}, _queue_home = kubeque.fs.cwd(),
    provider = "local", _source = { provider = "default" }, _sources = {}, _set = {} } }
end

local function over(entry, counts)
  entry.job.state = "over"
  entry.counts = counts
end

local function wait(o, quiet)
  local jobs = {}
  for i, entry in ipairs(world.jobs) do
    jobs[i] = entry.job
  end
  return progress.wait(context(quiet), jobs, o)
end

local function texts()
  local list = {}
  for i, line in ipairs(world.lines) do
    list[i] = line[2]
  end
  return table.concat(list, "\n")
end

-- ---- a job that succeeds ----
new_world({ 3 }, {
  [1] = function(j) j.counts = { pending = 1, claimed = 2 } end,
  [3] = function(j) over(j, { ["complete(code=0)"] = 3 }) end,
})
local code, why = wait()
t.same({ code, why }, { 0, "over" }, "a job whose tasks all succeed: 0")
t.is(texts(), "Waiting for job to terminate\nTasks: pending: 3\nNodes: RUNNING: 1\n"
  .. "Tasks: claimed: 2, pending: 1\nTasks: complete(code=0): 3\n"
  .. "Done waiting for job to complete, results written to /results/j1\n"
  .. "You can download results via 'kubeque fetch j1'", "the lines of the contract, in its order")

-- ---- one that does not ----
new_world({ 2 }, { [1] = function(j)
  over(j, { ["complete(code=0)"] = 1, ["complete(code=3)"] = 1 })
  j.bad = { { n = 2 } }
end })
t.is((wait()), 1, "a task that did not succeed: 1")
new_world({ 1 }, { [1] = function(j) over(j, { ["complete(code=3)"] = 1 }) end })
t.is((wait()), 0, "what the policy counts as success is success")
new_world({ 1 }, { [1] = function(j)
  over(j, { killed = 1 })
  j.bad = { { n = 1 } }
end })
t.is((wait()), 1, "a killed job: 1")

-- ---- how often lines come ----
local script = {}
for i = 1, 60 do
  script[i] = function(j) j.counts = { pending = 100 - i, ["complete(code=0)"] = i } end
end
script[61] = function(j) over(j, { ["complete(code=0)"] = 100 }) end
new_world({ 100 }, script)
wait()
local early, late = 0, 0
for _, line in ipairs(world.lines) do
  if line[2]:find "^Tasks:" then
    if line[1] < 10 then
      early = early + 1
    else
      late = late + 1
    end
  end
end
t.ok(early >= 8 and early <= 11, "one line a second in the first ten seconds: " .. early)
t.ok(late >= 5 and late <= 7, "then one every ten, and the last: " .. late)
t.like(texts(), "Tasks: complete%(code=0%): 100\nDone", "the last state is always printed")

-- ---- time-out, Ctrl-C, removal ----
new_world { 1 }
code, why = wait { timeout = 5 }
t.same({ code, why }, { 4, "timeout" }, "--wait-timeout: 4")
t.ok(world.now - 105 < 0.2, "and not later than said")
new_world({ 1 }, { [2] = function() world.signal = "SIGINT" end })
code, why = wait()
t.same({ code, why }, { 130, "interrupted" }, "Ctrl-C: 130")
t.like(texts(), "Interrupted %-%- Exiting, but your job will continue to run unaffected%.\n"
  .. "Watch it: kubeque watch j1 +Stop it: kubeque kill j1$", "and how to watch and kill it")
new_world({ 1 }, { [2] = function(j) j.gone = true end })
local ok, fault = pcall(wait)
t.ok(not ok and fault.code == "not_found", "a job that is removed meanwhile: 3")

-- ---- no node ----
new_world({ 1 }, { [30] = function(j) over(j, { ["complete(code=0)"] = 1 }) end })
world.nodes = {}
wait()
t.is(world.added, 1, "after 10 s without a node one is started")
t.like(texts(), "Nodes: %(no nodes%).*Adding initial node for cluster\nNode's log will be written "
  .. "to: /log", "and it is said")
new_world({ 1 }, { [60] = function(j) over(j, { ["complete(code=0)"] = 1 }) end })
world.nodes = {}
wait { start_nodes = false }
t.is(world.added, 0, "not with --no-nodes")
t.is(select(2, texts():gsub("No node is running for this job: kubeque addnodes j1 1", "")), 1,
  "then it is said once")

-- ---- several jobs, quiet, output ----
new_world({ 1, 2 }, {
  [1] = function(_, b) over(b, { ["complete(code=0)"] = 2 }) end,
  [2] = function(a) over(a, { ["complete(code=0)"] = 1 }) end,
})
t.is((wait()), 0, "several jobs: all are waited for")
t.like(texts(), "Tasks: pending: 3\n.*Tasks: complete%(code=0%): 3\nDone", "their counts are added")
new_world({ 1 }, { [1] = function(j) over(j, { ["complete(code=0)"] = 1 }) end })
wait(nil, true)
t.is(texts(), "", "-q: not a line")

kubeque.time.mono, kubeque.log.info, kubeque.sleep = real.time, real.info, real.sleep
t.done()
