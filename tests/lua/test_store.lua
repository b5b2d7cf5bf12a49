-- Opening the store: whose it is, where its queue can live, which machine it belongs to.
-- luacheck: globals kubeque
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local fs, proc = kubeque.fs, kubeque.proc
local config = require "kubeque.config"
local store = require "kubeque.store"

local top = fs.realpath(fs.tmpdir())
for name in pairs(proc.env()) do
  if name:find "^KUBEQUE_" or name:find "^XDG_" then
    proc.setenv(name, nil)
  end
end
proc.setenv("HOME", top)
fs.chdir(top)

local function open(o, settings)
  local c = config.resolve()
  for key, value in pairs(settings or {}) do
    c[key] = value
  end
  local ok, value = pcall(store.open, c, o)
  if ok then
    return value, c
  end
  return nil, value.message, value.code
end

local function at(name)
  proc.setenv("KUBEQUE_HOME", top .. "/" .. name)
  return top .. "/" .. name
end

-- ---- making and finding ----
local home = at "a"
t.is(open(), false, "a reading command finds no store, and makes none")
t.is(fs.stat(home), nil, "nothing was made")
t.is(open { create = true }, true, "the first submission makes it")
t.is(fs.stat(home).mode, 448, "for its owner alone")
t.is(#kubeque.queue.jobs {}, 0, "it works")
t.is(open { read_only = true }, true, "then it is found")

-- ---- another machine ----
local id = fs.read(home .. "/host"):match "^[^\n]*"
fs.write(home .. "/host", "0123456789abcdef\nelsewhere\n")
local _, why, code = open()
t.like(why, "/a is the store of elsewhere, and this is [^ ]+: set KUBEQUE_HOME", "both names")
t.is(code, "config", "another machine's store is refused: 5")
fs.write(home .. "/host", id .. "\nold-name\n")
t.is(open(), true, "a new host name of the same machine is no other machine")

-- ---- owner, writability ----
local real_stat, real_writable = fs.stat, fs.writable
kubeque.fs.stat = function(path, nofollow)
  local stat = real_stat(path, nofollow)
  if stat and path == home then
    stat.uid = 4242
  end
  return stat
end
_, why, code = open()
t.like(why, "/a belongs to 4242, not to you: set KUBEQUE_HOME", "the owner is named")
t.is(code, "config", "somebody else's store is refused: 5")
kubeque.fs.stat = real_stat
kubeque.fs.writable = function() return false end
_, why, code = open { create = true }
t.same({ why, code }, { "cannot write " .. home .. ": set KUBEQUE_HOME", "config" },
  "a store that cannot be written: 5")
t.is(open { read_only = true }, true, "but it can be read")
kubeque.fs.writable = real_writable
fs.write(top .. "/file", "")
proc.setenv("KUBEQUE_HOME", top .. "/file")
_, why = open { create = true }
t.like(why, "^cannot write .*/file: set KUBEQUE_HOME", "a file is no store")
proc.setenv("KUBEQUE_HOME", top .. "/file/below")
_, why, code = open { create = true }
t.like(why, "^cannot write .*/file/below: set KUBEQUE_HOME", "nor can one be in it")
t.is(code, "config", "both are 5")

-- ---- a network file system ----
home = at "net"
local spare = top .. "/spare"
local real_spare, real_filesystem, real_info = config.spare_dir, fs.filesystem, kubeque.log.info
local said = {}
config.spare_dir = function() return spare end
kubeque.fs.filesystem = function(path)
  if path == home then
    return "nfs", true
  end
  return real_filesystem(path)
end
kubeque.log.info = function(text) said[#said + 1] = text end
local ok, c = open { create = true }
t.ok(ok, "a store on a network file system works")
t.same({ c._queue_home, c.default_url_prefix, c.cas_url_prefix },
  { spare, home .. "/results", home .. "/CAS" }, "its queue is elsewhere, results and CAS stay")
t.like(said[1], "/net is on nfs, where no queue can live: the queue is in .*/spare", "one line says so")
t.is(#said, 1, "one line")
t.is(fs.stat(spare).mode, 448, "the queue's directory is private")
t.ok(fs.stat(spare .. "/queue.db") or kubeque.queue.jobs {}, "the queue is in it")
open { read_only = true }
t.is(#said, 1, "reading says nothing")
fs.remove_tree(spare)
fs.mkdir_p(spare, 511)
code = select(3, open { create = true })
t.ok(code == "config" or fs.stat(spare).mode & 63 == 0, "one that others can write is refused")
config.spare_dir, kubeque.fs.filesystem, kubeque.log.info = real_spare, real_filesystem, real_info

-- ---- other backends ----
at "b"
_, why = open({}, { backend = "local", default_url_prefix = "gs://b/x",
  cas_url_prefix = "gs://b/x/CAS" })
t.is(why, "default_url_prefix is in Cloud Storage; use --local to run there with a consumer here",
  "backend=local beside gs:// is refused")
_, why, code = open({}, { backend = "google", default_url_prefix = "gs://b/x" })
t.like(why, "gs://b/x is in Google Cloud, which is not built yet", "gs:// is refused for now")
t.is(code, "config", "with 5")

fs.chdir "/"
fs.remove_tree(top)
t.done()
