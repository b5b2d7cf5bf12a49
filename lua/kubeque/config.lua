-- The configuration: which sources there are, how they merge, what each value means.
--
-- resolve() gives a table of typed values by key, with
--   _source[key]  where it came from, for people ("/x/.kubeque:3", "KUBEQUE_LINGER", "default")
--   _set[key]     true unless it is a built-in default
-- open() in kubeque.store turns that into an open store.

local fault = require "kubeque.fault"
local names = require "kubeque.names"
local values = require "kubeque.values"
local places = require "kubeque.places"

local M = {}

local fs = kubeque.fs

local by_name

local function index()
  if not by_name then
    local keys = {}
    for _, key in ipairs(require "kubeque.keys") do
      keys[key[1]] = key
      for _, alias in ipairs(key.alias or {}) do
        keys[alias] = key
      end
    end
    by_name = keys -- when it is whole: memory may run out before
  end
  return by_name
end

M.user_home, M.cwd, M.normalise = places.user_home, places.cwd, places.normalise

---An absolute path: `~/` is the home directory, other relative paths start at `base`.
local function absolute(text, base)
  if text == "~" or text:sub(1, 2) == "~/" then
    local home = M.user_home()
    if not home then
      return nil, "there is no home directory for ~"
    end
    text = home .. text:sub(2)
  elseif text:sub(1, 1) ~= "/" then
    text = base .. "/" .. text
  end
  return M.normalise(text)
end

---How a value of a type is read: (text, key, directory) -> value, or nil and why not.
M.types = setmetatable({}, { __index = values.types })
local parse = M.types

function parse.path(text, _, base)
  if text == "" then
    return nil, "is empty"
  end
  return absolute(text, base)
end

function parse.script(text, _, base)
  if text:find "/" or text:find "%.lua$" then
    return absolute(text, base)
  end
  return text
end

function parse.url(text, _, base)
  if text == "" then
    return nil, "is empty"
  end
  local bucket, rest = text:match("^gs://([^/]+)(.*)$")
  if bucket then
    rest = M.normalise(rest)
    return "gs://" .. bucket .. (rest == "/" and "" or rest)
  end
  local scheme = text:match("^(%w+)://")
  if scheme == "file" then
    text = text:match("^file://localhost(/.*)$") or text:match("^file://(/.*)$")
    if not text then
      return nil, "is no file URL of this machine (file:///dir)"
    end
  elseif scheme then
    return nil, "is neither a directory nor gs://bucket/prefix"
  end
  return absolute(text, base)
end

function parse.cpu(text)
  local n = text:match("^%d*%.?%d+$") and tonumber(text)
  if not n or n <= 0 or n > 1e6 then
    return nil, "is no number of CPUs (1, 0.5)"
  end
  return n
end

function parse.list(text)
  local list = {}
  for part in text:gmatch("[^,]+") do
    part = part:match("^%s*(.-)%s*$")
    if part ~= "" then
      list[#list + 1] = part
    end
  end
  return list
end

function parse.resources(text)
  if text == "" then
    return {}
  end
  return kubeque.units.resources(text)
end

function parse.policies(text, _, base)
  local policy = require "kubeque.policy"
  local list = policy.split(text)
  for i, spec in ipairs(list) do
    local parsed, why = policy.parse(spec)
    if not parsed then
      return nil, why
    end
    list[i] = policy.rooted(spec, base)
  end
  return list
end

---A value as typed; raises a fault that names its place.
local function value_of(key, text, base, place)
  local value, why = parse[key.type](text, key, base)
  if value == nil then
    fault.raisef("config", "%s: %s: %s", place, key[1], values.refusal(text, why))
  end
  return value
end

local function key_names(prefix, upper)
  local list = {}
  for name, key in pairs(index()) do
    if not key.env then
      list[#list + 1] = prefix .. (upper and name:upper() or name)
    end
  end
  return list
end

local function warn_unknown(place, word, shown, known)
  kubeque.log.warn(("%s: unknown key %s%s"):format(place, shown,
    names.hint(word, known, { other = "kubeque config lists all keys" })))
end

---A source of settings: values are {value=, place=} by key, `provider` has {text=, place=, base=}
---by option of a node provider (what they mean, kubeque.provider knows).
local function new_source(name)
  return { name = name, values = {}, provider = {} }
end

---Reads one configuration file.
---@param path string
---@return table source
local function read_file(path)
  local rows, why = kubeque.ini(path)
  if not rows then
    fault.raise("config", why)
  end
  local source, base = new_source(path), path:match("^(.*)/[^/]*$") or "."
  for _, row in ipairs(rows) do
    local place, name = path .. ":" .. row.line, row.key:lower()
    local key = index()[name]
    if row.section:lower() ~= "config" then
      fault.raisef("config", "%s: unknown section [%s] (there is only [config])", place,
        row.section)
    elseif name:find("^provider%.") then
      source.provider[name:sub(10)] = { text = row.value, place = place, base = base }
    elseif not key then
      warn_unknown(place, name, row.key, key_names(""))
    elseif key.env then
      fault.raisef("config", "%s: %s cannot be set in a file: set %s", place, name, key.env)
    else
      source.values[key[1]] = { value = value_of(key, row.value, base, place), place = place }
    end
  end
  return source
end
M.read_file = read_file

local not_keys = { KUBEQUE_HOME = true, KUBEQUE_CONFIG = true, KUBEQUE_ETC = true }

local function read_environment(env)
  local source = new_source "environment"
  for name, text in pairs(env) do
    local word = name:match("^KUBEQUE_(.+)$")
    local option = word and word:match("^PROVIDER_(%u.*)$")
    if option then
      source.provider[option:lower()] = { text = text, place = name, base = M.cwd() }
    elseif word and not not_keys[name] and not name:find("^KUBEQUE_TEST_") then
      local key = index()[word:lower()]
      if not key or key.env or word ~= word:upper() then
        warn_unknown("environment", name, name, key_names("KUBEQUE_", true))
      else
        source.values[key[1]] = { value = value_of(key, text, M.cwd(), name), place = name }
      end
    end
  end
  return source
end

---The nearest `.kubeque` from the current directory up to the home directory, a mount point or /.
function M.nearest_file()
  return places.upwards(".kubeque", function(path, stat)
    if stat.type ~= "file" then
      return false
    end
    local why = places.foreign(stat)
    if why then
      kubeque.log.warn(("not reading %s: %s (to use it: --config %s)"):format(path, why, path))
    end
    return not why
  end)
end

---All configuration files, the strongest first; second: that of the project.
local function read_files(named)
  if named then
    local path = absolute(named, M.cwd())
    if not fs.stat(path) then
      fault.raisef("config", "no configuration file %s", named)
    end
    return { read_file(path) }
  end
  local home, files = M.user_home(), {}
  local near = M.nearest_file()
  files[1] = near and read_file(near)
  if home then
    local path = M.normalise(home) .. "/.kubeque"
    local stat = path ~= near and fs.stat(path)
    files[#files + 1] = stat and stat.type == "file" and read_file(path) or nil
    path = places.config_dir() .. "/config"
    files[#files + 1] = fs.stat(path) and read_file(path) or nil
  end
  return files, near and files[1]
end

---What gcloud itself holds: the active configuration's account, project, zone and region.
local function read_gcloud()
  local home = M.user_home()
  local dir = os.getenv "CLOUDSDK_CONFIG" or home and home .. "/.config/gcloud"
  local source = new_source "gcloud"
  local found = {}
  if dir then
    local active = os.getenv "CLOUDSDK_ACTIVE_CONFIG_NAME"
      or (fs.read(dir .. "/active_config") or "default"):match("%S+") or "default"
    local path = dir .. "/configurations/config_" .. active
    for _, row in ipairs(fs.stat(path) and kubeque.ini(path) or {}) do
      found[row.section .. "/" .. row.key] = { row.value, path .. ":" .. row.line }
    end
  end
  for name, key in pairs { ["core/account"] = "account", ["core/project"] = "project",
    ["compute/zone"] = "zone", ["compute/region"] = "region" } do
    local variable = "CLOUDSDK_" .. name:gsub("/", "_"):upper()
    local hit = os.getenv(variable) and { os.getenv(variable), variable } or found[name]
    if hit and hit[1] ~= "" then
      source.values[key] = { value = value_of(index()[key], hit[1], "/", hit[2]),
        place = ("gcloud's %s (%s)"):format(name, hit[2]) }
    end
  end
  return source
end

---The file whose "where" keys count: the first that sets default_url_prefix or project.
local function group_of(files)
  for _, file in ipairs(files) do
    if file.values.default_url_prefix or file.values.project then
      return file
    end
  end
end

local function lookup(key, flags, env, files, group, gcloud)
  local name = key[1]
  if flags[name] ~= nil then
    return { value = flags[name], place = "command line" }
  end
  if env.values[name] then
    return env.values[name]
  end
  for _, file in ipairs(files) do
    if file.values[name] and not (key.where and group and group ~= file) then
      return file.values[name]
    end
  end
  return gcloud and gcloud.values[name]
end

---$KUBEQUE_HOME or its default; nil when there is no home directory either.
local function store_home()
  local named = os.getenv "KUBEQUE_HOME"
  if named and named ~= "" then
    return absolute(named, M.cwd()), "KUBEQUE_HOME"
  end
  local xdg = os.getenv "XDG_DATA_HOME"
  if xdg and xdg:sub(1, 1) == "/" then
    return M.normalise(xdg .. "/kubeque"), "XDG_DATA_HOME"
  end
  local home = M.user_home()
  return home and M.normalise(home .. "/.local/share/kubeque"), "default"
end

---A private directory outside the store, for what cannot be in it.
function M.spare_dir(uid)
  return ("/var/tmp/kubeque-%d"):format(uid)
end

---Defaults that depend on other values.
local function derive(config)
  local source = config._source
  local function default(key, value)
    if config[key] == nil then
      config[key], source[key] = value, "default"
    end
  end
  local home = config.home
  default("default_url_prefix", home and home .. "/results")
  if config._set.default_url_prefix then
    default("cas_url_prefix", config.default_url_prefix .. "/CAS")
  else
    default("cas_url_prefix", home and home .. "/CAS")
  end
  -- the path of a work directory holds no blanks: scripts in tasks need not quote it
  local _, uid = kubeque.proc.user()
  default("work_dir", home and (home:find "%s" and M.spare_dir(uid) or home) .. "/work")
  default("backend", (config.default_url_prefix or ""):find("^gs://") and "google" or "local")
  default("node_resources", {})
end

---Resolves the configuration. `o.file`: --config; `o.flags`: typed values that win;
---`o.all`: also what only another backend would use (for `kubeque config`).
function M.resolve(o)
  o = o or {}
  local env = read_environment(kubeque.proc.env())
  local named = o.file or os.getenv "KUBEQUE_CONFIG"
  local files, project = read_files(named ~= "" and named or nil)
  local group = group_of(files)
  local config = { _source = {}, _set = {}, _files = files, _project = project,
    _sources = { env, table.unpack(files) } }
  local function fill(gcloud)
    for _, key in ipairs(require "kubeque.keys") do
      local hit = not key.env and lookup(key, o.flags or {}, env, files, group, gcloud)
      if hit then
        config[key[1]], config._source[key[1]] = hit.value, hit.place
        config._set[key[1]] = true
      elseif key.default ~= nil then
        config[key[1]], config._source[key[1]] = key.default, "default"
      end
    end
  end
  fill(nil)
  local home, place = store_home()
  config.home, config._source.home, config._set.home = home, place, place ~= "default"
  derive(config)
  if o.all or config.backend == "google" then
    fill(read_gcloud())
  end
  if config.heartbeat * 3 > config.lease then
    fault.raisef("config", "%s: heartbeat (%gs) must be at most a third of lease (%gs)",
      config._source.heartbeat, config.heartbeat, config.lease)
  end
  return config
end

---How a value is written for people and in `kubeque config`.
function M.show(key, value)
  if value == nil then
    return ""
  elseif key.type == "list" then
    return table.concat(value, ",")
  elseif key.type == "policies" then
    return table.concat(value, " ")
  elseif key.type == "memory" then
    return value == 0 and "0" or kubeque.units.format_memory(value)
  elseif key.type == "duration" then
    return kubeque.units.format_duration(value)
  elseif key.type == "cpu" then
    return ("%g"):format(value)
  elseif key.type == "resources" then
    local parts = {}
    for name, amount in pairs(value) do
      parts[#parts + 1] = ("%s=%g"):format(name, amount)
    end
    table.sort(parts)
    return table.concat(parts, ",")
  end
  return tostring(value)
end

---The image of tasks: what -i said, else the configured one. On this machine only `none` can be
---run as yet; another is a usage fault that names where it was set.
function M.image(config, chosen)
  local image = chosen or config.default_image
  if image == "" then
    fault.raise("usage", "option --image: an image has a name; none runs on the node itself")
  end
  if config.backend == "local" and image ~= "none" then
    if chosen then
      fault.raisef("usage", "image %s cannot be used yet: containers are not built yet on this "
        .. "machine (use --image none)", image)
    end
    fault.raisef("usage", "%s: default_image=%s cannot be used yet: containers are not built yet "
      .. "on this machine (set default_image=none, or use --image none)",
      config._source.default_image, image)
  end
  return image
end

---kubeque.config.KEY: the configuration's values, resolved when the first is asked for.
M.public = setmetatable({}, { __index = function(self, name)
  if type(name) ~= "string" or not index()[name] then
    error(("there is no kubeque.config.%s%s"):format(tostring(name),
      names.hint(name, key_names(""), { before = "kubeque.config.", other = "" })), 2)
  end
  local config = rawget(self, 1)
  if not config then
    config = M.resolve()
    rawset(self, 1, config)
  end
  return config[index()[name][1]]
end })

return M
