-- kubeque.command{...}: a subcommand, declared in commands/NAME.lua of a place (kubeque.scripts).
--
--   return kubeque.command {
--     name = "greet",                      -- the file's
--     summary = "greet somebody",          -- one line for `kubeque help`
--     usage = "greet [options] NAME",      -- made from the rest when it is left out
--     description = "...", options = {...} (kubeque.options), args = {{"NAME"}}, words = true,
--     replaces = true,                     -- it stands for the stock command of this name
--     run = function(opt, args, ctx) ... return exit_status end,
--   }

local declare = require "kubeque.declare"

local M = {}

local fields = {
  name = { type = "string", required = true },
  summary = { type = "string", required = true },
  usage = { type = "string" },
  description = { type = "string" },
  options = { type = "table" },
  args = { type = "table" },
  words = { type = "boolean" },
  replaces = { type = "boolean" },
  run = { type = "function", required = true },
}

local option_fields = {
  value = { type = "string" },
  type = { type = "string" },
  choices = { type = "table" },
  many = { type = "boolean" },
  optional = { type = "string|number|boolean" },
  min = { type = "number" },
  max = { type = "number" },
  bare = { type = "boolean" },
  hidden = { type = "boolean" },
  help = { type = "string" },
}

local arg_fields = { optional = { type = "boolean" }, many = { type = "boolean" } }

-- Options of every command that mean something before a command runs.
local reserved = { help = true, version = true, debug = true, config = true }

---Takes the words by position out of a declaration; returns them and the rest.
local function split(what, decl, where)
  if type(decl) ~= "table" then
    declare.fail(where, ("%s: a table expected, got %s"):format(what, type(decl)))
  end
  local words, rest = {}, {}
  for key, value in pairs(decl) do
    if math.type(key) == "integer" then
      words[key] = value
    else
      rest[key] = value
    end
  end
  return words, rest
end

local function check_names(what, names, seen)
  if #names == 0 then
    declare.fail("options", what .. ": it has no name")
  end
  for _, name in ipairs(names) do
    if type(name) ~= "string" or not name:find "^%w[%w-]*$" then
      declare.fail("options", ("%s: %q is no name of an option (letters, digits and -)"):format(
        what, tostring(name)))
    elseif reserved[name] then
      declare.fail(name, ("%s: --%s is an option of every command: choose another name"):format(
        what, name))
    elseif seen[name] then
      declare.fail(name, ("%s: the name %s is used twice"):format(what, name))
    end
    seen[name] = true
  end
end

local function check_option(command, i, decl, seen)
  local what = ("kubeque.command: %s: option %d"):format(command.name, i)
  local names, rest = split(what, decl, "options")
  check_names(what, names, seen)
  what = ("kubeque.command: option --%s"):format(names[1])
  declare.check(what, rest, option_fields)
  local kind = rest.type
  if kind then
    declare.one_of(what, "type", kind, require("kubeque.options").types())
  end
  if kind and not rest.value and kind ~= "words" then
    declare.fail(names[1], ("%s: a type needs a value (value = \"%s\")"):format(what,
      kind:upper()))
  elseif (kind == "choice") ~= (rest.choices ~= nil) then
    declare.fail(names[1], ("%s: type = \"choice\" and choices = {...} go together"):format(what))
  end
end

local function check_args(command)
  local late
  for i, decl in ipairs(command.args or {}) do
    local what = ("kubeque.command: %s: argument %d"):format(command.name, i)
    local names, rest = split(what, decl, "args")
    if type(names[1]) ~= "string" or names[2] then
      declare.fail("args", what .. ": it has one name, as in { \"JOB\" }")
    end
    declare.check(what, rest, arg_fields)
    if late and not rest.optional and not rest.many then
      declare.fail(names[1], ("%s: %s must come before %s, which may be left out or repeated"):format(
        what, names[1], late))
    end
    late = (rest.optional or rest.many) and names[1] or late
  end
end

local function usage_of(command)
  local parts = { command.name }
  parts[2] = command.options and #command.options > 0 and "[options]" or nil
  for _, decl in ipairs(command.args or {}) do
    local word = decl[1] .. (decl.many and "..." or "")
    parts[#parts + 1] = decl.optional and "[" .. word .. "]" or word
  end
  parts[#parts + 1] = command.words and "[WORD...]" or nil
  return table.concat(parts, " ")
end

---Checks a declaration and returns it, with what was left out filled in. Raises.
function M.declare(spec)
  declare.check("kubeque.command", spec, fields, 2)
  if spec.words and spec.args then
    declare.fail("words", "kubeque.command: args and words exclude each other")
  elseif spec.summary:find "\n" then
    declare.fail("summary", "kubeque.command: the summary is one line (more goes into description)")
  end
  local seen = {}
  for i, decl in ipairs(spec.options or {}) do
    check_option(spec, i, decl, seen)
  end
  check_args(spec)
  local command = { args = not spec.words and {} or nil, usage = usage_of(spec) }
  for key, value in pairs(spec) do
    command[key] = value
  end
  return command
end

M.public = M.declare

---Loads the command of a script that kubeque.scripts found; nil, why, "script".
function M.load(found)
  local scripts = require "kubeque.scripts"
  local value, why, code = scripts.load(found, 0.5)
  if value == nil and why then
    return nil, why, code
  elseif type(value) ~= "table" then
    return nil, ("%s: it returns a %s: it has to end with `return kubeque.command{...}`"):format(
      found.path, type(value)), "script"
  end
  scripts.current = found
  local ok, command = pcall(M.declare, value)
  scripts.current = nil
  if not ok then
    return nil, command.message or tostring(command), "script"
  elseif command.name ~= found.name then
    return nil, ("%s: name = %q must be that of the file, %q"):format(
      scripts.locate(found, "name"), command.name, found.name), "script"
  end
  command.script = found
  return command
end

return M
