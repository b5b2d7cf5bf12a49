-- Opening the store of this machine: whose it is, where its queue can live, which machine it
-- belongs to.

local fault = require "kubeque.fault"

local M = {}

local fs = kubeque.fs

local function cannot_write(dir, why)
  fault.raisef("config", "cannot write %s: set KUBEQUE_HOME%s", dir,
    why and " (" .. why .. ")" or "")
end

local function check_backend(config)
  local prefix = config.default_url_prefix
  if prefix:find("^gs://") then
    if config.backend == "local" then
      fault.raise("config",
        "default_url_prefix is in Cloud Storage; use --local to run there with a consumer here")
    end
    fault.raisef("config", "%s: default_url_prefix=%s is in Google Cloud, which is not built yet: "
      .. "set it to a directory", config._source.default_url_prefix, prefix)
  elseif config.backend == "google" then
    fault.raisef("config", "%s: backend=google is not built yet: set backend=local",
      config._source.backend)
  elseif config.cas_url_prefix:find("^gs://") then
    fault.raisef("config", "%s: cas_url_prefix=%s is in Google Cloud, which is not built yet: set "
      .. "it to a directory", config._source.cas_url_prefix, config.cas_url_prefix)
  end
end

---A directory of ours: exists (made if asked), belongs to this user. False: there is none.
local function own_directory(dir, create)
  local stat = fs.stat(dir)
  if not stat then
    if not create then
      return false
    end
    local ok, why = fs.mkdir_p(dir, 448) -- 0700
    if not ok then
      cannot_write(dir, why)
    end
    stat = fs.stat(dir)
  end
  if not stat or stat.type ~= "dir" then
    cannot_write(dir, "it is no directory")
  end
  local _, uid = kubeque.proc.user()
  if stat.uid ~= uid then
    fault.raisef("config", "%s belongs to %s, not to you: set KUBEQUE_HOME to a directory of your "
      .. "own", dir, kubeque.proc.user_name(stat.uid))
  end
  if create and stat.mode & 63 ~= 0 and #(fs.list(dir) or {}) == 0 then
    -- an empty directory becomes a store here, and a store is private; one in use keeps its mode
    fault.check(fs.chmod(dir, 448))
  end
  return true
end

---The private directory in /var/tmp; nil when there is none and it is not to be made.
local function spare_dir(create, why)
  local _, uid = kubeque.proc.user()
  local dir = require("kubeque.config").spare_dir(uid)
  local stat = fs.stat(dir, true)
  if stat and (stat.type ~= "dir" or stat.uid ~= uid or stat.mode & 63 ~= 0) then
    fault.raisef("config", "%s, and %s is not a private directory of yours to use instead: remove "
      .. "it, or set KUBEQUE_HOME to another directory", why, dir)
  end
  return own_directory(dir, create) and dir or nil
end

---The queue's own directory when the store is on a network file system.
local function local_queue(home, filesystem, create)
  local dir = spare_dir(create, ("%s is on %s, where no queue can live"):format(home, filesystem))
  if not dir then
    return nil
  end
  if create then
    kubeque.log.info(("%s is on %s, where no queue can live: the queue is in %s, results and CAS "
      .. "stay"):format(home, filesystem, dir))
  end
  return dir
end

local function first_line(path)
  return (fs.read(path, 256) or ""):match("[^\n]*")
end

---This machine: an id that no other has, and its host name.
---@return string id, string host
function M.machine()
  local host = first_line "/proc/sys/kernel/hostname"
  local id = first_line "/etc/machine-id"
  return id ~= "" and id or "host-" .. host, host
end

---A store remembers its machine: machine id and host name in `<home>/host`.
local function check_machine(home, create)
  local id, host = M.machine()
  local text = fs.read(home .. "/host", 1024)
  if not text then
    if create then
      local ok, why = fs.write(home .. "/host", id .. "\n" .. host .. "\n", 384) -- 0600
      if not ok then
        cannot_write(home, why)
      end
    end
    return
  end
  local its_id, its_host = text:match("^([^\n]*)\n([^\n]*)\n")
  if its_id and its_id ~= id then
    fault.raisef("config", "%s is the store of %s, and this is %s: set KUBEQUE_HOME to a directory "
      .. "of this machine", home, its_host, host)
  end
end

---Opens the store for kubeque.queue and the others. `o.create`: make it if there is none;
---`o.read_only`: nothing is written to it. False when there is no store (and create was not asked).
function M.open(config, o)
  o = o or {}
  if not config.home then
    cannot_write("~/.local/share/kubeque", "you have no home directory")
  end
  check_backend(config)
  if not own_directory(config.home, o.create) then
    return false
  end
  local home = config.home
  local filesystem, network = fs.filesystem(home)
  if network then
    home = local_queue(home, filesystem, o.create)
    if not home then
      return false
    end
  end
  if not o.read_only and not fs.writable(config.home) then
    cannot_write(config.home)
  end
  check_machine(home, o.create)
  if not o.read_only and config.home:find "%s" and config._source.work_dir == "default" then
    spare_dir(true, ("%s has blanks, which the path of a work directory must not have"):format(
      config.home))
  end
  if o.create then
    fault.check(kubeque.machine_check())
  elseif not fs.stat(home .. "/queue.db") then
    return false
  end
  fault.check(kubeque.session { home = home, prefix = config.default_url_prefix,
    cas = config.cas_url_prefix, cluster = config.cluster_name, lease = config.lease,
    create = o.create or false, read_only = o.read_only or false })
  config._queue_home = home
  return true
end

return M
