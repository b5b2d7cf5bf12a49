-- Why a task is not running, why it failed, why it was tried again: one plain sentence, and the
-- evidence for it. `kubeque explain` prints what is found here.

local fault = require "kubeque.fault"

local M = {}

local function time(ms)
  return require("kubeque.output").local_time(ms)
end

local function plural(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

---Amounts for people: memory in bytes, others as numbers.
local function amount(name, value)
  return (name == "memory" or name == "disk") and kubeque.units.format_bytes(value)
    or ("%.14g"):format(value)
end

---Why a class of resources fits none of the nodes; nil when it fits one.
local function misfit(class, nodes)
  local largest, first = {}, nil
  for _, node in ipairs(nodes) do
    local fits = true
    for name, need in pairs(class.resources or {}) do
      local have = (node.cap or {})[name] or 0
      largest[name] = math.max(largest[name] or 0, have)
      fits = fits and need <= have
    end
    if fits then
      return nil
    end
  end
  for name, need in pairs(class.resources or {}) do
    if need > (largest[name] or 0) then
      first = ("it needs %s=%s, and the largest node has %s"):format(name, amount(name, need),
        amount(name, largest[name] or 0))
      break
    end
  end
  return first or "no node has all the resources it needs together"
end

---Why a task waits for another node than the one where it failed; nil when it does not.
local function avoids(class, nodes)
  local others, avoided = {}, false
  for _, node in ipairs(nodes) do
    avoided = avoided or node.id == class.avoid
    if node.id ~= class.avoid and node.state == "RUNNING" then
      others[#others + 1] = node
    end
  end
  if avoided and others[1] and not misfit(class, others) then
    return ("it waits for room on another node than %s, where it failed"):format(class.avoid)
  end
end

---Pending tasks of other jobs that go first.
local function ahead(job)
  local count, other = 0, nil
  for _, o in ipairs(fault.check(kubeque.queue.jobs { cluster = job.cluster, states = { "open" },
    limit = 1000 })) do
    if o.born ~= job.born and (o.priority > job.priority
      or o.priority == job.priority and o.bound < job.bound) then
      local pending = fault.check(kubeque.queue.counts(o.born)).pending or 0
      if pending > 0 then
        count, other = count + pending, o.id
      end
    end
  end
  return count, other
end

local function node_evidence(nodes)
  local lines = {}
  for _, node in ipairs(nodes) do
    local cap, info = node.cap or {}, node.info or {}
    lines[#lines + 1] = ("node %s: %s, %s CPUs, %s running%s"):format(node.id, node.state,
      ("%.14g"):format(cap.cpu or 0), node.running,
      info.message and info.message ~= "" and ": " .. info.message or "")
  end
  return lines
end

local function node_message(nodes)
  for _, node in ipairs(nodes) do
    local text = (node.info or {}).message
    if text and text ~= "" then
      return ("node %s says: %s"):format(node.id, text)
    end
  end
end

---Why a pending task does not run: a sentence, and evidence.
local function waiting(job, task)
  local nodes = fault.check(kubeque.queue.nodes(job.cluster))
  local _, live = require("kubeque.nodes").counts(nodes)
  local now = kubeque.time.now()
  local evidence = node_evidence(nodes)
  if job.state == "killing" then
    return job.stopped and "its policy stops the job: " .. job.stopped
      or "the job is being killed", evidence
  elseif task.due > now then
    return ("it is tried again at %s, after a pause"):format(time(task.due)), evidence
  elseif live == 0 then
    return ("no node is running: kubeque addnodes %s 1"):format(job.id), evidence
  end
  local class = job.classes[task.class] or {}
  local why = misfit(class, nodes)
  if why then
    return why, evidence
  elseif node_message(nodes) then
    return node_message(nodes), evidence
  elseif job.max_running > 0 and job.running >= job.max_running then
    return ("the job runs %d tasks, and --max-running allows %d"):format(job.running,
      job.max_running), evidence
  end
  why = class.avoid and avoids(class, nodes)
  if why then
    return why, evidence
  end
  local count, other = ahead(job)
  if count > 0 then
    return ("%s of other jobs go first (%s, priority or submitted earlier)"):format(
      plural(count, "task"), other), evidence
  end
  return "the nodes are busy: it starts when there is room", evidence
end

---One line an attempt.
local function attempt_line(a)
  local parts = { ("attempt %d: %s"):format(a.k, a.label) }
  if a.node and a.node ~= "" then
    parts[#parts + 1] = "on " .. a.node
  end
  if a.started and a.started > 0 then
    parts[#parts + 1] = ("%s, took %s"):format(time(a.started),
      kubeque.units.format_duration(a.elapsed or 0))
  end
  if a.max_memory and a.max_memory > 0 then
    parts[#parts + 1] = "memory " .. kubeque.units.format_bytes(a.max_memory)
  end
  local line = table.concat(parts, ", ")
  if a.reason and a.reason ~= "" and not a.label:find(a.reason, 1, true) then
    line = line .. "; " .. a.reason
  end
  if a.verdict and a.verdict ~= "" then
    line = line .. "; then: " .. a.verdict
  end
  return line
end

local causes = {
  exit = function(a)
    local code = a.exit_code or 0
    if code == 127 then
      return "its program was not found (exit code 127)"
    elseif code == 126 then
      return "its program could not be executed (exit code 126)"
    end
    return ("its command ended with exit code %d"):format(code)
  end,
  signal = function(a)
    return ("its command was ended by a signal that was not kubeque's: %s"):format(a.label)
  end,
  timeout = function() return "it ran longer than its --timeout" end,
  oom = function() return "it used more memory than its limit" end,
  disk = function() return "it used more disk than its limit" end,
  missing_input = function() return "an input was not there any more" end,
  output = function(a)
    return a.label:find("changed a linked input", 1, true)
        and "it wrote to an input that was only linked (--link-inputs): submit it without"
      or "an output could not be read or stored"
  end,
  image = function() return "its image could not be used" end,
  lost = function() return "its node was lost while it ran, too often" end,
  policy = function() return "the job's policy said so" end,
}

local function failure_sentence(task, last)
  local say = last and causes[(last.cause:gsub("[ -]", "_"))]
  local text = say and say(last) or task.label
  if task.reason and task.reason ~= "" and not text:find(task.reason, 1, true) then
    text = text .. " (" .. task.reason .. ")"
  end
  return text
end

---Who decided: the job's policies and what broke in them.
local function policy_evidence(job, n, evidence)
  local policy = require "kubeque.jobpolicy"
  if policy.of(job) then
    evidence[#evidence + 1] = "policy: " .. policy.text(job)
    local errors = policy.errors(job, n)
    if errors[1] then
      evidence[#evidence + 1] = ("the policy failed%s, kubeque itself decided: %s"):format(
        #errors > 1 and (" %d times"):format(#errors) or "", errors[#errors])
    end
    local lost = policy.undelivered(job, n)
    if lost[1] then
      evidence[#evidence + 1] = ("not delivered%s: %s"):format(
        #lost > 1 and (" (%d times)"):format(#lost) or "", lost[#lost])
    end
  end
  return evidence
end

---What became of one task: a sentence and lines of evidence.
function M.task(job, task)
  local name = ("%s.%d"):format(job.id, task.n)
  local attempts = task.attempt > 0 and fault.check(kubeque.queue.attempts(job.born, task.n)) or {}
  local last = attempts[#attempts]
  local evidence = {}
  for i, a in ipairs(attempts) do
    -- a node that cannot run anything gives a task back again and again
    local nth = a.label == "released" and attempts[i - 1] and attempts[i - 1].label == a.label
      and attempts[i + 1] and attempts[i + 1].label == a.label
    if not nth then
      evidence[#evidence + 1] = attempt_line(a)
    elseif evidence[#evidence] ~= "..." then
      evidence[#evidence + 1] = "..."
    end
  end
  policy_evidence(job, task.n, evidence)
  local text
  if task.state == "pending" then
    local why, more = waiting(job, task)
    text = ("%s is waiting: %s"):format(name, why)
    table.move(more, 1, #more, #evidence + 1, evidence)
  elseif task.state == "claimed" then
    text = ("%s is running on %s (attempt %d)"):format(name, task.node, task.attempt)
  elseif task.state == "ended" then
    text = ("%s has ended on %s, and its node is deciding what becomes of it"):format(name,
      task.node)
  elseif task.state == "succeeded" then
    text = ("%s succeeded: %s%s"):format(name, task.label,
      #attempts > 1 and (" at attempt %d"):format(task.attempt) or "")
  elseif task.state == "killed" then
    text = job.stopped and ("%s was killed when its policy stopped the job: %s"):format(name,
      job.stopped) or name .. " was killed by the user"
  else
    text = ("%s did not succeed: %s"):format(name, failure_sentence(task, last))
    if last and last.tail and last.tail ~= "" then
      evidence[#evidence + 1] = "end of its output:"
      for _, line in ipairs(require("kubeque.taskview").tail_lines(last.tail)) do
        evidence[#evidence + 1] = "  " .. line
      end
    end
  end
  return text, evidence
end

local function first_task(job, states)
  return fault.check(kubeque.queue.tasks(job.born, { states = states, limit = 1 }))[1]
end

---What holds for a job of many tasks: the sentence of its first waiting or failed task stands for
---the others.
function M.job(job)
  local counts = fault.check(kubeque.queue.counts(job.born))
  local text = require("kubeque.progress").tasks_text(counts)
  local pending = first_task(job, { "pending" })
  if pending then
    local why, evidence = waiting(job, pending)
    local running = counts.claimed or 0
    return ("%s waits with %s%s: %s"):format(job.id, plural(counts.pending or 1, "task"),
      running > 0 and (" (%d running)"):format(running) or "", why),
      policy_evidence(job, nil, evidence)
  elseif (counts.claimed or 0) > 0 then
    return ("%s is running: %s"):format(job.id, text),
      policy_evidence(job, nil, node_evidence(fault.check(kubeque.queue.nodes(job.cluster))))
  end
  local killed = counts.killed or 0
  if job.stopped then
    return ("%s was stopped by its policy: %s (%s)"):format(job.id, job.stopped, text),
      policy_evidence(job, nil, {})
  end
  local failed = (counts["complete(code=0)"] or 0) + killed < job.n
    and first_task(job, { "failed" })
  if failed then
    local why, evidence = M.task(job, failed)
    return ("%s has ended, not every task succeeded: %s. First: %s"):format(job.id, text, why),
      evidence
  elseif killed > 0 then
    return ("%s was killed by the user: %s"):format(job.id, text), {}
  end
  return ("%s succeeded: all of its %s"):format(job.id, plural(job.n, "task")),
    policy_evidence(job, nil, {})
end

return M
