-- What kubeque does by itself, as a policy: after an attempt that did not succeed, when a node is
-- gone, and how many nodes a job gets. Jobs without --policy are decided by this. It runs on the
-- node, in a sandbox: it decides, kubeque acts.
--
-- A hook answers with an action, or a table { action, after = seconds, free = true, elsewhere = true,
-- with = { memory =, cpu =, image = }, note = "one sentence for explain" }, or nil: then the next
-- policy decides.
--   "retry"     another attempt
--   "fail"      the outcome stands as it is
--   "complete"  it counts as a success in spite of its exit code
--   "wait"      (a lost node only) one more lease for it
-- What a hook is given are copies; writing to one is an error.

-- Causes that another attempt may change; an exit code of 126 or 127 (no such program, not
-- executable) it will not.
local improves = { exit = true, signal = true, timeout = true, oom = true }
local hopeless = { [126] = "cannot be executed", [127] = "is not there" }
local not_its_fault = { lost = true, preempted = true, released = true }

local FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60

---Seconds before attempt number `tries` + 2: half a second, doubled each time.
local function pause(tries)
  return math.min(FIRST_PAUSE * 2 ^ tries, LONGEST_PAUSE)
end

return kubeque.policy {
  name = "default",
  summary = "what kubeque does by itself: --retries, with pauses that grow",

  on_task_failed = function(task, attempt)
    if not_its_fault[attempt.cause] then
      return { "retry", free = true,
        note = "again: its node went away, which is not the task's fault" }
    elseif attempt.cause == "exit" and hopeless[attempt.exit_code] then
      return { "fail", note = ("given up: code %d means that the program %s"):format(
        attempt.exit_code, hopeless[attempt.exit_code]) }
    elseif not improves[attempt.cause] then
      return { "fail", note = "given up: trying again cannot change this" }
    elseif task.tries < task.retries then
      return { "retry", after = pause(task.tries),
        note = ("again: retry %d of %d"):format(task.tries + 1, task.retries) }
    elseif task.retries == 0 then
      return { "fail", note = "given up: no retries were asked for (--retries)" }
    end
    return { "fail", note = ("given up: all retries (%d) are used up"):format(task.retries) }
  end,

  on_task_lost = function(_, node)
    return { "retry", free = true, note = ("again: node %s is gone"):format(node.id) }
  end,

  ---One node on this machine already uses all of it; more only when the user asked for more.
  scale = function(state)
    if state.wanted > 0 then
      return state.wanted
    elseif state.pending + state.running > 0 then
      return math.max(state.nodes, 1)
    end
    return state.nodes
  end,
}
