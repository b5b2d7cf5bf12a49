-- `kubeque scripts check`: what is wrong with a script, each problem with its line, before it runs
-- where it matters.
--
--   check.file(path) -> list of { line =, text = }, kind
--   check.main(paths) -> exit status; prints "FILE:LINE: text", or "FILE: fine"
--
-- Looked at are the syntax, names below `kubeque`, keys of option tables, globals; a command, a
-- policy and a provider are loaded as well, to see what they declare. A recipe or any other script
-- is not run: loading it would do its work.

local fault = require "kubeque.fault"
local names = require "kubeque.check_names"
local syntax = require "kubeque.syntax"

local M = {}

local kind_of_folder = { commands = "command", policies = "policy", providers = "provider",
  recipes = "recipe", api = "api" }

-- Keys that only a table of this kind has.
local telling = {
  policy = { on_submit = true, on_task_failed = true, on_task_lost = true, on_event = true,
    scale = true },
  provider = { requires = true, remove = true, logs = true },
  command = { usage = true, run = true, words = true },
}

-- What the functions of a declaration are called with.
local called_with = {
  policy = { on_submit = "job, options", on_task_failed = "task, attempt, job, options",
    on_task_lost = "task, node, job, options", scale = "state, options",
    on_event = "event, options" },
  command = { run = "opt, args, ctx" },
  provider = { add = "request, options", list = "cluster, options, place",
    remove = "ids, options, force, place", logs = "id, options, place" },
}

---Kind by what a text returns and calls.
local function kind_of_text(text)
  local kind
  local result = syntax.walk(text, { read = function(path)
    local field = path.fields[1] and path.fields[1].name
    if not path.binding and (names.recipe_globals[path.name]
      or path.name == "kubeque" and (field == "job" or field == "search")) then
      kind = "recipe"
    end
  end })
  local path = result and result.kind == "call" and result.path
  local declares = path and path.name == "kubeque" and #path.fields == 1 and path.fields[1].name
  if called_with[declares] then
    return declares
  end
  for name, keys in pairs(telling) do
    for _, key in ipairs(result and result.kind == "table" and result.keys or {}) do
      if keys[key.name] then
        return name
      end
    end
  end
  return kind or "script"
end

---"command", "policy", "provider", "recipe", "api" (a file of lua/api) or "script".
function M.kind_of(path, text)
  return kind_of_folder[path:match "([^/]*)/[^/]*$" or ""] or kind_of_text(text)
end

-- ---- loading ----

-- What a file's body may call; the rest is for its functions.
local pure = { units = true, json = true,
  csv = true, params = true, template = true, time = true, log = true, version = true, glob = true,
  is_pattern = true, distance = true, ranges = true, job_id_fault = true, config = true }

local function refuse(path)
  return function()
    error(("%s is called while the file is loaded: call it in one of its functions"):format(path), 2)
  end
end

-- Checks a declaration as what reads it in earnest does; raises.
local declare = {
  policy = function(value) kubeque.policy(value) end,
  provider = function(value) kubeque.provider(value) end,
  command = function(value) kubeque.command(value) end,
  api = function(value) require("kubeque.apidoc").validate(value, "the declaration") end,
}

local registration = { command = true, policy = true, provider = true }

---A stand-in for a table whose functions say that this is not the time.
local function guarded(path, value)
  if type(value) == "function" then
    return refuse(path)
  elseif type(value) ~= "table" then
    return value
  end
  return setmetatable({}, { __call = refuse(path), __index = function(_, key)
    return guarded(path .. "." .. tostring(key), value[key])
  end })
end

local function environment(path)
  local env = setmetatable({}, { __index = _G })
  env._G = env
  env.kubeque = setmetatable({}, { __index = function(_, key)
    if registration[key] then
      return function(value) return value end -- what comes of it is checked
    end
    return pure[key] and kubeque[key] or guarded("kubeque." .. tostring(key), kubeque[key])
  end })
  for _, name in ipairs { "io", "package", "debug" } do
    env[name] = guarded(name, _G[name])
  end
  env.os = setmetatable({ time = os.time, date = os.date, clock = os.clock, getenv = os.getenv,
    difftime = os.difftime }, { __index = function(_, key)
    return guarded("os." .. tostring(key), os[key])
  end })
  env.dofile, env.loadfile = refuse "dofile", refuse "loadfile"
  env.arg = { [0] = path }
  return env
end

---Runs the body of a script in an environment of its own; what it returns, or nil and why.
local function load_script(path, text)
  local scripts = require "kubeque.scripts"
  local before = scripts.current
  scripts.current = { name = path, path = path, text = function() return text end }
  local chunk = scripts.compile(text, path)
  debug.setupvalue(chunk, 1, environment(path))
  local ok, value = pcall(require("kubeque.budget").run, 0.5, chunk)
  scripts.current = before
  if ok then
    return value
  end
  local f = fault.of(value)
  if f and f.code == "interrupted" then
    error(value, 0)
  end
  return nil, scripts.expand(f and f.message or tostring(value))
end

---Adds a message that may name its place as "FILE:LINE:"; `line` when it names none.
local function add_message(add, path, message, line)
  local _, stop = message:find(path .. ":", 1, true)
  if stop then
    local n, rest = message:sub(stop + 1):match "^(%d+): (.*)$"
    if n then
      return add(tonumber(n), rest)
    end
    message = message:sub(stop + 1):gsub("^%s+", "")
  end
  add(line, message)
end

---A policy that is a file is loaded as a node does, too: with what it requires, in the sandbox.
local function check_in_sandbox(path, line, add)
  local spec = path:find("/", 1, true) and path or "./" .. path
  if path:find(":", 1, true) or not kubeque.fs.stat(path) then
    return
  end
  local ok, problem = pcall(require("kubeque.bundle").make, { spec })
  if not ok then
    local f = fault.of(problem)
    add_message(add, path, f and f.message or tostring(problem), line)
  end
end

---Functions of a declaration that take more than they get.
local function check_functions(kind, value, line, add)
  for key, expected in pairs(called_with[kind]) do
    local f = value[key]
    local info = type(f) == "function" and debug.getinfo(f, "uS")
    local _, commas = expected:gsub(",", "")
    if info and info.nparams > commas + 1 then
      add(info.linedefined > 0 and info.linedefined or line, ("%s is called with (%s), and takes %d "
        .. "parameters"):format(key, expected, info.nparams))
    end
  end
end

---Loads a declaration and has it checked.
local function check_declaration(kind, path, text, line, add)
  local value, why = load_script(path, text)
  if why then
    return add_message(add, path, why, line)
  elseif type(value) ~= "table" then
    return add(line, ("the file returns %s: a %s ends with `return %s{...}`"):format(
      value == nil and "nothing" or "a " .. type(value), kind,
      kind == "api" and "" or "kubeque." .. kind))
  end
  local scripts = require "kubeque.scripts"
  local before = scripts.current
  scripts.current = { name = path, path = path, text = function() return text end }
  local ok, problem = pcall(declare[kind], value)
  scripts.current = before
  if not ok then
    local f = fault.of(problem)
    add_message(add, path, scripts.expand(f and f.message or tostring(problem)), line)
    return
  elseif called_with[kind] then
    check_functions(kind, value, line, add)
  end
  if kind == "policy" then
    check_in_sandbox(path, line, add)
  end
end

-- ---- a file ----

---Problems of a text, by line. `path` is for messages and tells the kind.
---@param path string
---@param text string
---@return table[] problems, string kind
function M.text(path, text)
  local problems = {}
  local function add(line, problem)
    problems[#problems + 1] = { line = line, text = problem }
  end
  local source = require("kubeque.scripts").source(text)
  local chunk, why = require("kubeque.scripts").compile(text, path)
  if not chunk then
    add_message(add, path, why, 1)
    return problems, "script"
  end
  local kind = M.kind_of(path, source)
  local result = names.check(source, kind, add)
  if declare[kind] and #problems == 0 then -- what the text shows has better lines
    local _, lines = source:gsub("\n", "")
    check_declaration(kind, path, source, result and result.line or math.max(lines, 1), add)
  end
  table.sort(problems, function(a, b)
    return a.line < b.line or a.line == b.line and a.text < b.text
  end)
  return problems, kind
end

---The same of a file. nil, why, code when it cannot be read.
function M.file(path)
  local text, why, code = kubeque.fs.read(path, 16 << 20)
  if not text then
    return nil, why, code
  end
  return M.text(path, text)
end

---Checks files and prints what is wrong: 0, or 7 when something is. What cannot be read raises.
function M.main(paths)
  local status = 0
  for _, path in ipairs(paths) do
    local problems = fault.check(M.file(path))
    for _, p in ipairs(problems) do
      kubeque.out(("%s:%d: %s\n"):format(path, p.line, p.text))
      status = 7
    end
    if #problems == 0 then
      kubeque.out(path .. ": fine\n")
    end
  end
  return status
end

return M
