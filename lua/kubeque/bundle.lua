-- Bundles: policies and all they require as one text that travels with the job (see
-- kubeque.policy for its form). What is found is read once, so what is checked is what is stored.

local fault = require "kubeque.fault"
local lexer = require "kubeque.lexer"
local policy = require "kubeque.policy"
local on_disk = require "kubeque.modules"
local scripts = require "kubeque.scripts"

local M = {}

local POLICIES_MAX = 16

local function too_large(largest, size)
  fault.raisef("usage", "the policies and what they require are %d bytes, and at most %d travel "
    .. "with a job: the largest file is %s (%d bytes)", size, policy.MAX_BYTES, largest.shown,
    #largest.text)
end

---A bundle that is being made: modules by name ({file=, shown=, text=}).
local Bundle = {}
Bundle.__index = Bundle

---A file that travels: not too large, and Lua.
local function check_file(found)
  if #found.text > policy.MAX_BYTES then
    too_large(found, #found.text)
  end
  if found.text:byte() == 27 then
    fault.raisef("script", "%s: bytecode is not allowed, only the text of a script", found.shown)
  end
  local _, bad = utf8.len(found.text)
  bad = bad or found.text:find("\0", 1, true)
  if bad then
    local _, lines = found.text:sub(1, bad):gsub("\n", "")
    fault.raisef("script", "%s:%d: a policy is UTF-8 text without NUL bytes", found.shown, lines + 1)
  end
  local ok, why = scripts.compile(found.text, found.shown)
  if not ok then
    fault.raise("script", why)
  end
end

---Adds a module and what it requires. Two files of one name and different content cannot both be
---in a bundle.
function Bundle:add(name, found, root)
  local there = self.modules[name]
  if there then
    if there.text ~= found.text then
      fault.raisef("usage", "two policies require '%s' and mean different files: %s and %s: rename "
        .. "one of them", name, there.shown, found.shown)
    end
    return
  end
  check_file(found)
  self.modules[name] = found
  for _, required in ipairs(lexer.requires(found.text)) do
    local text, path = on_disk.source(required.name, root)
    if text then
      local file = required.name:gsub("%.", "/") .. ".lua"
      self:add(required.name, { file = file, shown = path or file, text = text }, root)
    elseif not required.optional then
      fault.raisef("script", "%s:%d: %s", found.shown, required.line,
        on_disk.missing(required.name))
    end
  end
end

---The name of a policy file in the bundle: its base name, numbered when another file has it.
function Bundle:file_module(found)
  local base, n = found.path:match "[^/]*$", 1
  local name = base
  while self.modules[name] and self.modules[name].shown ~= found.path do
    n = n + 1
    name = base .. "#" .. n
  end
  return name, base
end

---Adds the policy that a SPEC chooses.
function Bundle:choose(spec)
  local parsed, why = policy.parse(spec)
  if not parsed then
    fault.raise("usage", why)
  end
  local found, blocked, code = scripts.find("policies", parsed.path or parsed.name)
  if not found then
    -- a name that there is none of is a slip of the command line, not a job that is not there
    fault.raise(code == "not_found" and "usage" or code, blocked)
  elseif blocked then
    kubeque.log.warn(blocked)
  end
  local file = ("policies/%s.lua"):format(found.name)
  local module = { shown = found.path or file, text = fault.check(scripts.text(found)) }
  local name
  if parsed.path then
    name, module.file = self:file_module(found)
  else
    name, module.file = "policies." .. parsed.name, file
  end
  self:add(name, module, found)
  self.policies[#self.policies + 1] = { name = found.name, module = name, given = parsed.options }
end

---The text. `shown`: with the paths that the user knows, for messages; else with names that do not
---depend on where the files are.
function Bundle:encode(shown)
  local policies, texts = kubeque.json.array {}, {}
  for i, p in ipairs(self.policies) do
    policies[i] = { name = p.name, module = p.module, options = p.options or {} }
  end
  for name, module in pairs(self.modules) do
    texts[name] = { file = shown and module.shown or module.file, text = module.text }
  end
  return kubeque.json.encode { schema = policy.SCHEMA, policies = policies, modules = texts }
end

local function check_size(bundle, text)
  if #text <= policy.MAX_BYTES then
    return
  end
  local largest
  for _, module in pairs(bundle.modules) do
    if not largest or #module.text > #largest.text
      or #module.text == #largest.text and module.shown < largest.shown then
      largest = module
    end
  end
  too_large(largest, #text)
end

---The bundle of a list of SPECs, its files read and compiled, its options as given.
---@param specs table
function M.collect(specs)
  local bundle = setmetatable({ modules = {}, policies = {} }, Bundle)
  if #specs > POLICIES_MAX then
    fault.raisef("usage", "a job has at most %d policies, and these are %d", POLICIES_MAX, #specs)
  end
  for _, spec in ipairs(specs) do
    bundle:choose(spec)
  end
  check_size(bundle, bundle:encode())
  return bundle
end

---What the policies of a bundle declare, from the sandbox; its messages name the user's own paths.
local function declarations(bundle)
  local text = bundle:encode(true)
  local found, why, code = kubeque.policies.check(#text <= policy.MAX_BYTES and text
    or bundle:encode())
  if not found then
    fault.raise(code, scripts.expand(why))
  end
  return found
end

---Makes the bundle of a list of SPECs, checked: { text =, policies = {{name =, summary =, hooks =,
---options =, defaults =}} }. Raises: "usage" for a name or an option that there is none of,
---"script" for a file that is broken.
---@param specs table
---@return table
function M.make(specs)
  local bundle = M.collect(specs)
  local declared = declarations(bundle)
  for i, p in ipairs(bundle.policies) do
    local given, why = policy.options(p.name, p.given, declared[i].options or {})
    if not given then
      fault.raise("usage", why)
    end
    p.options, p.defaults = given, declared[i].options
    p.summary, p.hooks = declared[i].summary, declared[i].hooks
  end
  local text = bundle:encode()
  check_size(bundle, text)
  return { text = text, policies = bundle.policies }
end

---Makes the bundle; a mistake in what was chosen names `place`, where it was.
local function make_at(place, code, specs)
  local ok, made = pcall(M.make, specs)
  local why = not ok and fault.of(made)
  if why and why.code == "usage" then
    fault.raise(code, place .. ": " .. why.message)
  elseif not ok then
    error(made, 0)
  end
  return made
end

---What a recipe may write: "memory", {"memory", cap = "8G"} or a list of both.
local function list_of(chosen)
  if type(chosen) ~= "table" then
    return { chosen }
  end
  for key in pairs(chosen) do
    if math.type(key) ~= "integer" then
      return { chosen }
    end
  end
  return chosen
end

---The bundle for a submission, as text: of what the command line or a recipe chose (a SPEC or a
---list of them), else of what the configuration says. Nil: no policy of its own, also after `none`.
---@param chosen table|string|nil
---@param config table
---@return string|nil
function M.choose(chosen, config)
  local specs = list_of(chosen or config.policy)
  if #specs == 0 then
    return nil
  end
  local place, code = "option --policy", "usage"
  if not chosen then
    place, code = config._source.policy .. ": policy", "config"
  end
  for _, spec in ipairs(specs) do
    if spec == "none" and #specs > 1 then
      fault.raise(code, place .. ": none means no policy at all: it stands alone")
    elseif spec == "none" then
      return nil
    end
  end
  local made = make_at(place, code, specs)
  if not chosen then
    require("kubeque.projectfile").check_policy(config, made)
  end
  return made.text
end

return M
