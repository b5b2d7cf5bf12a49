-- For nodes that may be taken away at any moment: an attempt that ended because its node went is
-- free, and a task that this has happened to often enough moves to nodes that stay.
--
--   kubeque sub --policy spot ...
--   kubeque sub --policy spot:resource=on-demand,after=2 ...
--
-- Nodes that stay declare a named resource (node_resources=on-demand=100 in their configuration, or
-- kubeque addnodes with it); after so many interruptions the task asks for one of it, so that only
-- such a node takes it. Without resource= a task stays where it is. However often, kubeque itself
-- gives a task up when 5 nodes died under it.

local interrupted = { lost = true, preempted = true, released = true }

---Verdict after interruption number `count` of a task.
local function again(task, count, what, options)
  local name = options.resource
  if name == "" or count < options.after or (task.class.resources[name] or 0) > 0 then
    return { "retry", free = true, note = ("again, free of charge: %s"):format(what) }
  end
  return { "retry", free = true, with = { [name] = 1 },
    note = ("again on a node with %s, after %d interruptions: %s"):format(name, count, what) }
end

return kubeque.policy {
  name = "spot",
  summary = "interruptions are free, and after some of them the task moves to nodes that stay",
  options = {
    after = 3,     -- interruptions
    resource = "", -- named resource of nodes that stay
  },

  on_task_failed = function(task, attempt, _, options)
    if interrupted[attempt.cause] then
      return again(task, task.lost + task.free + 1, "it was " .. attempt.cause, options)
    end
  end,

  on_task_lost = function(task, node, _, options)
    return again(task, task.lost + task.free + 1, ("node %s is gone"):format(node.id), options)
  end,
}
