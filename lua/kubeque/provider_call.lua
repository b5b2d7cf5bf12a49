-- Calling a provider's functions, each in a process of its own.
--
-- The child is this program (hidden command `provide`): it gets the provider's text, the name of
-- the function and its arguments as JSON on stdin, and answers as JSON on stdout, behind a mark;
-- what the provider prints goes to stderr. So a provider may block, crash or call os.exit: after
-- its time limit the child and what it started (what left its process group excepted: nodes do)
-- are killed, and the caller goes on with one line about it. The child itself stops a loop of Lua
-- a moment earlier, which tells the line it was in.

local fault = require "kubeque.fault"

local M = {}

local MARK = "\0kubeque answers\n"
local MARGIN = 1 -- seconds that the child has to say where it was when time was up

-- ---- the caller's side ----

local function time_up(name, method, seconds)
  fault.raisef("busy", "provider %s: %s took longer than %s and was ended (provider.timeout)",
    name, method, kubeque.units.format_duration(seconds))
end

---What a child said: its answer, or a fault for what it is instead.
local function read_answer(name, method, code, out)
  local at, rest = out:find(MARK, 1, true)
  if at and at > 1 then
    io.stderr:write(out:sub(1, at - 1))
  end
  local answer = at and kubeque.json.decode(out:sub(rest + 1))
  if type(answer) ~= "table" then
    fault.raisef("script", "provider %s: %s ended without an answer (exit code %d)", name, method,
      code)
  elseif answer.message then
    fault.raise(answer.code, ("provider %s: %s: %s"):format(name, method, answer.message))
  end
  return answer
end

---Calls a function of the configured provider.
---@param chosen table what kubeque.provider.of() says
---@param method string "add", "list", "remove" or "logs"
---@param args table its arguments, without the options
---@param where table { home =, cluster =, log_dir = }: the queue, where output goes
---@return table answer { value =, extra = }
function M.call(chosen, method, args, where)
  local name, timeout = chosen.name, chosen.options.timeout
  local found = chosen.found
  local text = fault.check(found.text())
  local input = kubeque.json.encode { name = found.name, place = found.place, path = found.path,
    folder = found.folder, text = text, method = method, args = args,
    options = chosen.options, where = where, timeout = timeout, level = kubeque.log.level() }
  kubeque.term.clear()
  local code, out, why = kubeque.proc.run { "/proc/self/exe", "provide", stdin = input,
    stderr = "inherit", timeout = timeout > 0 and timeout + MARGIN or nil }
  if not code and why == "timeout" then
    time_up(name, method, timeout)
  elseif not code then
    fault.raise(why, out)
  end
  return read_answer(name, method, code, out)
end

---The same in this process, for the compiled-in provider of this machine, which is C and quick.
function M.call_here(chosen, method, args)
  local value, extra, code = M.invoke(chosen.provider, method, args, chosen.options)
  if value == nil then
    fault.raise(code, ("provider %s: %s"):format(chosen.name, extra))
  end
  return { value = value, extra = extra }
end

-- ---- both sides ----

local function list_of_nodes(method, value)
  if type(value) ~= "table" then
    return nil, ("%s returned a %s, and a list of nodes is expected"):format(method, type(value))
  end
  for i, node in ipairs(value) do
    if type(node) ~= "table" or type(node.id) ~= "string" then
      return nil, ("%s returned no node at place %d: { id = ..., state = ... } is expected"):format(
        method, i)
    end
    for key, item in pairs(node) do
      if key ~= "id" and key ~= "state" and key ~= "log" and key ~= "name" then
        return nil, ("%s returned a node with the unknown field %s (a node has id, state, log, "
          .. "name)"):format(method, tostring(key))
      elseif type(item) ~= "string" then
        node[key] = tostring(item)
      end
    end
  end
  return value
end

local checks = { add = list_of_nodes, list = list_of_nodes }

function checks.remove(method, value, ids)
  if value == true then
    return ids
  elseif type(value) ~= "table" then
    return nil, ("%s returned a %s: true or the list of ids that it found is expected"):format(
      method, type(value))
  end
  return value
end

function checks.logs(method, value)
  if type(value) ~= "string" then
    return nil, ("%s returned a %s, and text is expected"):format(method, type(value))
  end
  return value
end

---Calls a function of a provider. `nil, message, code` when it says no or returns what is not
---expected; errors of its code are raised.
function M.invoke(provider, method, args, options, place)
  local value, extra, code
  if method == "add" then
    value, extra, code = provider.add(args[1], options)
  elseif method == "remove" then
    value, extra, code = provider.remove(args[1], options, args[2], place)
  else
    value, extra, code = provider[method](args[1], options, place)
  end
  if value == nil then
    return nil, tostring(extra or "it returned nothing"),
      extra and (fault.exit_codes[code] and code or "io") or "script"
  end
  local wrong
  value, wrong = checks[method](method, value, args[1])
  if value == nil then
    return nil, wrong, "script"
  end
  return value, extra
end

-- ---- the child's side ----

---Calls fn, which is stopped when the time of the call is up.
local function limited(seconds, fn)
  if seconds <= 0 then
    return fn()
  end
  return kubeque.budget({ seconds = seconds, wall = true, code = "busy",
    message = ("it took longer than %s (provider.timeout)"):format(
      kubeque.units.format_duration(seconds)) }, fn)
end

local function answer(value)
  io.stdout:write(MARK, kubeque.json.encode(value))
  io.stdout:flush()
end

---What the hidden command `provide` does.
function M.serve()
  local ask = kubeque.json.decode(io.read "a")
  io.output(io.stderr)
  _G.print = function(...)
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = tostring(words[i])
    end
    io.stderr:write(table.concat(words, "\t"), "\n")
  end
  kubeque.log.level(ask.level)
  fault.check(kubeque.session { home = ask.where.home, cluster = ask.where.cluster })
  local found = { kind = "providers", name = ask.name, place = ask.place, path = ask.path,
    folder = ask.folder, overrides = {}, text = function() return ask.text end }
  local ok, value, extra, code = pcall(limited, ask.timeout, function()
    local provider = require("kubeque.provider").load(found)
    require("kubeque.scripts").current = found -- what its functions require lies beside it
    return M.invoke(provider, ask.method, ask.args, ask.options, ask.where)
  end)
  if not ok then
    local f = fault.of(value)
    answer { message = f and f.message or tostring(value), code = f and f.code or "script" }
  elseif value == nil then
    answer { message = extra, code = code }
  else
    answer { value = value, extra = extra ~= nil and tostring(extra) or nil }
  end
  return 0
end

return M
