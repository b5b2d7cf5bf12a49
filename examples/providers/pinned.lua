-- A provider: nodes of this machine that are each bound to CPUs of their own.
--
-- Copy it to ~/.config/kubeque/lua/providers/pinned.lua and write into .kubeque
--   [config]
--   provider = pinned
--   provider.cpus = 0-3,4-7
-- The first node gets CPUs 0 to 3, the second 4 to 7, a third 0 to 3 again. `add` starts each
-- node's command by taskset(1), in a session of its own so that it outlives the terminal. A node
-- sees which CPUs it may use and takes no more tasks than they have room for.

return kubeque.provider {
  name = "pinned",
  summary = "nodes of this machine, each bound to CPUs of its own",
  requires = "any queue",
  options = {
    cpus = { type = "list", required = true, help = "CPUs of the first node, of the second, ..." },
  },

  add = function(request, options)
    local added = {}
    for i, node in ipairs(request.nodes) do
      local log = ("%s/%s.log"):format(request.log_dir, node.id)
      local cpus = options.cpus[(i - 1) % #options.cpus + 1]
      local command = { "sh", "-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1 </dev/null', "sh", log,
        "setsid", "--fork", "taskset", "-c", cpus, table.unpack(node.command) }
      local status, _, complaint = kubeque.proc.run(command)
      if status ~= 0 then
        return nil, ("node %s could not be started: %s"):format(node.id, complaint)
      end
      added[i] = { id = node.id, state = "STARTED", log = log }
    end
    return added
  end,

  list = function(cluster)
    return kubeque.nodes.list(cluster)
  end,
}
