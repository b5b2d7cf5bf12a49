-- What the tasks of a job left: their rows in tasks.csv, their files.

local fault = require "kubeque.fault"
local misuse = require "kubeque.misuse"
local select = require "kubeque.select"

local M = {}

local states = { "pending", "claimed", "ended", "succeeded", "failed", "killed" }

---A word or list of words as the queue's filter.
local function state_list(state)
  if state == nil then
    return nil
  end
  local list = type(state) == "table" and state or { state }
  for _, word in ipairs(list) do
    local known
    for _, name in ipairs(states) do
      known = known or name == word
    end
    if not known then
      misuse.raise("there is no state %s%s", tostring(word), require("kubeque.names").hint(word,
        table.move(states, 1, #states, 1, {})))
    end
  end
  return #list > 0 and list or misuse.raise "state: the list is empty"
end

local function time(ms)
  return ms and ms > 0 and kubeque.time.utc(ms) or nil
end

---The row of a task as in tasks.csv, and its parameters as texts.
local function row_of(job, task, manifest)
  local value = require("kubeque.results").value
  local row, texts = {}, {}
  for _, pair in ipairs(manifest:task(task.n).parameters) do
    texts[pair[1]] = pair[2]
    row[pair[1]] = value(pair[2])
  end
  local a = require("kubeque.taskview").attempt(job, task) or {}
  row.kq_job, row.kq_task, row.kq_state = job.id, task.n, task.label
  row.kq_exit_code = a.exit_code or a.return_code
  row.kq_reason = task.reason ~= "" and task.reason or nil
  row.kq_attempts = task.attempt
  row.kq_node = a.node or task.node ~= "" and task.node or nil
  row.kq_started, row.kq_ended = time(a.started), time(a.ended)
  row.kq_seconds, row.kq_user_cpu, row.kq_system_cpu = a.elapsed, a.user_cpu, a.system_cpu
  row.kq_max_memory = a.max_memory
  return row, texts
end

---An iterator over rows of tasks; second value: their parameters as submitted.
---@param job table record of the queue
---@param state? string|string[]
function M.tasks(job, state)
  local manifest = fault.check(kubeque.manifest(job))
  local each = select.each_task(job, { states = state_list(state) })
  return function()
    local task = each()
    if task then
      return row_of(job, task, manifest)
    end
  end
end

local function check_task(job, n)
  if math.type(n) ~= "integer" or n < 1 or n > job.n then
    misuse.raise("job %s has tasks 1 to %d, there is no %s", job.id, job.n, tostring(n))
  end
end

---The directory of a task's results.
local function directory(job, n)
  check_task(job, n)
  local dir, why, code = kubeque.results.path(job, n)
  if not dir and not why then
    why, code = ("task %s.%d has no results: it made none (kubeque explain %s.%d), option outputs "
      .. "keeps none, or they were removed (kubeque clean %s lets a recipe make them again)"):format(
      job.id, n, job.id, n, job.id), "not_found"
  end
  return fault.check(dir, why, code)
end

---@param job table
---@param n integer
---@param file? string
---@return string path
function M.path(job, n, file)
  local dir = directory(job, n)
  if file == nil then
    return dir
  end
  local path = dir .. "/" .. file
  if not kubeque.fs.stat(path) then
    fault.raisef("not_found", "task %s.%d left no %s: kubeque logs %s.%d shows its output", job.id,
      n, file, job.id, n)
  end
  return path
end

---@param job table
---@param n? integer
---@return string text
function M.stdout(job, n)
  if n == nil and job.n > 1 then
    misuse.raise("stdout: which task? job %s has %d", job.id, job.n)
  end
  check_task(job, n or 1)
  local path = kubeque.results.stdout(job, n or 1)
  return path and fault.check(kubeque.fs.read(path)) or ""
end

---@param job table
---@param file? string
---@param o table missing, state
function M.results(job, file, o)
  local results = require "kubeque.results"
  if o.missing ~= nil and o.missing ~= "skip" and o.missing ~= "error" then
    misuse.raise('results: missing is "error" or "skip", not %s', tostring(o.missing))
  end
  local rows = {}
  for task, texts in M.tasks(job, o.state or "succeeded") do
    local dir = file and kubeque.results.path(job, task.kq_task)
    local path = dir and dir .. "/" .. file
    local stat = path and kubeque.fs.stat(path)
    if not file then
      rows[#rows + 1] = results.merge(task, nil, texts)
    elseif stat and stat.type ~= "file" then
      fault.raisef("not_found", "task %s.%d left %s, which is no file", job.id, task.kq_task, file)
    elseif stat then
      for _, fields in ipairs(results.read(path)) do
        rows[#rows + 1] = results.merge(task, fields, texts)
      end
    elseif o.missing ~= "skip" then
      M.path(job, task.kq_task, file)
    end
  end
  local columns = fault.check(kubeque.manifest(job)):columns()
  return results.new(rows, columns)
end

-- ---- outputs as inputs ----

local function add_matching(specs, dir, n, rel, patterns)
  local matches = #patterns == 0
  for _, pattern in ipairs(patterns) do
    matches = matches or kubeque.glob(pattern, rel)
  end
  if not matches then
    return false
  end
  local src = dir .. "/" .. rel
  if src:find ":" then
    fault.raisef("usage", "%s: a name with : cannot be given on as an input: rename it", src)
  end
  specs[#specs + 1] = ("%s:%d/%s"):format(src, n, rel)
  return true
end

---The names of a task's outputs, below its directory.
local function files_of(dir)
  local text = fault.check(kubeque.fs.read(dir .. "/result.json"))
  local names = {}
  for _, file in ipairs(fault.check(kubeque.json.decode(text)).files) do
    local url = file.dst_url or ""
    names[#names + 1] = url:sub(1, #dir + 1) == dir .. "/" and url:sub(#dir + 2) or file.src
  end
  return names
end

---@param job table
---@param patterns string[]
---@return string[] specs of -u
function M.outputs(job, patterns)
  local specs = {}
  for _, pattern in ipairs(patterns) do
    if type(pattern) ~= "string" then
      misuse.raise("outputs: a pattern expected, got a %s", type(pattern))
    end
  end
  for task in select.each_task(job, { states = { "succeeded" } }) do
    local dir, found = directory(job, task.n), false
    local names = files_of(dir)
    names[#names + 1] = #patterns > 0 and "stdout.txt" or nil
    for _, name in ipairs(names) do
      found = add_matching(specs, dir, task.n, name, patterns) or found
    end
    if not found and #patterns > 0 then
      fault.raisef("not_found", "task %s.%d left no %s: kubeque logs %s.%d shows its output", job.id,
        task.n, table.concat(patterns, " or "), job.id, task.n)
    end
  end
  return setmetatable(specs, { __name = "outputs" })
end

return M
