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

-- The run of this process: name, path, fresh, dry_run, jobs, made (ids made by it), unnamed.
M.current = nil

local Run = {}
Run.__index = Run

---Notes a job that is being submitted.
function Run:add(job)
  table.insert(self.jobs, job)
  rawset(job, "number", #self.jobs)
end

-- ---- the environment ----

-----set as a table that remembers what was looked at.
local function settings(given, seen)
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
  local env = { job = require "kubeque.job", args = args, set = set }
  return setmetatable(env, {
    __index = function(_, key)
      if key == "params" then
        return kubeque.params
      end
      local value = rawget(_G, key)
      if value == nil then
        misuse.raise("there is no global %s%s", tostring(key), misuse.hint(key, global_names(env)))
      end
      return value
    end,
    __newindex = function(_, key)
      misuse.raise("%s is no local variable: write local %s = ... (or local function)",
        tostring(key), tostring(key))
    end,
  })
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

---Message handler: what ended the recipe, with its line.
local function handler(source, trace)
  return function(value)
    local f = fault.of(value)
    if f then
      if mistakes[f.code] and f.message ~= "" then
        return { code = "script", message = place(source) .. ": " .. f.message }
      end
      return value
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
      local names = {}
      for name in pairs(seen) do
        names[#names + 1] = tostring(name)
      end
      local near = require("kubeque.options").nearest(key, names)
      kubeque.log.warn(("--set %s: %s reads no set.%s%s"):format(key, run.path, key,
        near and (" (did you mean %s?)"):format(near) or ""))
    end
  end
end

---Submits what a recipe returned, and waits for what is not over.
local function finish(run, result)
  local job = require "kubeque.job"
  local list = job.is(result) and { result } or result
  if type(list) == "table" then
    for i, item in ipairs(list) do
      if not job.is(item) then
        fault.raisef("script", "%s: it returns a list whose item %d is no job", run.path, i)
      elseif not rawget(item, "how") then
        item:submit()
      end
    end
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
  local env = environment(o.args or {}, settings(o.set or {}, seen))
  local chunk, why = load(text, "@" .. path, "t", env)
  if not chunk then
    fault.raise("script", why)
  end
  return chunk, seen
end

---Runs a recipe. Raises what ended it.
---@param o table path, name, text, args, set (table), fresh, dry_run, trace; unsubmitted (a job that
---it returns is given back instead of being submitted)
---@return any result what the recipe returned
function M.run(o)
  local chunk, seen = load_recipe(o.path, o.text, o)
  local run = setmetatable({ name = o.name, path = o.path, fresh = o.fresh or false,
    dry_run = o.dry_run or false, jobs = {}, made = {}, unnamed = {} }, Run)
  M.current = run
  local function body()
    local result = chunk(table.unpack(o.args or {}))
    if not o.unsubmitted then
      finish(run, result)
    end
    return result
  end
  local ok, result = xpcall(body, handler("@" .. o.path, o.trace))
  M.current = nil
  if not ok then
    if not (run.dry_run and type(result) == "table" and result.code == "dry_run") then
      error(result, 0)
    end
    result = nil
  end
  warn_unread(run, o.set or {}, seen)
  return result, run
end

---Reads the file of a recipe: its path or its name.
---@param word string
---@return table found path, name, text
function M.find(word)
  local path = word
  local text, why, code = kubeque.fs.read(path, 1 << 24)
  if not text then
    fault.raise(code == "not_found" and "usage" or code, why)
  end
  local name = require("kubeque.steps").id_part(path:match "([^/]*)$":gsub("%.lua$", ""))
  return { path = path, text = text, name = name ~= "" and name or "recipe" }
end

return M
