-- Every node: state, capacity, what it runs, age, cost. Or: tell some to leave.

local fault = require "kubeque.fault"
local output = require "kubeque.output"

local columns = {
  { "node" }, { "state" }, { "cluster", only = "data" }, { "cpu", type = "number" },
  { "memory", type = "bytes" }, { "running", type = "number" }, { "age", type = "duration" },
  { "cost", type = "number" }, { "host", only = "data" }, { "pid", type = "number" },
  { "message" }, { "version", only = "data" }, { "log", only = "data" },
  { "registered", type = "time", only = "data" },
}

local function list(opt, ctx)
  local out = output.open(opt, columns)
  local now = kubeque.time.now()
  for _, node in ipairs(ctx.opened and fault.check(kubeque.queue.nodes()) or {}) do
    local cap, info = node.cap or {}, node.info or {}
    out:row { node = node.id, state = node.state, cluster = node.cluster, cpu = cap.cpu,
      memory = cap.memory, running = node.running,
      age = math.max(0, (now - node.registered) // 1000), cost = 0, host = info.host,
      pid = info.pid, message = info.message, version = info.version, log = info.log,
      registered = node.registered }
  end
  out:close()
  if out.count == 0 and out.format == "table" and not opt.quiet then
    kubeque.log.info "(no nodes)"
  end
end

---Until the queue says that these nodes leave, so that saying it again means something else.
local function wait_until_told(ids)
  local left, pause = {}, 0.005
  for _, id in ipairs(ids) do
    left[id] = true
  end
  local deadline = kubeque.time.mono() + 2
  repeat
    local still = {}
    for _, node in ipairs(fault.check(kubeque.queue.nodes())) do
      still[node.id] = left[node.id] and node.state == "RUNNING" or nil
    end
    left = still
    if not next(left) or kubeque.sleep(pause) == "interrupted" then
      return
    end
    pause = pause * 1.5
  until kubeque.time.mono() > deadline
end

---Drains; a node that drains already is ended at once.
local function stop(ids, ctx)
  local by_id = {}
  for _, node in ipairs(ctx.opened and fault.check(kubeque.queue.nodes()) or {}) do
    by_id[node.id] = node
  end
  for _, id in ipairs(ids) do
    if not by_id[id] then
      fault.raisef("not_found", "no node %s (kubeque nodes lists all)", id)
    end
  end
  local told = {}
  for _, id in ipairs(ids) do
    local again = by_id[id].state ~= "RUNNING"
    told[#told + 1] = not again and id or nil
    fault.check(kubeque.nodes.stop(id, again))
    kubeque.log.info(again and id .. ": stopped, its tasks go to other nodes"
      or id .. ": told to leave; it finishes what it runs (say it again to stop it at once)")
  end
  wait_until_told(told)
end

local function run(opt, args, ctx)
  ctx:session { read_only = not opt.stop }
  if opt.stop then
    if #args == 0 then
      fault.raise("usage", "option --stop: which nodes? usage: kubeque nodes --stop ID...")
    end
    stop(args, ctx)
    return
  elseif #args > 0 then
    fault.raisef("usage", 'unexpected "%s"; usage: kubeque nodes [--stop ID...]', args[1])
  end
  list(opt, ctx)
end

return {
  name = "nodes",
  summary = "list nodes, or tell some to leave",
  usage = "nodes [--stop ID...] [options]",
  options = output.with_options {
    { "stop", help = "tell these nodes to finish what they run and leave; twice: at once" },
  },
  args = { { "ID", optional = true, many = true } },
  run = run,
}
