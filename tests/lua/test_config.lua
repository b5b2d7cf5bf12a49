-- Configuration: sources, precedence, the group of "where" keys, values and what is refused.
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local fs, proc = kubeque.fs, kubeque.proc
local config = require "kubeque.config"
local fault = require "kubeque.fault"

local top = fs.realpath(fs.tmpdir())
for name in pairs(proc.env()) do
  if name:find "^KUBEQUE_" or name:find "^XDG_" or name:find "^CLOUDSDK_" then
    proc.setenv(name, nil)
  end
end
proc.setenv("HOME", top)

local function file(name, text, mode)
  local path = top .. "/" .. name
  fs.mkdir_p(path:match "^(.*)/")
  fs.remove(path)
  fs.write(path, text, mode or 420) -- 0644
  return path
end

local function resolve(o)
  local ok, value = pcall(config.resolve, o)
  if ok then
    return value
  end
  local f = fault.of(value)
  return nil, f and f.message or value, f and f.code
end

fs.mkdir_p(top .. "/a/b/c")
fs.chdir(top .. "/a/b/c")

-- ---- defaults ----
local c = resolve()
t.same({ c.backend, c.default_image, c.default_resource_cpu, c.default_resource_memory, c.linger,
  c.lease, c.heartbeat, c.grace_period }, { "local", "none", 1, 0, 30, 20, 5, 10 },
  "the defaults of the fine print")
t.same({ c.home, c.default_url_prefix, c.cas_url_prefix }, { top .. "/.local/share/kubeque",
  top .. "/.local/share/kubeque/results", top .. "/.local/share/kubeque/CAS" },
  "without configuration everything is in the store of this machine")
t.is(c._source.linger, "default", "and a default is called so")

-- ---- files ----
file(".kubeque", "[config]\nlinger=1\nlease=100\ngrace_period=7\n")
file("a/.kubeque", "[config]\nlinger=2\nlease=200\n")
file("a/b/.kubeque", "[Config]\nLinger = 3m ; three minutes\n")
file(".config/kubeque/config", "[config]\ngrace_period=8\ndurability=power\n")
c = resolve()
t.is(c.linger, 180, "the nearest .kubeque upwards wins; keys in any case; a comment ends a value")
t.is(c.lease, 100, "the next one is ~/.kubeque: files in between are not read")
t.same({ c.grace_period, c.durability }, { 7, "power" }, "then the XDG file, key by key")
t.is(c._source.linger, top .. "/a/b/.kubeque:2", "the source names file and line")
proc.setenv("KUBEQUE_LINGER", "9s")
c = resolve()
t.same({ c.linger, c._source.linger }, { 9, "KUBEQUE_LINGER" }, "the environment beats files")
proc.setenv("KUBEQUE_LINGER", nil)
c = resolve { flags = { linger = 5 } }
t.is(c.linger, 5, "flags beat everything")
local other = file("other.ini", "[config]\nlease=300\n")
c = resolve { file = other }
t.same({ c.linger, c.lease }, { 30, 300 }, "--config is read instead of all files")
proc.setenv("KUBEQUE_CONFIG", other)
t.is(resolve().lease, 300, "so is KUBEQUE_CONFIG")
proc.setenv("KUBEQUE_CONFIG", nil)
local _, why, code = resolve { file = "nosuch.ini" }
t.same({ why, code }, { "no configuration file nosuch.ini", "config" }, "a named file must exist")
fs.remove(top .. "/a/b/.kubeque")
t.is(resolve().linger, 2, "the walk goes on upwards")
proc.setenv("HOME", top .. "/a/b")
t.is(resolve().linger, 30, "and stops at the home directory")
proc.setenv("HOME", top)
fs.remove(top .. "/.config/kubeque/config")
fs.remove(top .. "/.kubeque")

-- ---- where ----
file("a/.kubeque", "[config]\nproject=p\nzone=z1, z2\n")
file(".kubeque", "[config]\nproject=q\ncluster_name=c\naccount=me\nlinger=4\n")
c = resolve()
t.same({ c.project, c.zone, c.cluster_name, c.account, c.linger },
  { "p", { "z1", "z2" }, "local", nil, 4 },
  "keys that say where are taken together from the first source that sets a place")
proc.setenv("KUBEQUE_CLUSTER_NAME", "mine")
t.is(resolve().cluster_name, "mine", "the environment changes single ones")
proc.setenv("KUBEQUE_CLUSTER_NAME", nil)
file("a/.kubeque", "[config]\nzones=z9\n")
t.same({ resolve().zone, resolve().project }, { nil, "q" }, "zone alone is no place of its own")
fs.remove(top .. "/.kubeque")
t.same(resolve().zone, { "z9" }, "zones is zone")

-- ---- paths ----
file("a/.kubeque", "[config]\ndefault_url_prefix=store//x/\nwork_dir=~/w\n")
c = resolve()
t.same({ c.default_url_prefix, c.cas_url_prefix, c.work_dir },
  { top .. "/a/store/x", top .. "/a/store/x/CAS", top .. "/w" },
  "a relative path starts at its file; ~/; slashes")
file("a/.kubeque", "[config]\ndefault_url_prefix=file:///r/\ncas_url_prefix=../cas/\n")
c = resolve()
t.same({ c.default_url_prefix, c.cas_url_prefix }, { "/r", top .. "/a/../cas" }, "file://")
file("a/.kubeque", "[config]\ndefault_url_prefix=gs://b//x/\n")
c = resolve()
t.same({ c.backend, c.default_url_prefix, c.cas_url_prefix },
  { "google", "gs://b/x", "gs://b/x/CAS" }, "gs:// implies the google backend")
proc.setenv("KUBEQUE_HOME", "/dev/shm/x/")
t.same({ resolve().home, resolve()._source.home }, { "/dev/shm/x", "KUBEQUE_HOME" }, "KUBEQUE_HOME")
proc.setenv("KUBEQUE_HOME", nil)
proc.setenv("XDG_DATA_HOME", "/data")
t.is(resolve().home, "/data/kubeque", "XDG_DATA_HOME")
proc.setenv("XDG_DATA_HOME", nil)

-- ---- values ----
local function bad(text)
  file("a/.kubeque", "[config]\n" .. text .. "\n")
  local value, message, kind = resolve()
  return not value and kind == "config" and message:gsub("^" .. top:gsub("%p", "%%%0"), "")
end
t.like(bad "linger=-1", "^/a/%.kubeque:2: linger: ", "a bad duration names file, line and key")
t.like(bad "default_resource_memory=5Q", ":2: default_resource_memory: ", "a bad size")
t.like(bad "default_resource_cpu=0", "default_resource_cpu: \"0\" is no number of CPUs", "no CPU")
t.like(bad "backend=slurm", "is none of local, google", "an unknown backend")
t.like(bad "default_url_prefix=ftp://x", "neither a directory nor gs://", "an unknown scheme")
t.like(bad "home=/x", "set KUBEQUE_HOME", "home is set by the environment only")
t.like(bad "heartbeat=15", "at most a third of lease", "a heartbeat too slow for the lease")
file("a/.kubeque", "[confg]\nlinger=1\n")
t.like(select(2, resolve()), ":2: unknown section %[confg%]", "an unknown section")

-- ---- gcloud ----
fs.remove(top .. "/a/.kubeque")
file(".config/gcloud/configurations/config_default",
  "[core]\naccount = a@b\nproject = gp\n[compute]\nzone = gz\n")
c = resolve { all = true }
t.same({ c.project, c.account, c.zone }, { "gp", "a@b", { "gz" } }, "what gcloud holds")
t.like(c._source.project, "^gcloud's core/project", "and where it was")
t.is(resolve().project, nil, "on this machine nobody asks gcloud")

-- ---- image ----
t.is(config.image(resolve()), "none", "no image is the default")
file("a/.kubeque", "[config]\n\ndefault_image=debian\n")
local ok, f = pcall(config.image, resolve())
t.ok(not ok and f.code == "usage" and f.message:find("/a/.kubeque:3: default_image=", 1, true),
  "another one is refused, naming file and line")
t.is(config.image(resolve(), "none"), "none", "--image none is as good")

-- ---- everything is declared, documented, printed ----
local seen = {}
for _, key in ipairs(require "kubeque.keys") do
  t.ok(key.help and key.type and not seen[key[1]], "key " .. key[1] .. " is declared once")
  seen[key[1]] = true
  t.ok(config.show(key, c[key[1]]) ~= nil, "and can be shown")
end
local doc = require("kubeque.configdoc").markdown()
for name in pairs(seen) do
  t.ok(name == "home" or doc:find("`" .. name .. "`", 1, true), name .. " is documented")
end

fs.chdir "/"
fs.remove_tree(top)
-- ---- policies ----
file("a/b/.kubeque", '[config]\npolicy = memory:cap=1G  own/p.lua:k=1 command:command="a b"\n')
fs.mkdir_p(top .. "/a/b/c")
fs.chdir(top .. "/a/b/c")
c = resolve()
t.same(c.policy, { "memory:cap=1G", top .. "/a/b/own/p.lua:k=1", 'command:command="a b"' },
  "policies: separated by blanks, files beginning at the configuration file")
t.is(config.show({ type = "policies" }, c.policy), table.concat(c.policy, " "), "and shown like that")
file("a/b/.kubeque", "[config]\npolicy=memory:cap\n")
local _, message, kind = resolve()
t.is(kind, "config", "one that is no SPEC is refused")
t.like(message, "a/b/.kubeque:2: policy: .*options are KEY=VALUE", "with its line")

t.done()
