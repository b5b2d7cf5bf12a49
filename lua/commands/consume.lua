-- The node's own command: claims tasks, runs them, stores what became of them.

local fault = require "kubeque.fault"

---What the node has: the options over what this machine allows. nil: just the machine.
local function capacity(cpu, memory, named)
  if not (cpu or memory or next(named)) then
    return nil
  end
  local machine = kubeque.machine()
  local cap = { cpu = cpu or machine.cpus, memory = memory or machine.memory }
  for name, amount in pairs(named) do
    cap[name] = amount
  end
  return kubeque.json.encode(cap)
end

---Where stderr goes, when it is a file: the log that `nodes` shows.
local function log_file()
  local path = kubeque.fs.realpath "/proc/self/fd/2"
  local stat = path and kubeque.fs.stat(path)
  return stat and stat.type == "file" and path or nil
end

---Nodes that a provider starts elsewhere cannot work for a queue in a file of another machine.
local function check_machine(opt)
  local wanted, host = (opt.machine or ""):match "^(%S+) (.*)$"
  local id, here = require("kubeque.store").machine()
  if wanted and wanted ~= id then
    fault.raisef("config", "the queue is a file of %s (%s) and this is %s: nodes run on %s alone, or "
      .. "need a queue that all of them reach", host, opt.home, here, host)
  elseif not kubeque.fs.stat(opt.home .. "/queue.db") then
    fault.raisef("config", "there is no queue in %s", opt.home)
  end
end

---Options as given; what is missing comes from the configuration.
local function settings(opt, ctx)
  local config = {}
  if opt.heartbeat and opt.lease and opt.heartbeat * 3 > opt.lease then
    fault.raise("usage", "option --heartbeat: at most a third of --lease")
  end
  if opt.home then
    check_machine(opt)
    fault.check(kubeque.session { home = opt.home, cluster = opt.cluster or "local" })
  else
    config = ctx.config
    ctx:session { create = true }
    fault.check(kubeque.queue.jobs { limit = 1 }) -- made when first used
  end
  local named = config.node_resources or {}
  if opt.resources then
    named = fault.check(kubeque.units.resources(opt.resources))
  end
  local power = opt.durability or config.durability or "process"
  return {
    cluster = opt.cluster or config.cluster_name or "local",
    first = opt.first or false, work_dir = opt.work_dir or config.work_dir,
    cap = capacity(opt.cpu or config.node_cpu or named.cpu,
      opt.memory or config.node_memory or named.memory, named),
    linger = opt.linger or config.linger or 30, lease = opt.lease or config.lease or 20,
    heartbeat = opt.heartbeat or config.heartbeat or 5,
    grace = opt.grace or config.grace_period or 10, power = power == "power", log = log_file(),
    id = opt.node_id,
  }
end

local function run(opt, _, ctx)
  local given = settings(opt, ctx)
  if opt.check then
    fault.check(kubeque.queue.nodes(given.cluster))
    return 0
  end
  fault.check(kubeque.consume(given))
end

return {
  name = "consume",
  summary = "be a node: claim and run tasks until there are none",
  usage = "consume [options]",
  description = "Nodes are started by `sub`, `retry` and `addnodes`. In a terminal it logs to "
    .. "stderr; Ctrl-C lets running tasks finish, a second one gives them back and leaves.",
  options = {
    { "home", value = "DIR", help = "the store (default: as configured)" },
    { "cluster", value = "NAME", help = "work for the jobs of this cluster" },
    { "first", help = "leave at once if the cluster has a node" },
    { "node-id", value = "ID", hidden = true },
    { "machine", value = "ID HOST", hidden = true }, -- whose file the queue is
    { "check", hidden = true },                      -- could it start? then do nothing
    { "cpu", value = "N", type = "number", min = 0.001, help = "CPUs to use" },
    { "memory", value = "SIZE", type = "memory", help = "memory to set aside at most" },
    { "resources", "r", value = "K=V,...", help = "named resources of this node" },
    { "linger", value = "DUR", type = "duration", help = "how long to stay without work" },
    { "lease", value = "DUR", type = "duration", help = "silence after which a node is lost" },
    { "heartbeat", value = "DUR", type = "duration", help = "how often to say that it lives" },
    { "grace", value = "DUR", type = "duration", help = "time between SIGTERM and SIGKILL" },
    { "work-dir", value = "DIR", help = "where tasks run" },
    { "durability", value = "process|power", type = "choice", choices = { "process", "power" },
      help = "power: flush files before tasks count as ended" },
  },
  args = {},
  run = run,
}
