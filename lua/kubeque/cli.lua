-- The command line: finds the command, parses its options, runs it, prints what went wrong.
--
-- main(argv) returns the exit status. A command is a file lua/commands/NAME.lua that returns
--
--   { name =, summary =, usage =, description =, options = {...}, args = {{"JOB"}, ...} or
--     words = true, run = function(opt, args, ctx) ... end }
--
-- run returns an exit status (nil: 0), or `nil, message, code`. `ctx`: lua/kubeque/context.lua.

local fault = require "kubeque.fault"
local options = require "kubeque.options"

local M = {}

-- Every command, as `help` groups them.
M.groups = {
  { title = "Run", "sub", "run", "retry", "watch", "kill", "reset", "sweep" },
  { title = "Look", "status", "list", "logs", "explain", "nodes", "du", "report", "diff",
    "top" },
  { title = "Results and data", "fetch", "listparams", "dumpjob", "shell", "clean" },
  { title = "Nodes", "addnodes", "consume" },
  { title = "About kubeque", "config", "validate", "version", "help" },
  { title = "Scripts of your own", "lua", "policy", "scripts", "new", "trust", "completion" },
}

-- Commands that kubeque gives itself.
M.hidden = { "complete", "deliver", "provide", "scale" }

-- Names people bring from elsewhere.
local aliases = {
  cancel = { "kill", hint = "cancel is called kill here: kubeque kill" },
  cat = { "logs", hint = "cat is called logs here: kubeque logs" },
  wait = { "status", "--wait", hint = "wait is called status --wait here: kubeque status --wait" },
}

function M.load(name)
  return (require("builtin.commands." .. name))
end

function M.names()
  local names = {}
  for _, group in ipairs(M.groups) do
    table.move(group, 1, #group, #names + 1, names)
  end
  return names
end

local known

---What kubeque calls itself is its own, whatever scripts there are.
function M.is_hidden(name)
  for _, hidden in ipairs(M.hidden) do
    if hidden == name then
      return true
    end
  end
  return false
end

local function is_stock(name)
  if not known then
    known = {}
    for _, list in ipairs { M.names(), M.hidden } do
      for _, n in ipairs(list) do
        known[n] = true
      end
    end
  end
  return known[name]
end

local function print_error(name, message)
  local scripts = package.loaded["kubeque.scripts"]
  message = scripts and scripts.expand(message) or message -- Lua cuts long paths
  kubeque.log.error((name and "kubeque " .. name or "kubeque") .. ": " .. message)
end

---An error that is no text, in words.
local function described(name, value)
  local script = package.loaded["kubeque.scripts"] and require("kubeque.scripts").current
  local mt = type(value) == "table" and getmetatable(value)
  local shown, text = pcall(tostring, value)
  if mt and mt.__tostring and shown then
    return text
  end
  return ("%s: error raised with %s"):format(script and script.path or name,
    type(value) == "table" and "a table" or tostring(value))
end

---Turns what a command raised into one line and an exit status.
local function failed(name, value, trace)
  local f = fault.of(value)
  if f then
    if f.message and f.message ~= "" then
      print_error(name, f.message)
    end
    return f.exit or fault.exit_code(f.code)
  end
  local text = type(value) == "string" and value or described(name, value)
  if trace then
    print_error(name, text)
  else
    print_error(name, (text:gsub("\nstack traceback:.*", ""):gsub("\n", " ")))
  end
  return 7
end

---Message handler: keeps faults as they are, adds a trace to the rest under --debug.
local function handler(trace)
  return function(value)
    if fault.of(value) or not trace then
      return value
    end
    return type(value) == "string" and debug.traceback(value, 2) or value
  end
end

local function prepare(opt)
  if opt.debug then
    kubeque.log.level("debug")
  end
end

local function run(command, opt, args)
  if command.script then
    require("kubeque.scripts").current = command.script
  end
  local ctx = require("kubeque.context").new(command.name, opt)
  local ok, code, message, kind = xpcall(command.run, handler(opt.debug), opt, args, ctx)
  if not ok then
    return failed(command.name, code, opt.debug)
  end
  if code == nil and type(message) == "string" then
    print_error(command.name, message)
    return fault.exit_code(kind)
  elseif code == nil and message == nil then
    return 0
  elseif math.type(code) == "integer" and code >= 0 and code <= 255 then
    return code
  end
  return failed(command.name, ("%s: run returned %s: it returns an exit status from 0 to 255, or "
    .. "nothing, or nil and why"):format(command.script and command.script.path or command.name,
    code == nil and "nil and a " .. type(message) or type(code) == "number" and tostring(code)
    or "a " .. type(code)))
end

---Loads a command that kubeque.scripts found outside of the built-in set; nil and why it cannot be
---used.
function M.check_own(found)
  local command, why = require("kubeque.command").load(found)
  if not command then
    return nil, why
  elseif is_stock(found.name) and not command.replaces then
    return nil, ("%s: %s is a command of kubeque: a script that is to stand for it says "
      .. "replaces = true"):format(require("kubeque.scripts").locate(found, "name"), found.name)
  end
  return command
end

---The user's own command of this name: command | nil (there is none) | false, why (there is one,
---but it cannot be used).
local function own_command(name)
  local scripts = require "kubeque.scripts"
  if M.is_hidden(name) or #scripts.places() == 0 or not scripts.valid_name(name) then
    return nil
  end
  local found, why, code = scripts.find("commands", name, { own = true })
  if not found then
    if code == "script" then
      return false, why
    end
    return nil
  elseif why then
    kubeque.log.warn(why)
  end
  local command
  command, why = M.check_own(found)
  if not command then
    return false, why
  end
  return command
end

---The user's own commands, for help: { {name=, place=, summary=, options= | fault=}, ... }.
function M.own()
  local scripts, out = require "kubeque.scripts", {}
  for _, found in ipairs(scripts.list { kind = "commands" }) do
    if found.place ~= "builtin" then
      local command, why = nil, found.blocked
      if not why then
        command, why = M.check_own(found)
      end
      out[#out + 1] = { name = found.name, place = found.place, command = command, fault = why,
        replaces = is_stock(found.name) or nil }
    end
  end
  return out
end

local function unknown_command(name)
  local all = M.names()
  local own = require("kubeque.scripts").names("commands", true)
  table.move(own, 1, #own, #all + 1, all)
  return nil, ('unknown command "%s"%s'):format(name,
    require("kubeque.names").hint(name, all, { other = "see: kubeque help" })), "usage"
end

---The command of a name or alias; nil, why, code. Second: the words that an alias brings. A script
---of the user's that cannot be used never takes a stock command away.
function M.find(name)
  local own, why = own_command(name)
  if own then
    return own
  elseif own == false and not is_stock(name) then
    return nil, why, "script"
  elseif own == false then
    kubeque.log.warn(why)
  end
  local alias = aliases[name]
  if alias then
    return M.load(alias[1]), alias
  elseif is_stock(name) then
    return M.load(name)
  end
  return unknown_command(name)
end

---Runs one command line (without the program's name). Returns the exit status.
function M.main(argv)
  local first, why, at = options.parse({}, argv, 1, true)
  if not first then
    print_error(nil, why)
    return 2
  end
  if first.version then
    return run(M.load("version"), first, {})
  elseif first.help then
    return run(M.load("help"), first, { argv[at] })
  elseif not argv[at] then
    io.stderr:write(require("kubeque.help").overview(M.groups, M.load, nil, M.own()))
    return 2
  end
  local command, alias, code = M.find(argv[at])
  if not command then
    print_error(nil, alias)
    return fault.exit_code(code)
  end
  local words = {}
  if alias then
    kubeque.log.info(alias.hint)
    table.move(alias, 2, #alias, 1, words)
  end
  table.move(argv, at + 1, #argv, #words + 1, words)
  local opt, args = options.parse(command, words)
  if not opt then
    print_error(command.name, args)
    return 2
  end
  for key, value in pairs(first) do
    if opt[key] == nil then
      opt[key] = value
    end
  end
  prepare(opt)
  if opt.help then
    return run(M.load("help"), opt, { command.name })
  elseif opt.version then
    return run(M.load("version"), opt, {})
  end
  return run(command, opt, args)
end

return M
