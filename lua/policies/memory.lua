-- A task that ran out of memory gets more of it: twice as much at each attempt, up to a cap.
--
--   kubeque sub --policy memory -r memory=2G ...               2G, 4G, 8G, 16G
--   kubeque sub --policy memory:cap=64G,factor=4 -r memory=1G ...
--
-- These attempts need no --retries, and every other failure is left to the next policy (here: to
-- what kubeque does by itself).

local units = kubeque.units

---The memory that was not enough: the task's limit. A task without one met the limit of the machine:
---what it used, as a power of two, because tasks differ a little and a job has at most 32 kinds.
local function had(task, attempt)
  for _, name in ipairs(task.class.limits or {}) do
    if name == "memory" then
      return task.class.resources.memory
    end
  end
  local used = math.max(task.class.resources.memory, attempt.max_memory, 1 << 20)
  return 1 << math.ceil(math.log(used, 2))
end

return kubeque.policy {
  name = "memory",
  summary = "give a task that ran out of memory more of it, up to a cap",
  options = {
    cap = "16G", -- at most so much
    factor = 2,  -- times what it had
  },

  on_task_failed = function(task, attempt, _, options)
    if attempt.cause ~= "oom" then
      return nil
    end
    local from, cap = had(task, attempt), units.memory(options.cap)
    if from >= cap then
      return { "fail", note = ("given up: it ran out of %s of memory, and the cap is %s"):format(
        units.format_bytes(from), options.cap) }
    end
    local to = math.min(math.ceil(from * options.factor), cap)
    return { "retry", with = { memory = to }, note = ("again with %s of memory instead of %s"):format(
      units.format_bytes(to), units.format_bytes(from)) }
  end,
}
