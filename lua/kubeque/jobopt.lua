-- What kubeque.job{...} takes: sub's own options, `command`, parameters as rows, and what a recipe
-- says of its steps.

local misuse = require "kubeque.misuse"
local tableopt = require "kubeque.tableopt"

local M = {}

local other = { "command", "id", "name", "params", "policy", "allow_failures" }

-- Options of sub that belong to a command line that waits.
local instead = {
  dry_run = "kubeque run --dry-run shows what a recipe would do",
  dryrun = "kubeque run --dry-run shows what a recipe would do",
  fetch = "call :fetch(DIR) when the job is over",
  json = "ask :counts() and :ok()",
  local_ = "jobs run where the configuration says",
  no_wait = "leave :wait() out",
  set = "the recipe is this file",
  show = "call :wait{show = \"all\"}",
  sweep = "give params = params.product{...}",
  zip = "give params = params.zip{...}",
  sample = "give params = params.product{...}:sample(n)",
  lhs = "give params = params.latin_hypercube(space, n)",
  sobol = "give params = params.sobol(space, n)",
  seed = "give it to what is random: params.uniform(0, 1, {seed = 1})",
  wait_timeout = "call :wait{timeout = ...}",
}
instead["local"] = instead.local_

local function check_type(rest, key, want)
  if rest[key] ~= nil and type(rest[key]) ~= want then
    misuse.raise("job: option %s: a %s expected, got a %s", key, want == "string" and "text" or want,
      type(rest[key]))
  elseif rest[key] == "" then
    misuse.raise("job: option %s is empty", key)
  end
end

---A shell line as it is; a list as words.
local function words_of(command)
  if command == nil then
    return {}
  elseif type(command) == "string" then
    if not command:find "%S" then
      misuse.raise "job: option command is empty"
    end
    return { tableopt.typable("job", "command", command) }
  elseif type(command) ~= "table" then
    misuse.raise("job: option command: a shell line or a list of words expected, got a %s",
      type(command))
  end
  local words = {}
  for i, word in ipairs(misuse.list("job: option command", command)) do
    word = tableopt.typable("job", "command", word)
    if type(word) == "number" then
      word = tableopt.number_text(word)
    elseif type(word) ~= "string" then
      misuse.raise("job: option command: word %d is a %s", i, type(word))
    end
    words[i] = word
  end
  if #words == 0 then
    misuse.raise "job: option command is empty"
  elseif #words == 1 and words[1]:find "%s" then
    misuse.raise("job: option command: a list is a program and its words, one each: "
      .. "command = %q is a shell line", words[1])
  end
  return words
end

-- Of kubeque.params: what gives values, but no rows.
local endless = { space = true, draw = true }

---Rows of a list or params object; a file name goes on as an option.
local function rows_of(rest, opt)
  local params = rest.params
  if type(params) == "string" then
    opt.params = params
    if params == "-" then
      misuse.raise "job: option params: a script cannot give its stdin away: use a file"
    end
  elseif type(params) == "table" and require("kubeque.params.core").is(params) then
    return params
  elseif type(params) == "table" and endless[(getmetatable(params) or {}).__name] then
    misuse.raise("job: option params: %s has no rows of its own: take some with :sample(n)",
      tostring(params))
  elseif type(params) == "table" and type(next(params)) == "string" then
    misuse.raise("job: option params: a list of rows expected; every combination of some values "
      .. "is params.product{...}")
  elseif type(params) == "table" then
    return require("kubeque.params.source").rows(params)
  elseif params ~= nil then
    misuse.raise("job: option params: a file, a list of rows or params expected, got a %s",
      type(params))
  end
end

---Names of files that job:outputs() gave are no templates.
local function literal(value)
  if type(value) ~= "table" then
    return value
  end
  local mt, out = getmetatable(value), {}
  for key, item in pairs(value) do
    if mt and mt.__name == "outputs" and type(item) == "string" then
      item = item:gsub("{([%a_][%w_.:-]*)}", "{{%1}}")
    end
    out[key] = literal(item)
  end
  return out
end

---Inputs as written, but for what job:outputs() gave to a job whose braces mean something.
local function with_literals(t)
  if not (t.params or t.seq or t.each or t.lines) or type(t.push) ~= "table" then
    return t
  end
  local copy = {}
  for key, value in pairs(t) do
    copy[key] = value
  end
  copy.push = literal(t.push)
  return copy
end

---Policies as kubeque.bundle takes them: "memory", {"memory", cap = "8G"}, or a list of both.
local function policy_of(value)
  if value ~= nil and type(value) ~= "string" and type(value) ~= "table" then
    misuse.raise("job: option policy: a SPEC, { SPEC, option = value } or a list of them expected, "
      .. "got a %s", type(value))
  end
  return value
end

local function check_id(id)
  local why = id and kubeque.job_id_fault(id)
  if why then
    misuse.raise('job: option id: "%s": %s', id, why)
  end
end

---Reads the table. Raises, with the script's line.
---@param t table
---@return table job opt, words, rows, name, id, allow_failures
function M.read(t)
  if type(t) ~= "table" then
    misuse.raise("job: a table of options expected, got a %s", type(t))
  end
  local command = require "builtin.commands.sub"
  local opt, rest = tableopt.read(command, with_literals(t), { what = "job", other = other,
    instead = instead })
  opt.policy = policy_of(rest.policy)
  check_type(rest, "name", "string")
  check_type(rest, "id", "string")
  check_id(rest.id)
  check_type(rest, "allow_failures", "boolean")
  return { opt = opt, words = words_of(rest.command), rows = rows_of(rest, opt), name = rest.name,
    id = rest.id, allow_failures = rest.allow_failures or false }
end

return M
