-- Writing scripts into the user's place or the project's: what `kubeque new` and `kubeque scripts
-- eject` share.

local fault = require "kubeque.fault"
local places = require "kubeque.places"
local trust = require "kubeque.trust"

local M = {}

local fs = kubeque.fs

local BELOW = ".kubeque.d/lua"

---The directory of a place ("user" or "project"), which need not be there yet: of the project the
---nearest upwards, else the current directory's. Raises a fault.
function M.dir(place)
  if place == "project" then
    local found = places.upwards(".kubeque.d", function(_, stat) return stat.type == "dir" end)
    return found and found .. "/lua" or places.normalise(places.cwd() .. "/" .. BELOW)
  end
  local dir = places.config_dir()
  if not dir then
    fault.raise("config", "you have no home directory to keep scripts in (--project keeps them here)")
  end
  return dir .. "/lua"
end

---What the user has written himself stays trusted: a project's directory that was not there, or that
---was trusted as it was, is trusted with the new files. Others stay as they are.
local function keep_trust(dir, before)
  if before ~= "missing" and before ~= "trusted" then
    kubeque.log.warn(("scripts in %s do not run yet: look at them, then kubeque trust"):format(dir))
    return
  end
  fault.check(trust.add(fault.check(trust.snapshot(dir))))
  kubeque.log.info(("%s is trusted as it is now; after a change say: kubeque trust"):format(dir))
end

---Writes files {{path below the directory, text}, ...} into a place, none of which may be there, and
---what editors need to know of kubeque. Returns the paths. Raises a fault; nothing is written then.
function M.write(place, files)
  local dir, paths = M.dir(place), {}
  local before = place == "project" and (fs.stat(dir) and trust.state(dir) or "missing")
  for i, file in ipairs(files) do
    paths[i] = dir .. "/" .. file[1]
    if fs.stat(paths[i], true) then
      fault.raisef("conflict", "%s is there already: remove it first, or choose another name",
        paths[i])
    end
  end
  for i, file in ipairs(files) do
    fault.check(fs.mkdir_p(paths[i]:match "^(.*)/", 493)) -- 0755
    fault.check(fs.write(paths[i], file[2], 420)) -- 0644
  end
  local _, why = require("kubeque.apigen").write(dir)
  if why then
    kubeque.log.warn(why)
  end
  if before then
    keep_trust(dir, before)
  end
  require("kubeque.scripts").refresh()
  return paths
end

return M
