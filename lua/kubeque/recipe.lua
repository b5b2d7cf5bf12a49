-- Recipes: Lua files that build jobs and say what happens between them.
--
-- A recipe has the globals of Lua, `kubeque`, and
--   job     kubeque.job; here a job is a step (kubeque.steps)
--   params  kubeque.params
--   args    the words after its name
--   set     what --set k=v gave, as texts
-- and no others: reading or making one is an error. It may return a job, or a list of them, that it
-- did not submit; `kubeque run` does that then. What was submitted and not waited for is waited for
-- at the end.

local fault = require "kubeque.fault"
local misuse = require "kubeque.misuse"

local M = {}

-- The run of this process: name, path, fresh, dry_run, jobs, made (ids made by it), unnamed,
-- busy (it did something else than to submit steps).
M.current = nil

local Run = {}
Run.__index = Run

---Notes a job that is being submitted.
function Run:add(job)
  if self.overrides then
    fault.raisef("usage", "this recipe submits its jobs itself, so %s has no job to go to: write it "
      .. "here, or return the job instead", self.overrides)
  end
  table.insert(self.jobs, job)
  rawset(job, "number", #self.jobs)
end

-- ---- the environment ----

---What the --set options say, as a table.
---@param list? table[] pairs as the parser gives them
---@return table
function M.settings(list)
  local set = {}
  for _, pair in ipairs(list or {}) do
    set[pair.key] = pair.value
  end
  return set
end

---`set` as a table that remembers what was looked at.
local function remembering(given, seen)
  return setmetatable({}, {
    __index = function(_, key)
      seen[key] = true
      return given[key]
    end,
    __newindex = function(_, key)
      misuse.raise("set.%s: what --set gives cannot be changed", tostring(key))
    end,
    __pairs = function()
      for key in pairs(given) do
        seen[key] = true
      end
      return next, given, nil
    end,
  })
end

local function global_names(env)
  local names = { "params" }
  for _, t in ipairs { env, _G } do
    for name in next, t do
      names[#names + 1] = name
    end
  end
  return names
end

local function environment(args, set)
  local env = { job = require("kubeque.job").public, args = args, set = set }
  return setmetatable(env, {
    __index = function(_, key)
      if key == "params" then
        return kubeque.params
      end
      local value = rawget(_G, key)
      if value == nil then
        misuse.raise("there is no global %s%s", tostring(key),
          require("kubeque.names").hint(key, global_names(env)))
      end
      return value
    end,
    __newindex = function(_, key)
      misuse.raise("%s is no local variable: write local %s = ... (or local function)",
        tostring(key), tostring(key))
    end,
  })
end

-- ---- values that are made once ----

---Where values and journals of a recipe are kept: made when it is not there, but by a dry run.
---@return string dir
function M.directory()
  local ctx, run = require("kubeque.context").current(), M.current
  if not ctx:session { create = not (run and run.dry_run) } then
    return "/nonexistent"
  end
  local path = run and kubeque.fs.realpath(run.path) or run and run.path or "script"
  local dir = ("%s/recipes/%s-%s"):format(ctx.config._queue_home, run and run.name or "script",
    kubeque.cas.hash_string(path):sub(1, 8))
  if not (run and run.dry_run) then
    fault.check(kubeque.fs.mkdir_p(dir, 448)) -- 0700
  end
  return dir
end

---A value that is computed once: what fn() returned the first time, also when the recipe runs
---again. It is kept as JSON.
---@param name string
---@param fn function
---@return any value
function M.once(name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then
    misuse.raise "once: a name and a function expected"
  end
  local run = M.current
  local path = ("%s/once-%s.json"):format(M.directory(), kubeque.cas.hash_string(name):sub(1, 16))
  local fresh = run and run.fresh and not run.made[path]
  local text = not fresh and kubeque.fs.read(path)
  if text then
    return fault.check(kubeque.json.decode(text)).value
  end
  local value = fn()
  local ok, encoded = pcall(kubeque.json.encode, { name = name, value = value })
  if not ok then
    misuse.raise("once: %s: the value cannot be kept as JSON: %s", name, encoded)
  end
  if not (run and run.dry_run) then
    fault.check(kubeque.fs.write(path, encoded, 384)) -- 0600
  end
  if run then
    run.made[path] = true
  end
  return fault.check(kubeque.json.decode(encoded)).value
end

-- ---- running ----

-- What is a mistake of the script when it ends one.
local mistakes = { usage = true, conflict = true, not_found = true, script = true }

---The line of the recipe that is running, as "recipe.lua:12".
local function place(source)
  local level = 3
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then
      return source:sub(2)
    elseif info.source == source and info.currentline > 0 then
      return ("%s:%d"):format(source:sub(2), info.currentline)
    end
    level = level + 1
  end
end

---Notes that a job is made: one that is never submitted was meant otherwise.
function Run:note()
  self.made_at = self.made_at or place("@" .. self.path)
end

---Message handler: what ended the recipe, with its line.
local function handler(source, trace)
  return function(value)
    local f = fault.of(value)
    if f then
      if mistakes[f.code] and f.message ~= "" then
        return { code = "script", message = place(source) .. ": " .. f.message, exit = 7 }
      end
      return value
    elseif type(value) == "string" and not trace then
      -- an argument that kubeque passed on: the script's line is the one to look at
      value = value:gsub("^kubeque/[%w_/]+%.lua:%d+: (%l+ [a-z#0-9' ]+)", function(text)
        return (text:find "^bad argument" or text:find "^option '") and place(source) .. ": " .. text
      end)
    elseif type(value) ~= "string" then
      value = ("%s: error raised with %s"):format(place(source), type(value) == "table"
        and "a table" or tostring(value))
    end
    return trace and debug.traceback(value, 2) or value
  end
end

local function warn_unread(run, given, seen)
  for key in pairs(given) do
    if not seen[key] then
      local known = {}
      for name in pairs(seen) do
        known[#known + 1] = tostring(name)
      end
      kubeque.log.warn(("--set %s: %s reads no set.%s%s"):format(key, run.path, key,
        require("kubeque.names").hint(key, known, { other = "" })))
    end
  end
end

---What a value is called in a message.
local function described(value)
  local mt = type(value) == "table" and getmetatable(value)
  return mt and type(mt.__name) == "string" and mt.__name or type(value) == "table" and "a table"
    or "a " .. type(value)
end

---The jobs that a recipe returned: one, a list of them, or none.
local function returned(...)
  local job, result = require "kubeque.job", ...
  if select("#", ...) > 1 then
    fault.raisef("script", "it returns %d values: several jobs are returned as a list: "
      .. "return { a, b }", select("#", ...))
  elseif result == nil then
    return {}
  elseif job.is(result) then
    return { result }
  elseif type(result) ~= "table" or getmetatable(result) then
    fault.raisef("script", "it returns %s, which is no job: return a job, a list of jobs or nothing",
      described(result))
  end
  for key, item in pairs(result) do
    if math.type(key) ~= "integer" or key < 1 or key > #result then
      fault.raisef("script", "it returns a table with the key %s: return a job, job{...}, or a list "
        .. "of jobs", tostring(key))
    elseif not job.is(item) then
      fault.raisef("script", "it returns a list whose item %d is no job but %s", key,
        described(item))
    end
  end
  return result
end

---Submits the jobs that a recipe returned, and waits for what is not over.
local function finish(run, list)
  local job = require "kubeque.job"
  if run.overrides and #list > 1 then
    fault.raisef("script", "it returns %d jobs, so %s has no job to go to: write it there", #list,
      run.overrides)
  end
  for _, item in ipairs(list) do
    if not rawget(item, "how") then
      item:submit()
    end
  end
  if not run.busy and #run.jobs == 0 and (run.made_at or run.needs_job) then
    local text = ("it submits no job%s: write :submit() behind job{...}, or return the job")
      :format(run.made_at and ", the one made at " .. run.made_at .. " is not used" or "")
    if run.needs_job then
      fault.raise("script", text)
    end
    kubeque.log.warn(run.path .. ": " .. text)
  end
  local open = {}
  for _, item in ipairs(run.jobs) do
    if rawget(item, "how") and item.how ~= "planned" and not rawget(item, "waited") then
      open[#open + 1] = item
    end
  end
  if #open > 0 then
    job.wait_all(open)
  end
end

---Loads a recipe.
---@param path string for messages
---@param text string
---@param o table args, set
---@return function chunk
---@return table seen the keys of `set` that were read
local function load_recipe(path, text, o)
  local seen = {}
  local env = environment(o.args or {}, remembering(o.set or {}, seen))
  local chunk, why = require("kubeque.scripts").compile(text, path, env)
  if not chunk then
    fault.raise("script", why)
  end
  return chunk, seen
end

---The state of a run: the name goes into the ids of its jobs.
local function new_run(script, o)
  local name = require("kubeque.steps").id_part(script.name)
  return setmetatable({ name = name ~= "" and name or "recipe",
    path = script.path or ("recipes/%s.lua"):format(script.name), fresh = o.fresh or false,
    dry_run = o.dry_run or false, overrides = o.overrides, needs_job = o.take, jobs = {}, made = {},
    unnamed = {} }, Run)
end

---Calls fn as a part of a run: its jobs are steps, and its mistakes name the recipe's line. Raises
---what ended it; a dry run that cannot go on is not an error.
local function as_run(run, script, trace, fn)
  local scripts = require "kubeque.scripts"
  local before = scripts.current
  M.current, scripts.current = run, script
  local ok, result = xpcall(fn, handler("@" .. run.path, trace))
  M.current, scripts.current = nil, before
  if ok then
    return result
  elseif run.dry_run and type(result) == "table" and result.code == "dry_run" then
    return nil
  end
  error(result, 0)
end

---Runs a recipe. Raises what ended it.
---@param script table as M.find gives it
---@param o table args, set (a table of texts), fresh, dry_run, trace; take: the one job that the
---recipe returned and did not submit is given back, and it is a mistake when there is no job at all;
---overrides: an option that is meant for that job
---@return table|nil job
function M.run(script, o)
  local run, taken = new_run(script, o), nil
  local chunk, seen = load_recipe(run.path, fault.check(script.text()), o)
  as_run(run, script, o.trace, function()
    local list = returned(chunk(table.unpack(o.args or {})))
    if kubeque.interrupted() then -- the recipe did not look: nothing more is begun
      fault.raise("interrupted", "")
    end
    if o.take and #list == 1 and not rawget(list[1], "how") then
      taken = list[1]
    else
      finish(run, list)
    end
  end)
  warn_unread(run, o.set or {}, seen)
  return taken
end

---Finds a recipe: a file, or a name of kubeque.scripts.
---@param word string
---@return table script as kubeque.scripts.find gives it
function M.find(word)
  local script, why, code = require("kubeque.scripts").find("recipes", word)
  if not script then
    fault.raise(code == "not_found" and "usage" or code, why)
  elseif why then
    kubeque.log.warn(why)
  end
  return script
end

return M
