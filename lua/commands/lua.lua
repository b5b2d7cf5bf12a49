-- Lua inside the program: a script, a line of code, or an interactive shell.

local fault = require "kubeque.fault"

---Compiles; what is no Lua ends the command with its place.
local function compile(text, name)
  local chunk, why = load(text:gsub("^#[^\n]*", ""), name, "t")
  if not chunk then
    fault.raise("script", why)
  end
  return chunk
end

local function read_file(path)
  return fault.check(kubeque.fs.read(path))
end

---Runs a program with its words as `arg` and `...`.
local function execute(text, name, words, first)
  _G.arg = table.move(words, first + 1, #words, 1, { [0] = words[first] or name:sub(2) })
  compile(text, name)(table.unpack(words, first + 1))
end

local function run(opt, words, ctx)
  if opt.execute then
    execute(opt.execute, "=(command line)", words, 0)
  elseif words[1] and words[1] ~= "-" then
    execute(read_file(words[1]), "@" .. words[1], words, 1)
  elseif words[1] or not kubeque.term.isatty(0) then
    execute(io.read "a", "=stdin", words, 1)
  else
    return require("kubeque.repl").run(ctx)
  end
end

return {
  name = "lua",
  summary = "run a Lua script, or try out Lua interactively",
  usage = "lua [-e CODE | FILE] [ARG...]",
  description = "Scripts have the full standard library and the API of docs/lua-reference.md; "
    .. "`kubeque.open()` opens the store. Without FILE a terminal gets an interactive shell: what is "
    .. "typed is run and its value printed, Tab completes names, `help \"fs.read\"` says what a "
    .. "function does, Up brings back earlier lines. Standard input that is no terminal is read as "
    .. "the program; so is FILE `-`.",
  options = {
    { "execute", "e", value = "CODE", help = "run this code" },
  },
  words = true,
  run = run,
}
