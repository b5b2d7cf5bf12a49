-- A reaper for flaky networks: a node that fell silent gets two more leases before its tasks are
-- given to others, and a task that was lost too often is given up, because it may be what ends
-- the nodes.
--
--   kubeque sub --policy ./patient-reaper.lua:losses=2 ...

return kubeque.policy {
  name = "patient-reaper",
  summary = "waits for silent nodes, gives up tasks that were lost too often",
  options = { waits = 2, losses = 3 },

  on_task_lost = function(task, node, _, options)
    if task.lost + 1 >= options.losses then
      return { "fail", note = ("lost with its node %d times"):format(task.lost + 1) }
    elseif node.waits < options.waits then
      return "wait"
    end
    return { "retry", free = true, note = "again: its node is gone" }
  end,
}
