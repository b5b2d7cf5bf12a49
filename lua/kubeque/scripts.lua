-- Where scripts come from.
--
-- A script is commands/NAME.lua, policies/NAME.lua, providers/NAME.lua, recipes/NAME.lua (its
-- kind), or a plain module beside these folders, in one of the places, the strongest first:
--
--   project   the nearest .kubeque.d/lua upwards, only when it is trusted (kubeque.trust)
--   user      ${XDG_CONFIG_HOME:-~/.config}/kubeque/lua
--   site      /etc/kubeque/lua
--   builtin   compiled into the program
--
-- find() and list() answer with a table
--   { kind =, name =, place = "project"|"user"|"site"|"builtin"|"file", path = nil for a built-in,
--     overrides = { {place=, path=}, ... }, text = function() -> text | nil, why, code }
--
-- What `require` finds: kubeque.modules.

local places = require "kubeque.places"

local M = {}

local fs = kubeque.fs

M.kinds = { "commands", "policies", "providers", "recipes" }

-- What one of a kind is called, and the other way round.
M.singular = { commands = "command", policies = "policy", providers = "provider",
  recipes = "recipe" }
M.plural = { command = "commands", policy = "policies", provider = "providers",
  recipe = "recipes" }

-- The script that runs: what `require` searches first.
M.current = nil

-- ---- long paths ----

local SHOWN = 59 -- bytes of a path that Lua shows in messages; of a longer one "..." and its end

local long = {} -- full path by what Lua shows of it

---From here on messages show this path whole.
local function noted(path)
  if #path > SHOWN then
    long["..." .. path:sub(-56)] = path
  end
  return path
end

---Puts full paths into a message in which Lua has cut those of scripts.
function M.expand(message)
  for shown, path in pairs(long) do
    local from, to = message:find(shown, 1, true)
    if from then
      message = message:sub(1, from - 1) .. path .. message:sub(to + 1)
    end
  end
  return message
end

local known

---The project's directory as a place: {name=, dir=, state=, snapshot=, why=}. Its state is asked
---for when it first matters.
local function project_place()
  local dir = places.upwards(".kubeque.d/lua", function(_, stat) return stat.type == "dir" end)
  if not dir then
    return nil
  end
  return setmetatable({ name = "project", dir = dir }, { __index = function(self, key)
    if key == "state" or key == "snapshot" or key == "why" then
      self.state, self.snapshot, self.why = require("kubeque.trust").state(dir)
      return rawget(self, key)
    end
  end })
end

local function disk_place(name, config)
  local dir = config and config .. "/lua"
  local stat = dir and fs.stat(dir)
  if not stat or stat.type ~= "dir" then
    return nil
  end
  local why = places.foreign(stat)
  return { name = name, dir = dir, state = why and "refused" or "trusted",
    why = why and ("%s: %s"):format(dir, why) }
end

---The places on disk that are there, the strongest first.
function M.places()
  if not known then
    known = {}
    known[#known + 1] = project_place()
    known[#known + 1] = disk_place("user", places.config_dir())
    known[#known + 1] = disk_place("site", places.site_dir())
  end
  return known
end

---Forgets what was found (after files were written, and in tests).
function M.refresh()
  known = nil
end

---The text of a file of a place, nil when there is none; a second value says why it must not be
---read. What is trusted of a project was read when it was checked.
function M.read(place, rel)
  if place.name == "project" and place.state == "trusted" then
    return place.snapshot.texts[rel]
  end
  local stat = fs.stat(place.dir .. "/" .. rel)
  if not stat or stat.type ~= "file" then
    return nil
  elseif place.state ~= "trusted" then
    return nil, place.why
  end
  return fs.read(place.dir .. "/" .. rel)
end

---Is the file there, and why must it not be used? (nothing is read of it)
function M.present(place, rel)
  local stat = fs.stat(place.dir .. "/" .. rel)
  if not stat or stat.type ~= "file" then
    return false
  elseif place.state ~= "trusted" then
    return false, place.why
  end
  return place.name ~= "project" or place.snapshot.texts[rel] ~= nil
end

local function builtin(kind, name)
  local path = kind .. "/" .. name
  if kubeque.embedded.text(path) then
    return { kind = kind, name = name, place = "builtin", overrides = {},
      text = function() return kubeque.embedded.text(path) end }
  end
end

local function on_disk(place, kind, name)
  local rel = ("%s/%s.lua"):format(kind, name)
  local there, blocked = M.present(place, rel)
  if not there then
    return nil, blocked
  end
  return { kind = kind, name = name, place = place.name,
    path = noted(place.dir .. "/" .. rel), folder = kind, overrides = {}, text = function()
      local text, why, code = M.read(place, rel)
      if not text then
        return nil, why or place.dir .. "/" .. rel .. " is not there any more", code or "script"
      end
      return text
    end }
end

---A script by its file name.
local function from_file(kind, path)
  local stat = fs.stat(path)
  if not stat then
    return nil, ("there is no file %s"):format(path), "usage"
  elseif stat.type == "dir" then
    return nil, ("%s is a directory, not a script"):format(path), "usage"
  end
  local text
  return { kind = kind, name = path:match("([^/]*)$"):gsub("%.lua$", ""), place = "file",
    path = noted(path), overrides = {}, text = function()
      local why, code
      if not text then
        text, why, code = fs.read(path) -- once: what is hashed is what runs
      end
      return text, why, code
    end }
end

---True for what may be the name of a script.
function M.valid_name(name)
  return name:find "^[%w_][%w_.-]*$" ~= nil and not name:find "%.lua$"
end

---Names of one kind in one place that may be used, sorted; the second value says why not.
local function names_in(place, kind)
  local names, blocked = {}, nil
  for _, entry in ipairs(fs.list(place.dir .. "/" .. kind) or {}) do
    local name = entry:match "^(.+)%.lua$"
    if name and M.valid_name(name) then
      local there, why = M.present(place, kind .. "/" .. entry)
      names[#names + 1] = there and name or nil
      blocked = blocked or why
    end
  end
  return names, blocked
end

---All names of one kind, sorted. `own`: only those that are not built in.
function M.names(kind, own)
  local set, names = {}, {}
  local function add(list)
    for _, name in ipairs(list) do
      if not set[name] then
        set[name], names[#names + 1] = true, name
      end
    end
  end
  for _, place in ipairs(M.places()) do
    add((names_in(place, kind)))
  end
  if not own then
    for _, path in ipairs(kubeque.embedded.list(kind .. "/")) do
      local name = path:sub(#kind + 2)
      if kind ~= "commands" or not require("kubeque.cli").is_hidden(name) then
        add { name }
      end
    end
  end
  table.sort(names)
  return names
end

---Finds a script. A name with a slash or that ends in .lua is a file. nil, why, code: "not_found"
---when there is none; "script" when there is one that must not be used (why names the directory and
---what to do). `o.own`: not the built-in one. With a script, a second value says why a stronger one
---was passed over.
function M.find(kind, name, o)
  if name:find "/" or name:find "%.lua$" then
    return from_file(kind, name)
  elseif not M.valid_name(name) then
    return nil, ('"%s" is no name of a %s'):format(name, M.singular[kind]), "usage"
  end
  local found, blocked
  local function add(hit)
    if not found then
      found = hit
    elseif hit then
      table.insert(found.overrides, { place = hit.place, path = hit.path })
    end
  end
  for _, place in ipairs(M.places()) do
    local hit, why = on_disk(place, kind, name)
    if why and not found and not blocked then
      blocked = ("%s %s of %s is not used: %s"):format(M.singular[kind], name,
        place.name == "user" and "yours" or "this " .. place.name, why)
    end
    add(hit)
  end
  if not (o and o.own) then
    add(builtin(kind, name))
  end
  if found then
    return found, blocked
  elseif blocked then
    return nil, blocked, "script"
  end
  local hint = require("kubeque.names").hint(name, M.names(kind), { other = "see: kubeque scripts" })
  return nil, ('there is no %s "%s"%s'):format(M.singular[kind], name, hint), "not_found"
end

---The text of what find() found; nil, why, code.
function M.text(found)
  return found.text()
end

---Every script in effect, by kind and name; scripts of places that must not be used come with
---`blocked` = why. `o.kind`: only these.
function M.list(o)
  local out = {}
  for _, kind in ipairs(o and o.kind and { o.kind } or M.kinds) do
    for _, name in ipairs(M.names(kind)) do
      out[#out + 1] = M.find(kind, name)
    end
    for _, place in ipairs(M.places()) do
      for _, entry in ipairs(place.state ~= "trusted" and fs.list(place.dir .. "/" .. kind) or {}) do
        if entry:find "%.lua$" then
          out[#out + 1] = { kind = kind, name = entry:gsub("%.lua$", ""), place = place.name,
            path = ("%s/%s/%s"):format(place.dir, kind, entry), overrides = {},
            blocked = place.why, state = place.state }
        end
      end
    end
  end
  return out
end

-- ---- running ----

---A script's text as Lua has it: without the mark of UTF-8 and without a first line that says which
---program runs it; lines keep their numbers.
function M.source(text)
  return (text:gsub("^\xef\xbb\xbf", ""):gsub("^#[^\n]*", ""))
end

---Compiles a script's text; nil and why, which begins with file and line.
---@param text string
---@param path string
---@param env? table its globals
function M.compile(text, path, env)
  if text:sub(1, 1) == "\27" then
    return nil, path .. ": this is compiled Lua: give its source"
  end
  local chunk, why = load(M.source(text), "@" .. noted(path), "t", env or _G)
  if not chunk then
    return nil, M.expand(why)
  end
  return chunk
end

---Compiles and runs a script's body; returns what it returns. nil, why, "script" when it fails: why
---begins with file and line. `budget`: seconds of CPU time it may take.
function M.load(found, budget)
  local text, why, code = found.text()
  if not text then
    return nil, why, code or "script"
  end
  local name = found.path or ("%s/%s.lua"):format(found.kind, found.name)
  local chunk, bad = M.compile(text, name)
  if not chunk then
    return nil, bad, "script"
  end
  local before = M.current
  M.current = found
  local ok, value = pcall(require("kubeque.budget").run, budget, chunk)
  M.current = before
  if not ok then
    local fault = require("kubeque.fault").of(value)
    if fault and fault.code == "interrupted" then
      error(value, 0)
    end
    return nil, M.expand(fault and fault.message or tostring(value)), "script"
  end
  return value
end

---"FILE:LINE" of a word in a script (a key, an option's name), for messages; FILE when it is not
---there, "" without a script.
function M.locate(found, word)
  local path = found and (found.path or found.name)
  local text = found and word and found.text()
  if not text then
    return path or ""
  end
  local pattern, n = "%f[%w_]" .. word:gsub("%W", "%%%0") .. "%f[^%w_]", 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    if line:gsub("%-%-.*", ""):find(pattern) then
      return path .. ":" .. n
    end
  end
  return path
end

return M
