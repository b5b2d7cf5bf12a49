-- Nodes of a cluster: how many there are, how many there should be, and asking the configured
-- provider (kubeque.provider) to start, list and end them.

local fault = require "kubeque.fault"

local M = {}

local REGISTER = 5 -- seconds that nodes get to appear in the queue

local function seconds(value)
  return ("%.3f"):format(value):gsub("%.?0+$", "")
end

---Arguments of `kubeque consume` for the store and configuration of `ctx`.
function M.arguments(ctx)
  local config = ctx.config
  local args = { "--home", config._queue_home, "--cluster", config.cluster_name,
    "--linger", seconds(config.linger), "--lease", seconds(config.lease),
    "--heartbeat", seconds(config.heartbeat), "--grace", seconds(config.grace_period),
    "--work-dir", config.work_dir, "--durability", config.durability }
  local function add(name, value)
    if value then
      args[#args + 1] = name
      args[#args + 1] = value
    end
  end
  add("--cpu", config.node_cpu and ("%.6g"):format(config.node_cpu))
  add("--memory", config.node_memory and tostring(config.node_memory))
  local named = {}
  for name, amount in pairs(config.node_resources) do
    named[#named + 1] = ("%s=%.14g"):format(name, amount)
  end
  table.sort(named)
  add("--resources", named[1] and table.concat(named, ","))
  return args
end

---Counts of nodes by state, as `Nodes:` shows them, and how many can take work.
function M.counts(nodes)
  local by_state, live = {}, 0
  for _, node in ipairs(nodes) do
    by_state[node.state] = (by_state[node.state] or 0) + 1
    live = live + (node.state == "RUNNING" and 1 or 0)
  end
  return by_state, live
end

---"RUNNING: 1, DRAINING: 1" or "(no nodes)".
function M.text(by_state)
  local parts = {}
  for state, count in pairs(by_state) do
    parts[#parts + 1] = ("%s: %d"):format(state, count)
  end
  table.sort(parts)
  return parts[1] and table.concat(parts, ", ") or "(no nodes)"
end

-- ---- the provider ----

---The provider in force: the configured one, or with `sub --local` that of this machine. Raises a
---fault when it cannot be used, so commands ask before they change anything.
function M.provider(ctx)
  local provider = require "kubeque.provider"
  return ctx.opt["local"] and provider.stock() or provider.of(ctx.config)
end

---Before a job is stored: raises when the options of sub want nodes and the provider cannot be used.
function M.check(ctx, opt)
  if not (opt.no_nodes or opt.nodes == 0 or opt["local"]) then
    M.provider(ctx)
  end
end

---Is it the one that is C? That one asks nobody and has no time limit.
function M.is_builtin(ctx)
  local chosen = M.provider(ctx)
  return chosen.name == "local" and chosen.found.place == "builtin"
end

---Do its nodes run on this machine and nowhere else?
function M.is_local(ctx)
  return M.provider(ctx).provider.requires == "any queue"
end

---Calls a function of the provider in force: its value, and what it adds to it.
local function call(ctx, method, ...)
  local chosen = M.provider(ctx)
  local calls = require "kubeque.provider_call"
  local answer
  if M.is_builtin(ctx) then
    answer = calls.call_here(chosen, method, { ... })
  else
    answer = calls.call(chosen, method, { ... }, { home = ctx.config._queue_home,
      cluster = ctx.config.cluster_name, log_dir = ctx.config._queue_home .. "/nodes" })
  end
  return answer.value, answer.extra
end

---Path of this program, for others to start it by.
local function own_binary()
  local path = kubeque.fs.realpath "/proc/self/exe"
  return path and kubeque.fs.stat(path) and path or "kubeque"
end

---Hexadecimal digits that nobody else has.
local function random_hex(bytes)
  local source <close> = assert(io.open("/dev/urandom", "rb"))
  return (source:read(bytes):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

---What a provider's `add` is asked for (kubeque.provider says what is in it). The folder for logs
---is there when it is asked.
local function request_of(ctx, o)
  local home = ctx.config._queue_home
  fault.check(kubeque.fs.mkdir_p(home .. "/nodes", 448)) -- 0700
  local command = table.move(M.arguments(ctx), 1, 100, 3, { own_binary(), "consume" })
  if not M.is_local(ctx) then
    command[#command + 1] = "--machine"
    command[#command + 1] = ("%s %s"):format(require("kubeque.store").machine())
  end
  local prefix = ("%s-%s"):format(M.provider(ctx).name:sub(1, 16), random_hex(4))
  local nodes = {}
  for i = 1, o.count do
    local words = table.move(command, 1, #command, 1, {})
    words[#words + 1] = "--node-id"
    words[#words + 1] = ("%s-%d"):format(prefix, i)
    words[#words + 1] = i == 1 and o.first and "--first" or nil
    nodes[i] = { id = ("%s-%d"):format(prefix, i), command = words }
  end
  return { cluster = ctx.config.cluster_name, count = o.count, first = o.first or false,
    job = o.job, home = home, log_dir = home .. "/nodes", command = command, prefix = prefix,
    nodes = nodes }
end

---Ids of the nodes that this process has started.
M.started = {}

---Starts nodes and says so. `o`: count, job (id), first (the first of them leaves if the cluster
---has a node). Returns what the provider says of each.
function M.add(ctx, o)
  local started, missing = call(ctx, "add", request_of(ctx, { count = o.count or 1,
    first = o.first, job = o.job }))
  for _, node in ipairs(started) do
    M.started[#M.started + 1] = node.id
  end
  if not ctx.quiet then
    for _, node in ipairs(started) do
      kubeque.log.info(node.log and "Node's log will be written to: " .. node.log
        or ("Node %s: %s"):format(node.id, node.state or "STARTING"))
    end
  end
  if missing then
    kubeque.log.warn(("provider %s: %d of %d nodes were started: %s"):format(
      M.provider(ctx).name, #started, o.count or 1, missing))
  end
  return started
end

---What the provider has, by id.
function M.listed(ctx)
  local by_id = {}
  for _, node in ipairs((call(ctx, "list", ctx.config.cluster_name))) do
    by_id[node.id] = node
  end
  return by_id
end

---Asks nodes to leave, or with `force` ends them. The ids that the provider found.
function M.remove(ctx, ids, force)
  if not M.provider(ctx).provider.remove then
    return {}
  end
  return (call(ctx, "remove", ids, force or false))
end

---The output of a node as the provider has it, or nil when it cannot tell.
function M.log_text(ctx, id)
  return M.provider(ctx).provider.logs and (call(ctx, "logs", id)) or nil
end

---Why none of the nodes that this process has started is there: what the provider says of one that
---waits, else the last line that one wrote. nil when nothing is known.
function M.why_none(ctx)
  local ok, text = pcall(function()
    local listed = not M.is_builtin(ctx) and M.listed(ctx) or {}
    for _, id in ipairs(M.started) do
      if listed[id] then
        return ("%s is %s"):format(id, listed[id].state or "there")
      end
    end
    local last = M.started[#M.started]
    local line = last and (M.log_text(ctx, last) or ""):match "([^\r\n]+)%s*$"
    return line and ("%s said: %s"):format(last,
      (line:gsub("^%d+%-%d+%-%d+ [%d:]+,%d+ ", ""):gsub("^kubeque consume: ", "")))
  end)
  return ok and text or nil
end

-- ---- how many ----

---Nodes that were added and have not registered yet, where that takes a while.
local function waiting(ctx, nodes)
  if not M.provider(ctx).provider.capabilities.waits then
    return 0
  end
  local count, known = 0, {}
  for _, node in ipairs(nodes) do
    known[node.id] = true
    known[node.info and node.info.launched or node.id] = true
  end
  for id in pairs(M.listed(ctx)) do
    count = count + (known[id] and 0 or 1)
  end
  return count
end

---Nodes that live and those that are to come: two numbers, and counts by state.
local function census(ctx)
  local nodes = fault.check(kubeque.queue.nodes(ctx.config.cluster_name))
  local by_state, live = M.counts(nodes)
  local to_come = waiting(ctx, nodes)
  if to_come > 0 then
    by_state.STARTING = to_come
  end
  return live, to_come, by_state
end

---Until so many nodes have registered, or some seconds are over.
local function await(ctx, count)
  local deadline = kubeque.time.mono() + REGISTER
  repeat
    local _, live = M.counts(fault.check(kubeque.queue.nodes(ctx.config.cluster_name)))
  until live >= count or kubeque.time.mono() >= deadline or kubeque.sleep(0.02) == "interrupted"
end

---Adds nodes until there are `target`, as the policy of a job wants it: what a node of the cluster
---asks for while no client does. One at a time: whoever comes second finds the nodes of the first.
---@param job table
---@param target integer
function M.grow(ctx, job, target)
  local folder = ctx.config._queue_home .. "/locks"
  fault.check(kubeque.fs.mkdir_p(folder, 448)) -- 0700
  local lock <close>, busy, kind = kubeque.fs.lock(("%s/scale.%s"):format(folder,
    ctx.config.cluster_name:gsub("[^%w_-]", "_")))
  if not lock and kind == "busy" then
    return
  end
  fault.check(lock, busy, kind)
  local live, to_come = census(ctx)
  local missing = target - live - to_come
  if job.state ~= "open" or missing <= 0 then
    return
  end
  kubeque.log.info(("The policy of job %s wants %d nodes: adding %d"):format(job.id, target, missing))
  local started = M.add(ctx, { count = missing, job = job.id })
  fault.check(kubeque.queue.event_add { job = job.born, kind = "scaled",
    text = ("its policy wants %d nodes, %d were added"):format(target, #started) })
  if not M.provider(ctx).provider.capabilities.waits then
    await(ctx, live + #started)
  end
end

---How many nodes the policy wants for a job; `count` is what --nodes says. A policy that broke does
---not stop a submission.
---@param job table
---@param live integer nodes there are
---@param count integer|nil
---@return integer
function M.target(job, live, count)
  local wanted, why = kubeque.policies.scale { job = job.born, nodes = live, wanted = count or 0 }
  if why then
    kubeque.log.warn(why)
  end
  return wanted or count or 1
end

---Adds what is missing; see ensure().
local function fill(ctx, job, count)
  if fault.check(kubeque.queue.nodes(ctx.config.cluster_name))[1] then
    kubeque.reap { lease = ctx.config.lease } -- some may be dead
  end
  local live, to_come, by_state = census(ctx)
  live = live + to_come
  count = M.target(job, live, count)
  local log = ctx.quiet and function() end or kubeque.log.info
  if live == 0 and count == 0 and job.policy ~= "" then
    log(("The policy of job %s wants no node now"):format(job.id))
    return
  elseif live >= count then
    log("Cluster already exists, not adding node. Cluster status: " .. M.text(by_state))
    return
  end
  log(live == 0 and "Adding initial node for cluster"
    or ("Adding %d nodes to the cluster"):format(count - live))
  M.add(ctx, { count = count - live, first = live == 0, job = job.id })
end

---What `sub` does after a submission: as many nodes as the policy says (the stock one: as many as
---`count`, else one if there is none). `here`: on this machine, whatever the provider. A fault says
---how to go on with the job, which is stored.
function M.ensure(ctx, job_id, count, here)
  if here and not ctx.opt["local"] then
    ctx = setmetatable({ opt = { ["local"] = true } }, { __index = ctx })
  end
  local job = fault.check(kubeque.queue.job(job_id))
  count = job.info.nodes or count -- its policy may have changed what --nodes said
  if count == 0 then
    return
  end
  local ok, failure = pcall(fill, ctx, job, count)
  if not ok then
    local f = fault.of(failure)
    if f and f.code ~= "interrupted" then
      f.message = ("%s; the job is stored: mend it, then kubeque addnodes %s %d"):format(f.message,
        job_id, count or 1)
    end
    error(failure, 0)
  end
end

return M
