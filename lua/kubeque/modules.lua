-- What `require` finds on disk: it searches the folder of the script that runs, then the places
-- (kubeque.scripts), then what is built in. `require "builtin.x"` is always the built-in one,
-- `require "kubeque.x"` too: those names never get here (src/script/state.c).

local scripts = require "kubeque.scripts"

local M = {}

local fs = kubeque.fs

local loading = {} -- names of modules whose body runs, in order

---The loader of a module found on disk: knows a cycle when it sees one.
local function loader_of(name, text, path)
  local chunk, why = scripts.compile(text, path)
  if not chunk then
    error(why, 0)
  end
  return function(...)
    loading[#loading + 1] = name
    local ok, value = pcall(chunk, ...)
    loading[#loading] = nil
    if not ok then
      error(type(value) == "string" and scripts.expand(value) or value, 0)
    end
    return value
  end
end

local function check_cycle(name)
  for i, other in ipairs(loading) do
    if other == name then
      local chain = table.concat(loading, " -> ", i) .. " -> " .. name
      error(("cycle in require: %s"):format(chain), 5) -- search, its C function, require
    end
  end
end

local function place_named(name)
  for _, place in ipairs(scripts.places()) do
    if place.name == name then
      return place
    end
  end
end

---The folder of the script that runs: text, path of a module in it.
local function beside(rel)
  local found = scripts.current
  local dir = found and found.path and (found.path:match("^(.*)/[^/]*$") or ".")
  if found and found.place == "project" then
    local place = place_named "project"
    local sub = found.folder .. "/" .. rel
    return place and scripts.read(place, sub), place and place.dir .. "/" .. sub
  elseif not dir and type(arg) == "table" and type(arg[0]) == "string" then
    dir = arg[0]:match("^(.*)/[^/]*$") or "."
  end
  local path = dir and dir .. "/" .. rel
  local stat = path and fs.stat(path)
  if stat and stat.type == "file" then
    return fs.read(path), path
  end
end

---The searcher of `require`: a loader and its path, or a text that says that there is none.
function M.search(name)
  check_cycle(name)
  local rel = name:gsub("%.", "/") .. ".lua"
  local text, path = beside(rel)
  if text then
    return loader_of(name, text, path), path
  end
  for _, place in ipairs(scripts.places()) do
    text = scripts.read(place, rel)
    if text then
      path = place.dir .. "/" .. rel
      return loader_of(name, text, path), path
    end
  end
  return ("\n\tno script '%s' in any place"):format(name)
end

---What `require` of this name in `script` (from find()) would load, as text: text and path, nil for
---a built-in; or nil.
function M.source(name, script)
  local stock = name:match "^builtin%.(.+)$" or name:match "^kubeque%..+$"
  local rel, before = name:gsub("%.", "/"), scripts.current
  if not stock then
    scripts.current = script
    local text, path = beside(rel .. ".lua")
    scripts.current = before
    if text then
      return text, path
    end
    for _, place in ipairs(scripts.places()) do
      text = scripts.read(place, rel .. ".lua")
      if text then
        return text, place.dir .. "/" .. rel .. ".lua"
      end
    end
  end
  return (kubeque.embedded.text((stock or name):gsub("%.", "/")))
end

---What `require` says when there is nothing of this name.
function M.missing(name)
  local rel, looked, known = name:gsub("%.", "/") .. ".lua", {}, {}
  for _, place in ipairs(scripts.places()) do
    local _, blocked = scripts.present(place, rel)
    if blocked then
      return ("there is no module '%s' that may be used: %s"):format(name, blocked)
    end
    looked[#looked + 1] = place.dir
    for _, entry in ipairs(fs.list(place.dir) or {}) do
      known[#known + 1] = entry:match "^(.+)%.lua$"
    end
  end
  for _, stock in ipairs(kubeque.embedded.list()) do
    known[#known + 1] = stock:gsub("/", ".")
  end
  looked[#looked + 1] = "kubeque's own"
  return ("there is no module '%s'%s; searched: the folder of the script, %s"):format(name,
    require("kubeque.names").hint(name, known, { other = "" }), table.concat(looked, ", "))
end

return M
