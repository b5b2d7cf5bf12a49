-- Starting nodes of this machine: the arguments that `consume` gets from the configuration.

local fault = require "kubeque.fault"

local M = {}

local function seconds(value)
  return ("%.3f"):format(value):gsub("%.?0+$", "")
end

---Arguments of `kubeque consume` for the store and configuration of `ctx`.
function M.arguments(ctx, first)
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
  if first then
    args[#args + 1] = "--first"
  end
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

---Starts nodes and says so. `o`: count, job (id), first (only if the cluster has none).
function M.add(ctx, o)
  local started = fault.check(kubeque.nodes.add { cluster = ctx.config.cluster_name,
    count = o.count or 1, first = o.first or false, job = o.job,
    args = M.arguments(ctx, o.first) })
  if not ctx.quiet then
    for _, node in ipairs(started) do
      kubeque.log.info("Node's log will be written to: " .. node.log)
    end
  end
  return started
end

---How many nodes the policy wants for a job; `count` is what --nodes says. A policy that broke does
---not stop a submission.
local function target(job_id, live, count)
  local job = fault.check(kubeque.queue.job(job_id))
  local by_label = fault.check(kubeque.queue.counts(job.born))
  local wanted, why = kubeque.policy.scale { pending = by_label.pending or 0,
    running = by_label.claimed or 0, nodes = live, wanted = count or 0 }
  if why then
    kubeque.log.warn(why)
  end
  return wanted or count or 1
end

---What `sub` does after a submission: as many nodes as the policy says (the stock one: as many as
---`count`, else one if there is none).
function M.ensure(ctx, job_id, count)
  local nodes = fault.check(kubeque.queue.nodes(ctx.config.cluster_name))
  if nodes[1] and (kubeque.reap { lease = ctx.config.lease } or 0) > 0 then
    nodes = fault.check(kubeque.queue.nodes(ctx.config.cluster_name)) -- some were dead
  end
  local by_state, live = M.counts(nodes)
  count = target(job_id, live, count)
  if live >= count then
    if not ctx.quiet then
      kubeque.log.info("Cluster already exists, not adding node. Cluster status: "
        .. M.text(by_state))
    end
    return
  end
  if not ctx.quiet then
    kubeque.log.info(live == 0 and "Adding initial node for cluster"
      or ("Adding %d nodes to the cluster"):format(count - live))
  end
  if live == 0 then
    M.add(ctx, { count = 1, first = true, job = job_id })
    live = 1
  end
  if count > live then
    M.add(ctx, { count = count - live, job = job_id })
  end
end

return M
