-- Agreeing that scripts which came with a project may run: .kubeque.d/lua (kubeque.trust).

local fault = require "kubeque.fault"
local output = require "kubeque.output"
local places = require "kubeque.places"
local projectfile = require "kubeque.projectfile"
local trust = require "kubeque.trust"

local BELOW = ".kubeque.d/lua"

---The directory that DIR means: itself, or the one of this project; without DIR that of the
---nearest project.
local function directory(word)
  if not word then
    local found = places.upwards(BELOW, function(_, stat) return stat.type == "dir" end)
    if not found then
      fault.raisef("usage", "there is no %s here or above: name the project's directory", BELOW)
    end
    return found
  end
  local real = kubeque.fs.realpath(word)
  if not real then
    fault.raisef("usage", "there is no directory %s", word)
  end
  for _, ending in ipairs { "", "/lua", "/" .. BELOW } do
    local path = places.normalise(real .. ending)
    if path:sub(-#BELOW - 1) == "/" .. BELOW and kubeque.fs.stat(path) then
      return path
    end
  end
  fault.raisef("usage", "%s has no %s, which is where a project's scripts are", word, BELOW)
end

---"3 files, 1.2 kB"
local function size_text(snapshot)
  return ("%d file%s, %s"):format(#snapshot.files, #snapshot.files == 1 and "" or "s",
    kubeque.units.format_bytes(snapshot.bytes))
end

local function add_scripts(opt, dir)
  local before = trust.state(dir)
  local snapshot = fault.check(trust.snapshot(dir))
  if #snapshot.files == 0 then
    fault.raisef("usage", "%s is empty: there is nothing to trust", dir)
  end
  if not opt.quiet then
    kubeque.out(("%s: %s\n"):format(dir, size_text(snapshot)))
    for _, file in ipairs(snapshot.files) do
      kubeque.out(("  %-40s %s\n"):format(file.path:gsub("[\0-\31\127]", "?"),
        kubeque.units.format_bytes(file.size)))
    end
  end
  if opt.dry_run then
    return
  end
  fault.check(trust.add(snapshot))
  require("kubeque.scripts").refresh()
  kubeque.log.info(before == "trusted" and "it was trusted already, as it is now"
    or "trusted until something in it changes (take it back: kubeque trust --remove)")
end

---What a project's `.kubeque` says that needs an agreement.
local function parts_of(word)
  local file = word and places.normalise((kubeque.fs.realpath(word) or word) .. "/.kubeque")
  if word and (kubeque.fs.stat(file) or {}).type ~= "file" then
    return {}
  end
  file = file or require("kubeque.config").nearest_file()
  return file and projectfile.parts(require("kubeque.config").read_file(file)) or {}
end

local function add_parts(opt, parts)
  for _, part in ipairs(parts) do
    if not opt.quiet then
      kubeque.out(part.path:gsub(":%l+$", "") .. ":\n")
      for _, line in ipairs(part.lines) do
        kubeque.out("  " .. line:gsub("[\0-\31\127]", "?") .. "\n")
      end
    end
    if not opt.dry_run then
      fault.check(trust.agree(part))
    end
  end
end

---Scripts first: a policy that the file chooses may be one of them.
local function add(opt, word)
  local ok, dir = pcall(directory, word)
  if ok then
    add_scripts(opt, dir)
  end
  local parts = parts_of(word)
  if not ok and #parts == 0 then
    error(dir, 0)
  end
  add_parts(opt, parts)
end

local function list(opt)
  local out = output.open(opt, { { "path" }, { "state" }, { "sha256", only = "data" } })
  local agreed = fault.check(trust.read())
  for _, path in ipairs(require("kubeque.names").of(agreed)) do
    local state = projectfile.state(path, agreed[path])
      or kubeque.fs.stat(path) and trust.state(path) or "missing"
    out:row { path = path, state = state, sha256 = agreed[path] }
  end
  out:close()
end

---What to forget: the directory, which need not exist any more, and what the file beside it says.
local function forget(word)
  local agreed, found = fault.check(trust.read()), {}
  local at = word and (word:sub(1, 1) == "/" and word or places.cwd() .. "/" .. word)
    or places.cwd()
  for _, ending in ipairs { "", "/lua", "/" .. BELOW, "/.kubeque:provider", "/.kubeque:policy" } do
    local path = places.normalise(at .. ending)
    found[#found + 1] = agreed[path] and path or nil
  end
  if #found > 0 then
    return found
  end
  local dir = directory(word)
  found[1] = dir
  for _, kind in ipairs { "provider", "policy" } do
    local path = dir:sub(1, -#BELOW - 1) .. ".kubeque:" .. kind
    found[#found + 1] = agreed[path] and path or nil
  end
  return found
end

local function run(opt, args)
  if (opt.list and (opt.remove or args[1] or opt.dry_run)) or (opt.remove and opt.dry_run) then
    return nil, "--list stands alone, --dry-run shows what would be trusted", "usage"
  elseif opt.list then
    return list(opt)
  elseif opt.remove then
    for _, path in ipairs(forget(args[1])) do
      local ok, why, code = trust.remove(path)
      if not ok then
        return nil, why, code == "not_found" and "usage" or code
      end
      kubeque.log.info(("%s is not trusted any more"):format(path))
    end
    return
  end
  add(opt, args[1])
end

return {
  name = "trust",
  summary = "let the scripts of a project run",
  usage = "trust [DIR] [--list | --remove] [options]",
  description = [[
A project can bring scripts along, in .kubeque.d/lua: commands, policies, providers, recipes and
modules. They are somebody's code, so kubeque neither reads nor runs them until you said so. This
lists what is there and records the content of all of it; when any of it changes, it is not run
until you say so again.

So is what the project's file .kubeque says that makes kubeque run programs: options of a provider,
policies that act on events.

Without DIR it is the nearest .kubeque.d/lua upwards from the current directory. A directory that
another user owns or that others can write is refused, and so are links that leave it.]],
  options = output.with_options {
    { "list", help = "what is trusted, and whether it still is as it was" },
    { "remove", help = "trust it no more" },
    { "dry-run", help = "only show what would be trusted" },
  },
  args = { { "DIR", optional = true } },
  run = run,
}
