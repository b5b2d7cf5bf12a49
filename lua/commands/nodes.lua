-- Every node: state, capacity, what it runs, age, cost. Or: tell some to leave, or show the output
-- of one. What the queue knows is joined with what the provider says.

local fault = require "kubeque.fault"
local nodes = require "kubeque.nodes"
local output = require "kubeque.output"

-- What only a provider of other nodes than this machine's can say is in its tables alone.
local function columns(remote)
  return { { "node" }, { "state" }, { "cluster", only = "data" }, { "cpu", type = "number" },
    { "memory", type = "bytes" }, { "running", type = "number" }, { "age", type = "duration" },
    { "cost", type = "number" }, { "host", only = not remote and "data" or nil },
    { "pid", type = "number" }, { "provider", only = "data" },
    { "provider_state", title = "PROVIDER", only = not remote and "data" or nil },
    { "provider_name", title = "NAME", only = not remote and "data" or nil },
    { "message" }, { "version", only = "data" }, { "log", only = not remote and "data" or nil },
    { "registered", type = "time", only = "data" } }
end

---What the provider says: { name =, remote = is it another's than this machine's, listed = by id,
---failure = why it cannot be asked }.
local function ask_provider(ctx)
  local said = { listed = {}, name = ctx.config.provider, remote = true }
  local ok, failure = pcall(function()
    said.name, said.remote = nodes.provider(ctx).name, not nodes.is_builtin(ctx)
    if ctx.opened and said.remote then
      said.listed = nodes.listed(ctx)
    end
  end)
  said.failure = not ok and failure or nil
  return said
end

local function registered_row(node, listed, now)
  local cap, info = node.cap or {}, node.info or {}
  local its = listed[info.launched or node.id] or listed[node.id] or {}
  return { node = node.id, state = node.state, cluster = node.cluster, cpu = cap.cpu,
    memory = cap.memory, running = node.running, age = math.max(0, (now - node.registered) // 1000),
    cost = 0, host = info.host, pid = info.pid, message = info.message, version = info.version,
    log = its.log or info.log, registered = node.registered, provider_state = its.state,
    provider_name = its.name }
end

---A node that the provider has and the queue does not know (yet).
local function starting_row(node, cluster)
  local state = node.state or "STARTING"
  return { node = node.id, state = state == "RUNNING" and "STARTING" or state, cluster = cluster,
    log = node.log, provider_state = node.state, provider_name = node.name }
end

local function list(opt, ctx)
  local said, now = ask_provider(ctx), kubeque.time.now()
  local listed = said.listed
  local out = output.open(opt, columns(said.remote))
  for _, node in ipairs(ctx.opened and fault.check(kubeque.queue.nodes()) or {}) do
    local row = registered_row(node, listed, now)
    row.provider = row.provider_state and said.name or nil
    listed[node.id], listed[node.info and node.info.launched or node.id] = nil, nil
    out:row(row)
  end
  for _, id in ipairs(require("kubeque.names").of(listed)) do
    local row = starting_row(listed[id], ctx.config.cluster_name)
    row.provider = said.name
    out:row(row)
  end
  out:close()
  if said.failure then
    error(said.failure, 0)
  elseif out.count == 0 and out.format == "table" and not opt.quiet then
    kubeque.log.info "(no nodes)"
  end
end

-- ---- stop ----

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

---The nodes that are meant, by id: { registered = row or nil, listed = the provider's or nil }.
---An id that nobody knows is a fault, and nothing is done to the others.
local function find(ids, ctx)
  local rows, found, listed = {}, {}, nil
  for _, node in ipairs(ctx.opened and fault.check(kubeque.queue.nodes()) or {}) do
    rows[node.id] = node
  end
  for _, id in ipairs(ids) do
    if not rows[id] and not listed then
      listed = ctx.opened and not nodes.is_builtin(ctx) and nodes.listed(ctx) or {}
    end
    if not rows[id] and not listed[id] then
      fault.raisef("not_found", "no node %s (kubeque nodes lists all)", id)
    end
    local info = rows[id] and rows[id].info or {}
    found[id] = { row = rows[id], launched = info.launched or id, info = info }
  end
  return found
end

---Ends a node at once. One that its provider does not know (any longer) is told through the queue.
local function stop_now(ctx, id, node)
  if #nodes.remove(ctx, { node.launched }, true) > 0 then
    kubeque.log.info(node.row and id .. ": stopped, its tasks go to other nodes"
      or id .. ": stopped before it began")
  elseif node.row then
    fault.raisef("not_found", "provider %s has no node %s: kubeque reset --owner %s JOB takes its "
      .. "tasks away", nodes.provider(ctx).name, id, id)
  end
end

---Drains; a node that drains already is ended at once, as is one that has not begun.
local function stop(ids, ctx)
  local found, told = find(ids, ctx), {}
  for _, id in ipairs(ids) do
    local node = found[id]
    if not node.row or node.row.state ~= "RUNNING" then
      stop_now(ctx, id, node)
    else
      -- a signal is quicker than the queue, but reaches this machine's nodes only
      if not nodes.is_builtin(ctx) or #nodes.remove(ctx, { id }, false) == 0 then
        fault.check(kubeque.control.drain(id))
      end
      told[#told + 1] = id
      kubeque.log.info(id .. ": told to leave; it finishes what it runs (say it again to stop it at "
        .. "once)")
    end
  end
  wait_until_told(told)
end

-- ---- log ----

local function print_log(id, ctx)
  local node = find({ id }, ctx)[id]
  local text = not nodes.is_builtin(ctx) and nodes.log_text(ctx, node.launched) or nil
  if not text and node.info.log then
    text = fault.check(kubeque.fs.read(node.info.log))
  end
  if not text then
    fault.raisef("not_found", "the log of node %s cannot be read here (provider %s)", id,
      nodes.provider(ctx).name)
  end
  kubeque.out(text)
end

local function run(opt, args, ctx)
  if opt.stop and opt.log then
    fault.raise("usage", "--stop and --log exclude each other")
  end
  ctx:session { read_only = not opt.stop }
  if opt.stop then
    if #args == 0 then
      fault.raise("usage", "option --stop: which nodes? usage: kubeque nodes --stop ID...")
    end
    return stop(args, ctx)
  elseif #args > 0 then
    fault.raisef("usage", 'unexpected "%s"; usage: kubeque nodes [--stop ID...]', args[1])
  elseif opt.log then
    return print_log(opt.log, ctx)
  end
  list(opt, ctx)
end

return {
  name = "nodes",
  summary = "list nodes, or tell some to leave",
  usage = "nodes [--stop ID...] [options]",
  options = output.with_options {
    { "stop", help = "tell these nodes to finish what they run and leave; twice: at once" },
    { "log", value = "ID", help = "print the output of this node" },
  },
  args = { { "ID", optional = true, many = true } },
  run = run,
}
