-- Node providers: where nodes come from. The configuration chooses one (`provider=NAME`, default
-- local) and sets its options (`provider.KEY=value`); kubeque.nodes asks it for nodes.
--
-- A provider is a Lua file in a folder `providers` (kubeque.scripts says which) that returns
--
--   kubeque.provider {
--     name = "pbs", summary = "one line",
--     requires = "shared queue",     -- nodes may be on other machines, and all must reach the
--                                    -- queue; or "any queue": all its nodes are on this machine
--     capabilities = { waits = true },   -- see below
--     options = { queue = { type = "string", default = "batch", help = "..." } },
--     add = function(request, options) ... end,               -- starts nodes: a list of nodes
--     list = function(cluster, options, place) ... end,       -- what it has: a list of nodes
--     remove = function(ids, options, force, place) ... end,  -- ends nodes: true, or the ids found
--     logs = function(id, options, place) ... end,            -- output of a node: text
--   }
--
-- `add` and `list` are needed. A *node* is { id =, state =, log =, name = }: the id that kubeque
-- gave it in the request, the provider's own word for its state, where its output is, and what the
-- provider calls it. What fails is `nil, message`; `add` may return a second value, a text that
-- says why it started fewer than asked.
--
-- A *request* is { cluster =, count =, first =, job =, home =, log_dir =, command = {...},
-- prefix =, nodes = {{ id =, command = {...} }, ...} }: nodes[i].command is the argument vector of
-- a consumer that registers as nodes[i].id (prefix-1, prefix-2, ...); `command` is what they have
-- in common; `first` says that the first of them has --first: it leaves again if the cluster has
-- a node by then. `job` is the id of the job they are for, `home` the directory of the queue. A
-- *place* is { home =, log_dir =, cluster = } of it.
--
-- Capabilities: `waits`: a node that was added may wait long before it starts (a batch system);
-- those in its list count as nodes of the cluster meanwhile.
--
-- An option has `type` ("string", "list", "int", "number", "flag", "path", "duration", "memory",
-- "choice" with `choices`), `default`, `required`, `help`; min and max for numbers. Every provider
-- has the option `timeout` (60 s), the time limit of one call.
--
-- Functions run in a process of their own (kubeque.provider_call): one that hangs or dies is ended
-- and reported, with all it started, and takes nothing with it.

local declare = require "kubeque.declare"
local fault = require "kubeque.fault"
local names = require "kubeque.names"
local values = require "kubeque.values"

local M = {}

---What `requires` may say, and what it means.
M.requirements = { ["any queue"] = "nothing of the queue: its nodes run on this machine",
  ["shared queue"] = "a queue that all its nodes reach" }

local fields = {
  name = { type = "string", required = true },
  summary = { type = "string", required = true },
  requires = { type = "string", required = true },
  capabilities = { type = "table" },
  options = { type = "table" },
  add = { type = "function", required = true },
  list = { type = "function", required = true },
  remove = { type = "function" },
  logs = { type = "function" },
}

local option_fields = {
  type = { type = "string" },
  default = { type = "string|number|boolean|table" },
  required = { type = "boolean" },
  help = { type = "string", required = true },
  choices = { type = "table" },
  min = { type = "number" },
  max = { type = "number" },
}

local capability_fields = { waits = { type = "boolean" } }

-- Types of options, and what their values are in Lua.
local value_types = { string = "string", path = "string", choice = "string", list = "table",
  int = "number", number = "number", duration = "number", memory = "number", flag = "boolean" }

local TIMEOUT = { type = "duration", default = 60,
  help = "time limit of one call of the provider (0: none)" }

-- ---- declarations ----

local function check_option(name, decl)
  local what = "kubeque.provider: option " .. tostring(name)
  if type(name) ~= "string" or not name:find "^%l[%l%d_]*$" then
    declare.fail("options", what .. ": a name is small letters, digits and _")
  elseif name == "timeout" then
    declare.fail(name, what .. ": every provider has it already")
  end
  declare.check(what, decl, option_fields)
  local kind = decl.type or "string"
  declare.one_of(what, "type", kind, names.of(value_types))
  if (kind == "choice") ~= (decl.choices ~= nil) then
    declare.fail(name, what .. ': type = "choice" and choices = {...} go together')
  elseif decl.default ~= nil and type(decl.default) ~= value_types[kind] then
    declare.fail(name, ("%s: the default of a %s is a %s, not a %s"):format(what, kind,
      value_types[kind], type(decl.default)))
  end
end

---kubeque.provider{...}: checks a declaration and returns it as a provider. Raises.
---@param spec table see above
---@return table provider
function M.declare(spec)
  if type(spec) == "table" and getmetatable(spec) == M.meta then
    return spec
  end
  declare.check("kubeque.provider", spec, fields, 2)
  if not spec.name:find "^%a[%w_-]*$" then
    declare.fail("name", ("kubeque.provider: name %q: letters, digits, _ and - are allowed"):format(
      spec.name))
  end
  declare.one_of("kubeque.provider", "requirement", spec.requires, names.of(M.requirements))
  declare.check("kubeque.provider: capabilities", spec.capabilities or {}, capability_fields)
  local provider = {}
  for key, value in pairs(spec) do
    provider[key] = value
  end
  provider.capabilities = spec.capabilities or {}
  provider.options = { timeout = TIMEOUT }
  for name, decl in pairs(spec.options or {}) do
    check_option(name, decl)
    provider.options[name] = decl
  end
  return setmetatable(provider, M.meta)
end

M.meta = { __name = "kubeque.provider" }
M.public = M.declare

---The provider of a script that kubeque.scripts found. Raises a fault (exit 7) that names file and
---line.
---@return table provider
function M.load(found)
  if found.place == "builtin" then
    return (require("builtin.providers." .. found.name))
  end
  local scripts = require "kubeque.scripts"
  local value, why, code = scripts.load(found, 0.5)
  if value == nil and why then
    fault.raisef(code, "provider %s: %s", found.name, why)
  elseif type(value) ~= "table" then
    fault.raisef("script", "provider %s: %s: it returns a %s: it has to end with `return "
      .. "kubeque.provider{...}`", found.name, found.path, type(value))
  end
  scripts.current = found
  local ok, provider = pcall(M.declare, value)
  scripts.current = nil
  if not ok then
    fault.raisef("script", "provider %s: %s", found.name, provider.message or tostring(provider))
  elseif provider.name ~= found.name then
    fault.raisef("script", "provider %s: %s: name = %q must be that of the file", found.name,
      scripts.locate(found, "name"), provider.name)
  end
  return provider
end

-- ---- options ----

local function parse(decl, text, base)
  local kind = decl.type or "string"
  local read = values.types[kind] or require("kubeque.config").types[kind]
  return read(text, decl, base)
end

---Which `provider.KEY` settings count, by key: { text =, place =, base = }. A source that chooses
---another provider speaks of that one's options.
local function settings(config)
  local found = {}
  for _, source in ipairs(config._sources) do
    local its = source.values.provider and source.values.provider.value
    if not its or its == config.provider then
      for key, setting in pairs(source.provider or {}) do
        found[key] = found[key] or setting
      end
    end
  end
  return found
end

---The options of a provider as configured: typed values, with defaults. Raises a fault that names
---file and line for what is not right.
---@return table options, table places where each was set, by key
function M.options(provider, config)
  local options, places = {}, {}
  for key, setting in pairs(settings(config)) do
    local decl = provider.options[key]
    if not decl and config.provider == "local" and not config._set.provider then
      fault.raisef("config", "%s: provider.%s is set, but no provider is chosen: provider=ssh, say",
        setting.place, key)
    elseif not decl then
      fault.raisef("config", "%s: provider %s: unknown option %s%s", setting.place, config.provider,
        key, names.hint(key, names.of(provider.options)))
    end
    local value, why = parse(decl, setting.text, setting.base)
    if value == nil then
      fault.raisef("config", "%s: provider.%s: %s", setting.place, key,
        values.refusal(setting.text, why))
    end
    options[key], places[key] = value, setting.place
  end
  for key, decl in pairs(provider.options) do
    if options[key] == nil then
      options[key] = decl.default
      if decl.required and options[key] == nil then
        fault.raisef("config", "provider %s: set provider.%s (%s)", config.provider, key, decl.help)
      end
    end
  end
  return options, places
end

---The provider that the configuration chooses: { name =, found =, provider =, options =, places = }.
---Kept in the configuration. Raises a fault when there is none of that name, its file is broken or
---an option is wrong.
function M.of(config)
  local chosen = config._provider
  if not chosen then
    require("kubeque.projectfile").check_provider(config)
    local found, why, code = require("kubeque.scripts").find("providers", config.provider)
    if not found then
      fault.raisef(code == "script" and code or "config", "%s: %s", config._source.provider, why)
    elseif why then
      kubeque.log.warn(why) -- a stronger one must not be used
    end
    local provider = M.load(found)
    local options, places = M.options(provider, config)
    chosen = { name = provider.name, found = found, provider = provider, options = options,
      places = places }
    config._provider = chosen
  end
  return chosen
end

---The compiled-in provider of this machine, as of() would say it.
function M.stock()
  local found = { name = "local", place = "builtin" }
  return { name = "local", found = found, provider = M.load(found), options = {}, places = {} }
end

---What a node of this configuration may have at most, where that is not said: this machine's (nil)
---if its nodes run here, else { cpu =, memory = } that no machine exceeds.
function M.unbounded(config)
  if config.provider == "local" then
    return nil
  end
  local ok, chosen = pcall(M.of, config)
  return ok and chosen.provider.requires ~= "any queue" and { cpu = 1000000, memory = 1 << 50 } or nil
end

-- ---- for people ----

local function show(decl, value)
  if type(value) == "boolean" then
    return value and "yes" or "no"
  end
  return require("kubeque.config").show({ type = decl.type }, value)
end

---Options in force as rows { key =, value =, source = }, for `kubeque config`: none for a provider
---without options of its own, and as written where the provider cannot be loaded.
function M.shown(config)
  local rows = {}
  local ok, chosen = pcall(M.of, config)
  if not ok then
    local f = fault.of(chosen)
    kubeque.log.warn(f and f.message or tostring(chosen))
    for key, setting in pairs(settings(config)) do
      rows[#rows + 1] = { key = "provider." .. key, value = setting.text, source = setting.place }
    end
  else
    for key, decl in pairs(chosen.provider.options) do
      if config.provider ~= "local" or chosen.places[key] then
        rows[#rows + 1] = { key = "provider." .. key, value = show(decl, chosen.options[key]),
          source = chosen.places[key] or chosen.options[key] ~= nil and "default" or "not set" }
      end
    end
  end
  table.sort(rows, function(a, b) return a.key < b.key end)
  return rows
end

---Options of the compiled-in providers, for docs/configuration.md.
function M.markdown()
  local out = {}
  for _, path in ipairs(kubeque.embedded.list "providers/") do
    local provider = require("builtin." .. path:gsub("/", "."))
    out[#out + 1] = ("\n### provider = %s\n\n%s; it needs %s.\n"):format(provider.name,
      provider.summary:gsub("^%l", string.upper), M.requirements[provider.requires])
    out[#out + 1] = "| key | default | meaning |\n| --- | --- | --- |"
    for _, key in ipairs(names.of(provider.options)) do
      local decl = provider.options[key]
      local default = decl.default ~= nil and "`" .. show(decl, decl.default) .. "`"
        or decl.required and "(needed)" or ""
      out[#out + 1] = ("| `provider.%s` | %s | %s |"):format(key, default,
        (decl.help:gsub("|", "\\|")))
    end
  end
  return table.concat(out, "\n") .. "\n"
end

return M
