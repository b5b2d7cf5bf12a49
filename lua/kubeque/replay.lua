-- Asking policies again about what has happened: the questions that a task's policy was asked, and
-- what it said, from the history; and what a policy says of them now.

local fault = require "kubeque.fault"

local M = {}

-- Attempts that no policy is asked about: they succeeded, were killed, or a node gave them back.
local not_asked = { killed = true, released = true, preempted = true, none = true }

local function is_asked(attempt)
  return not not_asked[attempt.cause]
    and not (attempt.cause == "exit" and attempt.exit_code == 0)
end

---An answer in the form of kubeque.policies.ask, as it was recorded.
local function recorded(answer)
  return { action = answer.action, after = answer.after, free = answer.free,
    elsewhere = answer.elsewhere, stop = answer.stop, class = answer.class, note = answer.note }
end

---What is known of an answer that was not recorded: the note, and whether there was another attempt.
local function guessed(attempt, is_last, task)
  local note = attempt.verdict ~= "" and attempt.verdict or nil
  if not is_last then
    return { action = "retry", note = note }
  elseif task.state == "pending" or task.state == "claimed" then
    return { action = "retry", note = note }
  end
  return { action = task.state == "succeeded" and "complete" or "fail", note = note }
end

---A question out of its record.
local function from_record(text)
  local record = kubeque.json.decode(text)
  local node = record.node
  if node then
    node.cap, node.info = kubeque.json.encode(node.cap), kubeque.json.encode(node.info)
  end
  return { tries = record.tries, free = record.free, lost = record.lost,
    retries = record.retries, same = record.same, class = record.class, node = node },
    recorded(record.answer), record.broke, record.bounded
end

---The class of a task, and what --retries allows it.
local function class_of(job, task, manifest)
  local class = job.classes[task.class] or {}
  return class, class.retries or manifest:common().retries or 0
end

---The questions about a task, in order: { { k =, attempt =, question = {...}, answer = {...}, broke =,
---bounded = } }. Attempts that nobody was asked about have no question; where there is no record (the job had
---no policies of its own) the numbers are counted from the attempts before.
---@param job table
---@param n integer
function M.questions(job, n)
  local check = fault.check
  local task, manifest = check(kubeque.queue.task(job.born, n)), check(kubeque.manifest(job))
  local attempts, records, list = check(kubeque.queue.attempts(job.born, n)), {}, {}
  for _, row in ipairs(check(kubeque.queue.asked(job.born, n))) do
    records[row.k] = row.text
  end
  local tries, lost = 0, 0
  for i, attempt in ipairs(attempts) do
    local item = { k = attempt.k, attempt = attempt }
    list[i] = item
    if records[attempt.k] then
      item.question, item.answer, item.broke, item.bounded = from_record(records[attempt.k])
      item.recorded = true
    elseif is_asked(attempt) then
      local class, retries = class_of(job, task, manifest)
      item.question = { tries = tries, free = 0, lost = lost, retries = retries, same = 0,
        class = class }
      if attempt.cause == "lost" then
        item.question.node = { id = attempt.node, state = "LOST", cluster = job.cluster }
      end
      item.answer = guessed(attempt, i == #attempts, task)
    end
    if attempt.cause == "lost" then
      lost = lost + 1
    elseif item.question then
      tries = tries + 1
    end
  end
  return list
end

---The parameters of a task as JSON.
local function parameters_of(job, n)
  local out = {}
  for _, pair in ipairs(fault.check(kubeque.manifest(job)):task(n).parameters or {}) do
    out[pair[1]] = pair[2]
  end
  return next(out) and kubeque.json.encode(out) or "{}"
end

---What the policies of a bundle say of one question. Nil, why, code when they fail.
---@param bundle string
---@param job table
---@param n integer
---@param item table one of questions()
function M.ask(bundle, job, n, item)
  local ask = { bundle = bundle, job = job.born, n = n, k = item.k,
    parameters = parameters_of(job, n) }
  for key, value in pairs(item.question) do
    ask[key] = value
  end
  ask.class = kubeque.json.encode(ask.class)
  return kubeque.policies.ask(ask)
end

---The same decision? Notes are words about it and do not count.
function M.same(a, b)
  local function decision(v)
    return kubeque.json.encode { action = v.action, free = v.free or false, stop = v.stop or false,
      elsewhere = v.elsewhere or false, after = ("%.3f"):format(v.after or 0), class = v.class or false }
  end
  return decision(a) == decision(b)
end

---An answer in words: "retry after 10 s, free of charge, with memory=4G: note".
function M.text(answer, class)
  local parts = { answer.action }
  if answer.after then
    parts[#parts + 1] = "after " .. kubeque.units.format_duration(answer.after)
  end
  if answer.free then
    parts[#parts + 1] = "free of charge"
  end
  if answer.elsewhere then
    parts[#parts + 1] = "on another node"
  end
  if answer.stop then
    parts[#parts + 1] = "and stop the job"
  end
  local changes = {}
  local before = class and class.resources or {}
  for name, amount in pairs(answer.class and answer.class.resources or {}) do
    if before[name] ~= amount then
      local is_size = name == "memory" or name == "disk"
      changes[#changes + 1] = ("%s=%s"):format(name, is_size and kubeque.units.format_memory(amount)
        or ("%.14g"):format(amount))
    end
  end
  if answer.class and class and answer.class.image ~= class.image then
    changes[#changes + 1] = "image=" .. tostring(answer.class.image)
  end
  table.sort(changes)
  if changes[1] then
    parts[#parts + 1] = "with " .. table.concat(changes, ", ")
  end
  return table.concat(parts, " ") .. (answer.note and ": " .. answer.note or "")
end

return M
