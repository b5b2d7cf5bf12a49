-- Which project directories (`.kubeque.d/lua`) hold scripts that this user has agreed to run.
--
-- The agreement is a line of `<configuration directory>/trusted` (0600): a sha256 over the names
-- and contents of everything in the directory, and its path. A directory is read once, into memory
-- (a snapshot): these texts are hashed and these texts are run, whatever happens to the files.

local places = require "kubeque.places"

local M = {}

local fs = kubeque.fs

M.max_files, M.max_bytes = 1000, 16 << 20

---Where agreements are kept; nil without a home directory.
function M.file()
  local dir = places.config_dir()
  return dir and dir .. "/trusted"
end

-- A line is "<sha256> <path>"; a backslash and a line end in the path are escaped.
local function escape(path)
  return (path:gsub("[\\\n]", { ["\\"] = "\\\\", ["\n"] = "\\n" }))
end

local function unescape(text)
  return (text:gsub("\\(.)", { ["\\"] = "\\", n = "\n" }))
end

---All agreements: sha256 by path. `nil, why, code` when the file is there but cannot be used.
function M.read()
  local file, list = M.file(), {}
  local stat = file and fs.stat(file)
  if not stat then
    return list
  end
  local why = places.foreign(stat)
  if why then
    return nil, ("%s is not used: %s"):format(file, why), "config"
  end
  local text, failure, code = fs.read(file)
  if not text then
    return nil, failure, code
  end
  local n = 0
  for line in text:gmatch("[^\n]+") do
    n = n + 1
    local sha256, path = line:match("^(%x+) (/.*)$")
    if not sha256 or #sha256 ~= 64 then
      return nil, ("%s:%d: this is no line of a sha256 and a path (remove the line, and trust the "
        .. "directory again)"):format(file, n), "config"
    end
    list[unescape(path)] = sha256
  end
  return list
end

local function write(list)
  local lines = {}
  for path, sha256 in pairs(list) do
    lines[#lines + 1] = sha256 .. " " .. escape(path) .. "\n"
  end
  table.sort(lines)
  local ok, why, code = fs.mkdir_p(places.config_dir(), 448) -- 0700
  if not ok then
    return nil, why, code
  end
  return fs.write(M.file(), table.concat(lines), 384) -- 0600
end

---Adds (or with sha256 = nil removes) the agreement about a directory. `nil, why, code`.
local function change(dir, sha256)
  if not M.file() then
    return nil, "you have no home directory to keep the list of trusted directories in", "config"
  end
  local list, why, code = M.read()
  if not list then
    return nil, why, code
  end
  if not sha256 and not list[dir] then
    return nil, dir .. " is not trusted", "not_found"
  end
  list[dir] = sha256
  return write(list)
end

local function refuse(path, why)
  return nil, ("%s: %s"):format(path, why), "script"
end

---Why a link cannot be part of a trusted directory, or nil.
local function bad_link(dir, path)
  local target = fs.realpath(path)
  if not target then
    return "this link leads nowhere"
  elseif target:sub(1, #dir + 1) ~= dir .. "/" then
    return "this link leaves the directory"
  elseif fs.stat(target).type ~= "file" then
    return "this link does not lead to a file"
  end
end

local add

---Reads one entry of a directory into the snapshot. nil, why, code when it must not be there.
local function add_entry(snapshot, rel)
  local path = snapshot.dir .. "/" .. rel
  local stat, why, code = fs.stat(path, true)
  if not stat then
    return nil, why, code
  end
  if stat.type == "link" then
    local bad = bad_link(snapshot.dir, path)
    if bad then
      return refuse(path, bad)
    end
    stat = fs.stat(path)
  end
  local foreign = stat and places.foreign(stat)
  if foreign then
    return refuse(path, foreign)
  elseif stat and stat.type == "dir" then
    return add(snapshot, rel .. "/")
  elseif not stat or stat.type ~= "file" then
    return refuse(path, "this is no file")
  end
  local text
  text, why, code = fs.read(path, M.max_bytes + 1)
  if not text then
    return nil, why, code
  end
  snapshot.bytes = snapshot.bytes + #text
  snapshot.files[#snapshot.files + 1] = { path = rel, size = #text }
  snapshot.texts[rel] = text
  if snapshot.bytes > M.max_bytes or #snapshot.files > M.max_files then
    return refuse(snapshot.dir, ("this is more than %d files or %d MiB: keep scripts apart from "
      .. "data"):format(M.max_files, M.max_bytes >> 20))
  end
  return true
end

function add(snapshot, below)
  local names, why, code = fs.list(snapshot.dir .. "/" .. below)
  if not names then
    return nil, why, code
  end
  for _, name in ipairs(names) do
    local ok
    ok, why, code = add_entry(snapshot, below .. name)
    if not ok then
      return nil, why, code
    end
  end
  return true
end

---Why a `.kubeque.d/lua` cannot be trusted at all, or nil.
function M.unfit(dir)
  for _, path in ipairs { dir:match("^(.*)/[^/]*$"), dir } do
    local stat = fs.stat(path, true)
    local why = not stat and "it is not there" or stat.type == "link" and "it is a link"
      or stat.type ~= "dir" and "it is no directory" or places.foreign(stat)
    if why then
      return ("%s: %s"):format(path, why)
    end
  end
end

---Everything in a directory: {dir, files = {{path, size}}, texts = {path = text}, bytes, sha256}.
---nil, why, code when something in it must not be there.
function M.snapshot(dir)
  local unfit = M.unfit(dir)
  if unfit then
    return nil, unfit, "script"
  end
  local snapshot = { dir = dir, files = {}, texts = {}, bytes = 0 }
  local ok, why, code = add(snapshot, "")
  if not ok then
    return nil, why, code
  end
  table.sort(snapshot.files, function(a, b) return a.path < b.path end)
  local parts = {}
  for _, file in ipairs(snapshot.files) do
    parts[#parts + 1] = ("%d %s\n%d\n"):format(#file.path, file.path, file.size)
    parts[#parts + 1] = snapshot.texts[file.path]
  end
  snapshot.sha256 = kubeque.cas.hash_string(table.concat(parts))
  return snapshot
end

---May scripts of this directory run? "trusted" with the snapshot to run, or "untrusted" |
---"changed" | "refused", nil and a sentence. Nothing is read when there was no agreement.
function M.state(dir)
  local unfit = M.unfit(dir)
  if unfit then
    return "refused", nil, unfit
  end
  local list, why = M.read()
  if not list then
    return "refused", nil, why
  end
  if not list[dir] then
    return "untrusted", nil, dir .. " is not trusted (look at its scripts, then: kubeque trust)"
  end
  local snapshot
  snapshot, why = M.snapshot(dir)
  if not snapshot then
    return "refused", nil, why
  elseif snapshot.sha256 ~= list[dir] then
    return "changed", nil, dir .. " has changed since it was trusted (look at its scripts, then: "
      .. "kubeque trust)"
  end
  return "trusted", snapshot
end

---Records the agreement about exactly this content.
function M.add(snapshot)
  return change(snapshot.dir, snapshot.sha256)
end

---Records the agreement about a part of a project's file (kubeque.projectfile).
function M.agree(part)
  return change(part.path, part.sha256)
end

---Takes it back; nil, why, "not_found" when there was none.
function M.remove(dir)
  return change(dir, nil)
end

return M
