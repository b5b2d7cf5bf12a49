-- The nodes of this machine: consumers as detached processes, each with its log in
-- $KUBEQUE_HOME/nodes. Starting, listing and ending them is C (src/nodes/nodes_local.c); it names
-- nodes after the host itself, so the ids of the request are not used.

local function start(request, count, first)
  local args = table.move(request.command, 3, #request.command, 1, {}) -- not: kubeque consume
  args[#args + 1] = first and "--first" or nil
  return kubeque.nodes.add { cluster = request.cluster, count = count, first = first,
    job = request.job, args = args }
end

return kubeque.provider {
  name = "local",
  summary = "consumers as processes of this machine",
  requires = "any queue",

  add = function(request)
    if not request.first then
      return start(request, request.count, false)
    end
    local nodes, why, code = start(request, 1, true)
    if nodes and request.count > 1 then
      local more, missing = start(request, request.count - 1, false)
      table.move(more or {}, 1, #(more or {}), 2, nodes)
      return nodes, missing
    end
    return nodes, why, code
  end,

  list = function(cluster)
    return kubeque.nodes.list(cluster)
  end,

  remove = function(ids, _, force)
    local found = {}
    for _, id in ipairs(ids) do
      local ok, why, code = kubeque.nodes.stop(id, force)
      if ok then
        found[#found + 1] = id
      elseif code ~= "not_found" then
        return nil, why, code
      end
    end
    return found
  end,
}
