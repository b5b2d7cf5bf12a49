-- Driving a search with jobs: each batch of rows that it suggests is a job, a step of the recipe.
-- The journal (kubeque.search.journal) is written before anything follows from it, so a run that
-- was stopped at any moment is taken up again: the search is asked and told once more what is in
-- the journal, and the job of a batch that was asked and not told is found by its content.

local fault = require "kubeque.fault"
local misuse = require "kubeque.misuse"
local names = require "kubeque.names"
local space = require "kubeque.search.space"

local M = {}

local BATCH <const> = 10 -- rows asked of a search that does not say how many it has

-- ---- options ----

local keys = { "search", "job", "value", "file", "goal", "batch", "name" }

local function check(o)
  misuse.keys("search.run", o or {}, keys)
  local search = o and o.search
  if type(search) ~= "table" then
    misuse.raise "search.run: option search: a search expected, such as kubeque.search.random{...}"
  end
  for _, method in ipairs { "suggest", "tell", "best" } do
    if type(search[method]) ~= "function" then
      misuse.raise("search.run: option search: it has no function %s", method)
    end
  end
  if type(o.job) ~= "function" and type(o.job) ~= "table" or require("kubeque.job").is(o.job) then
    misuse.raise "search.run: option job: options of a job, or a function(rows) that returns one"
  elseif type(o.job) == "table" and o.job.params ~= nil then
    misuse.raise "search.run: option job: its params are what the search suggests"
  elseif type(o.value) ~= "string" and type(o.value) ~= "function" then
    misuse.raise "search.run: option value: the name of a field, or a function of the results' row"
  elseif o.goal ~= nil and o.goal ~= "min" and o.goal ~= "max" then
    misuse.raise('search.run: option goal: "min" or "max" expected, got %s', tostring(o.goal))
  elseif o.name ~= nil and (type(o.name) ~= "string" or o.name == "") then
    misuse.raise "search.run: option name: a text expected"
  elseif o.file ~= nil and type(o.file) ~= "string" then
    misuse.raise "search.run: option file: the name of a result expected"
  end
  return search, o.batch and space.integer("search.run", "batch", o.batch, 1)
    or type(search.trials) == "number" and search.trials or BATCH
end

-- ---- one batch ----

local function check_rows(rows, k)
  if type(rows) ~= "table" then
    misuse.raise("search.run: batch %d: suggest() returned a %s, not a list of rows", k, type(rows))
  end
  misuse.list(("search.run: batch %d"):format(k), rows)
  for i, row in ipairs(rows) do
    if type(row) ~= "table" or type(next(row)) ~= "string" then
      misuse.raise("search.run: batch %d: row %d is no table of named values", k, i)
    end
    local fine, why = pcall(kubeque.json.encode, row)
    if not fine then
      misuse.raise("search.run: batch %d: row %d cannot be kept: %s", k, i,
        (tostring(why):gsub("^kubeque/[^:]+:%d+: ", "")))
    end
  end
  return rows
end

---The job of a batch, not submitted unless the script did it.
local function job_of(s, rows, k)
  local job = require "kubeque.job"
  if type(s.o.job) == "function" then
    local made = s.o.job(rows, k)
    if not job.is(made) then
      misuse.raise("search.run: option job: the function returned a %s, not a job", type(made))
    end
    return made
  end
  local options = { name = ("%s-%d"):format(s.name, k), params = rows, allow_failures = true }
  for key, value in pairs(s.o.job) do
    if key ~= "name" then
      options[key] = value
    end
  end
  return job.new(options)
end

---What the values of a batch follow from, as a digest: its job, and what is read of it.
local function origin_of(s, job)
  local value = s.o.value
  local step = rawget(job, "how") == "there" and job.id or require("kubeque.steps").key(job, s.ctx)
  return kubeque.cas.hash_string(table.concat({ step, s.o.file or "", type(value),
    type(value) == "string" and value or string.dump(value, true) }, "\0")):sub(1, 32)
end

---A result as a number; nil when the task gave none.
local function value_of(s, row)
  local value
  if type(s.o.value) == "function" then
    value = s.o.value(row)
  else
    value = row[s.o.value]
  end
  local number = require("kubeque.results").number(value)
  if value ~= nil and not number then
    misuse.raise('search.run: task %s.%d: %s is "%s", not a number', row.kq_job, row.kq_task,
      type(s.o.value) == "string" and s.o.value or "value", tostring(value))
  end
  return space.finite(number)
end

---Submits (or finds) the job of a batch and waits for it; what its rows gave, null for failures,
---and its origin.
local function results_of(s, rows, k)
  local job = job_of(s, rows, k)
  local origin = origin_of(s, job)
  if not rawget(job, "how") then
    job:submit()
  end
  if job.how ~= "planned" and job.n ~= #rows then
    misuse.raise("search.run: batch %d: the job has %d tasks for %d rows", k, job.n, #rows)
  end
  job:wait { check = false }
  if job:counts().killed then
    fault.raise("job", ("%s: tasks of %s were killed: run the recipe again to go on"):format(s.title,
      job.id), 1)
  end
  local values, seen, results = {}, 0, job:results(s.o.file, { missing = "skip" })
  for i = 1, #rows do
    values[i] = kubeque.json.null
  end
  if #results == 0 then
    results = job:results(s.o.file) -- not one has the file: its name is wrong
  elseif type(s.o.value) == "string" then
    require("kubeque.results").check_field(results, s.o.value) -- or that of the field
  end
  for _, row in ipairs(results) do
    local value = value_of(s, row)
    values[row.kq_task] = value or kubeque.json.null
    seen = seen + (value and 1 or 0)
  end
  if seen == 0 then
    kubeque.log.warn(("%s: batch %d: no task gave a value: kubeque explain %s"):format(s.title, k,
      job.id))
  end
  return values, origin
end

-- ---- the loop ----

---Tells the search what a batch gave.
local function tell(s, rows, values)
  for i, row in ipairs(rows) do
    local value = values[i] ~= kubeque.json.null and values[i] or nil
    s.told = s.told + 1
    s.failed = s.failed + (value and 0 or 1)
    s.rows[s.told] = { row = row, value = value }
    s.search:tell(row, value and (s.o.goal == "max" and -value or value))
  end
end

---The best row as the script wants to have it; nil when there is none yet.
local function best_of(s)
  local row, value = s.search:best()
  if row == nil or value == nil then
    return nil
  elseif type(row) ~= "table" or type(value) ~= "number" then
    misuse.raise("search.run: best() returned a %s and a %s, not a row and its value", type(row),
      type(value))
  end
  return row, s.o.goal == "max" and -value or value
end

local function report(s, k)
  local row, value = best_of(s)
  if s.ctx.quiet then
    return
  end
  local text = "no value yet"
  if row then
    local words = names.of(row)
    for i, name in ipairs(words) do
      words[i] = ("%s=%s"):format(name, type(row[name]) == "number" and ("%.6g"):format(row[name])
        or tostring(row[name]))
    end
    text = ("best %.6g with %s"):format(value, table.concat(words, " "))
  end
  kubeque.log.info(("%s: batch %d, %d trials: %s"):format(s.title, k, s.told, text))
end

local function same_rows(a, b)
  if #a ~= #b then
    return false
  end
  for i, row in ipairs(a) do
    if space.key(row) ~= space.key(b[i]) then
      return false
    end
  end
  return true
end

---Asks the search once more what the journal says it was asked. Returns rows that it suggested
---and that are not in the journal (the search is another one from there on); or nil and whether it
---is over.
local function replay(s)
  local journal = s.journal
  for k, batch in ipairs(journal.batches) do
    local rows = s.search:suggest(#batch.rows)
    if not rows or not same_rows(check_rows(rows, k), batch.rows) then
      if not rows then
        return nil, true
      end
      kubeque.log.warn(("%s: it is not what it was when batch %d was asked: it goes on from there "
        .. "anew"):format(s.title, k))
      if journal.lock then
        journal:cut(k)
      end
      local more = #rows < s.batch and s.search:suggest(s.batch - #rows) or {}
      return table.move(check_rows(more, k), 1, #more, #rows + 1, rows)
    elseif not batch.values then
      return nil
    elseif batch.of and batch.of ~= origin_of(s, job_of(s, rows, k)) then
      kubeque.log.warn(("%s: the job of batch %d, or what is read of it, is not what it was: it goes "
        .. "on from there anew"):format(s.title, k))
      if journal.lock then
        journal:cut(k)
      end
      return rows
    end
    tell(s, rows, batch.values)
  end
end

---Runs one batch; `rows` nil: the one that was asked and not told.
local function run_batch(s, rows)
  if rows then
    s.journal:ask(rows)
  end
  local k = #s.journal.batches
  local batch = s.journal.batches[k]
  local values, origin = results_of(s, batch.rows, k)
  s.journal:tell(values, origin)
  tell(s, batch.rows, values)
  report(s, k)
end

---A dry run ends where something would have to run.
local function check_dry_run(s)
  if s.dry_run then
    kubeque.log.info(("%s: %d trials are done, more would run"):format(s.title, s.told))
    fault.raise("dry_run", "", 0)
  end
end

local function loop(s)
  local rows, over = replay(s)
  local last = s.journal.batches[#s.journal.batches]
  if not over and not rows and last and not last.values then
    check_dry_run(s)
    run_batch(s)
  end
  while not over do
    rows = rows or s.search:suggest(s.batch)
    if not rows then
      return
    elseif #check_rows(rows, #s.journal.batches + 1) == 0 then
      misuse.raise "search.run: suggest() has no rows though everything it asked for is told"
    end
    check_dry_run(s)
    run_batch(s, rows)
    rows = nil
  end
end

---What was tried, as a collection of results with the field `value`.
local function trials_of(s)
  local rows = {}
  for i, trial in ipairs(s.rows) do
    rows[i] = { value = trial.value }
    for name, value in pairs(trial.row) do
      rows[i][name] = value
    end
  end
  return require("kubeque.results").new(rows, names.of(s.rows[1] and s.rows[1].row or {}))
end

---Names of searches in a recipe: those that are used again get a number.
local function name_of(o, run)
  local name = o.name or type(o.job) == "table" and o.job.name or "search"
  run.searches = run.searches or {}
  local count = (run.searches[name] or 0) + 1
  run.searches[name] = count
  return count > 1 and name .. "-" .. count or name
end

---The name as a part of a file's name: no two have the same.
local function file_part(name)
  local part = require("kubeque.steps").id_part(name)
  return part == name and part or part .. "-" .. kubeque.cas.hash_string(name):sub(1, 8)
end

---@param o table see kubeque.search.run
---@return table best
function M.run(o)
  local search, batch = check(o)
  local recipe = require "kubeque.recipe"
  local run = recipe.current
  if not run then
    misuse.raise "search.run: a search is driven by a recipe: kubeque run FILE.lua"
  end
  run.busy = true
  local name = name_of(o, run)
  local s = { o = o, search = search, batch = batch, name = name, title = "search " .. name, told = 0,
    failed = 0, rows = {}, ctx = require("kubeque.context").current(), dry_run = run.dry_run }
  local path = ("%s/search-%s.jsonl"):format(recipe.directory(), file_part(name))
  local journal <close> = require("kubeque.search.journal").open(path, { fresh = run.fresh,
    read_only = run.dry_run, say = function(text)
      kubeque.log.info(("%s: %s"):format(s.title, text))
    end })
  s.journal = journal
  loop(s)
  local row, value = best_of(s)
  if not row then
    fault.raise("job", ("%s: none of its %d trials gave a value"):format(s.title, s.told), 1)
  end
  return { row = row, value = value, trials = trials_of(s), failed = s.failed }
end

return M
