-- The interactive shell, `kubeque lua`: reads Lua, runs it, prints what it gives.

local fault = require "kubeque.fault"
local inspect = require "kubeque.inspect"

local M = {}

local HISTORY <const> = 1000 -- lines kept

-- ---- history ----

---${XDG_STATE_HOME:-~/.local/state}/kubeque/history, or nil for a user without a home.
function M.history_path()
  local env = kubeque.proc.env()
  local state = env.XDG_STATE_HOME
  if not state or state:sub(1, 1) ~= "/" then
    local home = require("kubeque.config").user_home()
    state = home and home .. "/.local/state"
  end
  return state and state .. "/kubeque/history"
end

-- One input a line; newlines within one are written as \n.
local function encode(text)
  return (text:gsub("[\\\n]", { ["\\"] = "\\\\", ["\n"] = "\\n" }))
end

local function decode(line)
  return (line:gsub("\\(.)", { n = "\n" }))
end

---Reads the history into the editor, and makes the file if there is none. Returns a function that
---adds to both.
local function open_history(add)
  local path = M.history_path()
  local text = path and kubeque.fs.read(path)
  if path and not text then
    kubeque.fs.mkdir_p(path:match "^(.*)/", 448) -- 0700
    kubeque.fs.write(path, "", 384) -- 0600
  end
  local lines = {}
  for line in (text or ""):gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  if #lines > 2 * HISTORY then
    lines = table.move(lines, #lines - HISTORY + 1, #lines, 1, {})
    kubeque.fs.write(path, table.concat(lines, "\n") .. "\n", 384)
  end
  for _, line in ipairs(lines) do
    add(decode(line))
  end
  return function(input)
    add(input)
    local file = path and io.open(path, "a")
    if file then
      file:write(encode(input), "\n")
      file:close()
    end
  end
end

-- ---- reading ----

---A reader of lines: function(prompt) -> text, nil at the end, false when interrupted; and what adds
---to the history.
local function editor(env)
  local line = kubeque.line
  local loaded, why = line.load()
  if not loaded then
    kubeque.log.info(why)
    return function(prompt)
      kubeque.out(prompt)
      kubeque.out()
      if not kubeque.term.wait_line() then
        return false
      end
      return io.read "l"
    end, function() end
  end
  local function complete(word)
    return require("kubeque.complete_names").candidates(word, env)
  end
  return function(prompt) return line.read(prompt, complete) end, open_history(line.add)
end

---Compiles what was typed: an expression or statements. nil and true: more lines are needed; nil
---and why: it is no Lua.
function M.compile(text)
  local chunk, incomplete = load("return " .. text, "=input", "t")
  if chunk then
    return chunk
  end
  local why
  chunk, why = load(text, "=input", "t")
  if chunk then
    return chunk
  elseif why:find "<eof>$" or incomplete:find "<eof>$" then
    return nil, true
  end
  return nil, why
end

-- ---- help ----

---The declared name of a function or table of kubeque.
local function path_of(value)
  for path, e in pairs(require("kubeque.apidoc").index()) do
    if e.kind == "function" or e.kind == "table" then
      local at = kubeque
      local ok = pcall(function()
        for part in path:gsub("^kubeque%.", ""):gmatch "[^.]+" do
          at = at[part]
        end
      end)
      if ok and at == value then
        return path
      end
    end
  end
end

local function overview()
  local out = { 'help "fs.read", help(kubeque.fs) say more about:', "" }
  for _, d in ipairs(require("kubeque.apidoc").domains()) do
    if not d.internal then
      local name = d.global ~= "kubeque" and d.global or nil
      if not name then
        local names = {}
        for i, f in ipairs(d.functions or {}) do
          names[i] = "kubeque." .. f[1]
        end
        name = table.concat(names, " ")
      end
      out[#out + 1] = ("  %-20s  %s"):format(name, d.summary)
    end
  end
  return table.concat(out, "\n")
end

---What `help(...)` prints: of nothing an overview, else of a name or value of kubeque.
function M.help(what)
  if what == nil then
    return overview()
  end
  local path = type(what) == "string" and what or path_of(what)
  if not path then
    return ("nothing is known about this %s"):format(type(what))
  end
  local text, near = require("kubeque.apidoc").describe(path)
  return text or ("nothing is called %s%s"):format(path, near and ("; did you mean %s?"):format(near)
    or ': help() shows what there is')
end

-- ---- running ----

---Message handler: a fault is its message, anything else gets a trace without our own frames.
local function handler(value)
  local f = fault.of(value)
  if f then
    return f.code == "interrupted" and "Interrupted" or f.message
  end
  local trace = debug.traceback(type(value) == "string" and value or inspect.text(value), 2)
  return (trace:gsub("\n%s*%[C%]: in function 'xpcall'.*", ""))
end

local function print_error(text)
  kubeque.out()
  io.stderr:write(text, "\n")
end

local function print_results(ok, ...)
  local values = table.pack(...)
  if not ok then
    print_error(values[1])
  elseif values.n > 0 then
    kubeque.out(inspect.results(values) .. "\n")
  end
end

---One input of one line or several; returns false at the end.
local function read_input(read)
  local text = read "> "
  if not text then
    return text
  end
  local command, rest = text:match "^:(%a+)%s*(.-)%s*$"
  if command == "help" then
    return text, function() kubeque.out(M.help(rest ~= "" and rest or nil) .. "\n") end
  elseif command == "quit" or command == "q" then
    return nil
  end
  while true do
    local chunk, more = M.compile(text)
    if chunk or more ~= true then
      return text, chunk, more
    end
    local line = read ">> "
    if not line then
      return line == false and false or text, nil, line == nil and select(2, load(text, "=input"))
    end
    text = text .. "\n" .. line
  end
end

---Opens the store when something is first asked of it.
local function open_store()
  local ok, why, code = kubeque.open()
  if ok == nil then
    fault.raise(code, why)
  end
end

---Reads, runs and prints until the end of the input; returns the exit status.
function M.run(ctx)
  kubeque.session(open_store)
  local env = _G
  rawset(env, "help", function(what) kubeque.out(M.help(what) .. "\n") end)
  rawset(env, "job", require("kubeque.job").public) -- as in recipes
  rawset(env, "params", kubeque.params)
  if not ctx.quiet then
    kubeque.out(("kubeque %s, %s. help() says what there is, Ctrl-D ends.\n"):format(
      kubeque.version.kubeque, kubeque.version.lua))
  end
  local read, remember = editor(env)
  while true do
    local text, chunk, why = read_input(read)
    if text == nil then
      kubeque.out "\n"
      return 0
    elseif text == false then
      kubeque.out "\n"
    elseif text:find "%S" then
      remember(text)
      if chunk then
        print_results(xpcall(chunk, handler))
      else
        print_error(why)
      end
    end
    if kubeque.interrupted() and not kubeque.line.forget_interrupt() then
      return 130 -- the program says 143 or 129 where another signal came
    end
  end
end

return M
