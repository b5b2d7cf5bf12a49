-- Command line options, from declarations.
--
-- A command declares its options as a list; parsing, `help`, docs/commands.md and the dump for
-- completion all follow from that list. An option is
--
--   { "name", "n", value = "ID", type = "string", many = true, help = "..." }
--
-- Strings by position: names of one letter are short, the first longer one is the name, further
-- ones are aliases. In the result the key is the name with `-` as `_`.
--
--   value     placeholder of the value; without it the option is a flag
--   type      "string" (default), "int", "number", "duration" (seconds), "memory" (bytes),
--             "kv" ({key=, value=}), "choice" (one of `choices`), "words" (all words up to `--`)
--   many      may be repeated; the result is a list
--   optional  the value may be left out (then only `--name=VALUE` gives one); this is the result
--   min, max  bounds of what is a number
--   bare      kv: `NAME` alone is allowed (value is nil)
--   hidden    not in help
--
-- Abbreviations are refused, `--` ends the options, and with `words = true` in the command they end
-- at the first word that is none.

local names = require "kubeque.names"
local values = require "kubeque.values"

local M = {}

M.common = {
  { "help", "h", help = "show this help" },
  { "version", help = "show the version" },
  { "config", value = "FILE", help = "read this configuration file instead of all others" },
  { "debug", help = "show what is going on, and stack traces" },
  { "plain", help = "no live line and no colour: plain lines" },
  { "quiet", "q", help = "print less; where ids are listed, print ids only" },
}

local function key_of(name)
  return (name:gsub("-", "_"))
end

---Splits the names of one declaration: long name, short names, aliases.
local function names_of(decl)
  local long, shorts, aliases = nil, {}, {}
  for _, name in ipairs(decl) do
    if #name == 1 then
      shorts[#shorts + 1] = name
    elseif not long then
      long = name
    else
      aliases[#aliases + 1] = name
    end
  end
  return long, shorts, aliases
end

local function add(index, decl, group)
  local long, shorts, aliases = names_of(decl)
  local option = { name = long, key = key_of(long or shorts[1]), shorts = shorts,
    aliases = aliases, decl = decl, group = group }
  if long then
    index.long[long] = option
  end
  for _, alias in ipairs(aliases) do
    index.long[alias] = option
  end
  for _, short in ipairs(shorts) do
    index.short[short] = option
  end
  index.list[#index.list + 1] = option
end

---The options of a command and the common ones, by name. A command's own names win.
local function index_of(command)
  local index = { long = {}, short = {}, list = {} }
  for _, decl in ipairs(command.options or {}) do
    add(index, decl, "own")
  end
  for _, decl in ipairs(M.common) do
    if not index.long[decl[1]] then
      if decl[2] and index.short[decl[2]] then
        add(index, { decl[1], value = decl.value, help = decl.help }, "common")
      else
        add(index, decl, "common")
      end
    end
  end
  return index
end

---By name: {long = {name = option}, short = {letter = option}, list = {option, ...}}; an option is
---{name, key, shorts, aliases, decl, group = "own"|"common"}.
M.index = index_of

local function unknown(index, shown, word)
  local known = {}
  for name, option in pairs(index.long) do
    known[#known + 1] = not option.decl.hidden and name or nil
  end
  return ("unknown option %s%s"):format(shown,
    names.hint(word, known, { before = "--", other = "see: kubeque help" }))
end

local convert = {}
for _, kind in ipairs { "string", "int", "number", "duration", "memory", "choice" } do
  convert[kind] = values.types[kind]
end

function convert.kv(text, decl)
  local key, value = text:match("^([^=]*)=(.*)$")
  if not key and decl.bare then
    key = text
  end
  if not key or key == "" then
    return nil, "is not " .. decl.value
  end
  return { key = key, value = value }
end

---The names of all types.
---@return string[]
function M.types()
  return names.of(convert, { words = true })
end

---A text as the value of an option: its value, or nil and why it is none.
function M.convert(decl, text)
  return convert[decl.type or "string"](text, decl)
end

local function store(result, option, shown, text)
  local decl = option.decl
  local value = true
  if decl.value and text == nil then
    value = decl.optional
  elseif decl.value then
    local why
    value, why = convert[decl.type or "string"](text, decl)
    if value == nil then
      return nil, ("option %s: %s"):format(shown, values.refusal(text, why))
    end
  end
  if decl.many then
    result[option.key] = result[option.key] or {}
    table.insert(result[option.key], value)
  else
    result[option.key] = value
  end
  return true
end

---Takes every word up to `--` (`--each a b c --`); returns the position after it.
local function take_words(result, option, shown, argv, at)
  local words = {}
  while argv[at] and argv[at] ~= "--" do
    words[#words + 1] = argv[at]
    at = at + 1
  end
  if not argv[at] then
    return nil, ("option %s: its words end with --, which is missing"):format(shown)
  end
  result[option.key] = words
  return at + 1
end

local function parse_long(index, result, argv, at)
  local word = argv[at]
  local name, text = word:match("^%-%-([^=]*)=(.*)$")
  name = name or word:sub(3)
  local option, shown = index.long[name], "--" .. name
  if not option then
    return nil, unknown(index, shown, name)
  end
  local decl = option.decl
  if decl.type == "words" then
    return take_words(result, option, shown, argv, at + 1)
  end
  if not decl.value and text then
    return nil, ("option %s takes no value"):format(shown)
  end
  at = at + 1
  if decl.value and not text and decl.optional == nil then
    text = argv[at]
    if not text then
      return nil, ("option %s needs a value: %s %s"):format(shown, shown, decl.value)
    end
    at = at + 1
  end
  local ok, why = store(result, option, shown, text)
  if not ok then
    return nil, why
  end
  return at
end

---One word of bundled short options (`-qi`, `-n5`); returns the position after it.
local function parse_short(index, result, argv, at)
  local word, i = argv[at], 2
  at = at + 1
  while i <= #word do
    local letter = word:sub(i, i)
    local option, shown = index.short[letter], "-" .. letter
    if not option then
      return nil, unknown(index, i == 2 and word or shown, #word > 2 and i == 2 and word:sub(2))
    end
    local text
    if option.decl.type == "words" then
      return take_words(result, option, shown, argv, at)
    elseif option.decl.value and option.decl.optional == nil then
      if i < #word then
        text = word:sub(i + 1)
      else
        text, at = argv[at], at + 1
        if not text then
          return nil, ("option %s needs a value: %s %s"):format(shown, shown, option.decl.value)
        end
      end
      i = #word
    end
    local ok, why = store(result, option, shown, text)
    if not ok then
      return nil, why
    end
    i = i + 1
  end
  return at
end

local function check_args(command, args)
  if command.words or not command.args then
    return true
  end
  local need, most = 0, 0
  for _, arg in ipairs(command.args) do
    need = arg.optional and need or need + 1
    most = arg.many and math.huge or most + 1
  end
  if #args < need then
    return nil, ("%s is missing; usage: kubeque %s"):format(command.args[#args + 1][1],
      command.usage)
  end
  if #args > most then
    return nil, ('unexpected "%s"; usage: kubeque %s'):format(args[most + 1], command.usage)
  end
  return true
end

---Parses argv from position `first` on: options, words. `nil, message, "usage"` on a mistake.
---With `leading` it stops at the first word (the options before a command's name) and returns its
---position as a third value.
function M.parse(command, argv, first, leading)
  local index, result, args, at = index_of(command), {}, {}, first or 1
  while argv[at] do
    local word, why = argv[at], nil
    if word == "--" then
      at = at + 1
      table.move(argv, at, #argv, #args + 1, args)
      break
    elseif word:sub(1, 2) == "--" then
      at, why = parse_long(index, result, argv, at)
    elseif word:sub(1, 1) == "-" and #word > 1 then
      at, why = parse_short(index, result, argv, at)
    elseif leading then
      return result, args, at
    elseif command.words then
      table.move(argv, at, #argv, 1, args)
      break
    else
      args[#args + 1] = word
      at = at + 1
    end
    if not at then
      return nil, why, "usage"
    end
  end
  if leading then
    return result, args, at
  end
  if not (result.help or result.version) then
    local ok, why = check_args(command, args)
    if not ok then
      return nil, why, "usage"
    end
  end
  return result, args
end

---The declared options as plain data: what completion and the documentation tests read.
function M.dump(command)
  local out = {}
  for _, option in ipairs(index_of(command).list) do
    local decl = option.decl
    if not decl.hidden then
      out[#out + 1] = { name = option.name, shorts = option.shorts, aliases = option.aliases,
        value = decl.value, type = decl.value and (decl.type or "string") or nil,
        choices = decl.choices, many = decl.many or false, optional = decl.optional ~= nil,
        help = decl.help, common = option.group == "common" }
    end
  end
  return out
end

---"-n, --name ID": how an option is written.
function M.spelling(option)
  local decl, text = option.decl, {}
  for _, short in ipairs(option.shorts) do
    text[#text + 1] = "-" .. short
  end
  text[#text + 1] = option.name and "--" .. option.name
  for _, alias in ipairs(option.aliases) do
    text[#text + 1] = "--" .. alias
  end
  local out = table.concat(text, ", ")
  if decl.value and decl.optional ~= nil then
    return out .. "[=" .. decl.value .. "]"
  end
  return decl.value and out .. " " .. decl.value or out
end

---The options of a command, own ones and common ones apart, for printing.
function M.groups(command)
  local own, common = {}, {}
  for _, option in ipairs(index_of(command).list) do
    if not option.decl.hidden then
      local list = option.group == "own" and own or common
      list[#list + 1] = option
    end
  end
  return own, common
end

return M
