-- What a project's `.kubeque` says of node providers and of policies that act on events makes
-- kubeque run programs, as the scripts in `.kubeque.d/lua` do. It came with the project, so it
-- counts only once the user has agreed to it (kubeque trust). All else in the file needs no
-- agreement: policies that only decide run in a sandbox, and a provider's name alone is one of a
-- place that may be used.
--
-- An agreement is a line of the list of kubeque.trust, about "<path>:provider" (the options of the
-- provider) or "<path>:policy" (the bundle of the policies, with all that they require).

local fault = require "kubeque.fault"
local trust = require "kubeque.trust"

local M = {}

---The options of a provider that a file sets, one a line; nil when it sets none.
local function provider_part(source)
  local lines = {}
  for key, setting in pairs(source.provider) do
    lines[#lines + 1] = ("provider.%s=%s"):format(key, setting.text)
  end
  if #lines == 0 then
    return nil
  end
  table.sort(lines)
  return { path = source.name .. ":provider", lines = lines,
    sha256 = kubeque.cas.hash_string(table.concat(lines, "\n")) }
end

---The policies that a file chooses, if one of them acts on events; else nil.
---@param source table
---@param made table the bundle of them
local function policy_part(source, made)
  for _, policy in ipairs(made.policies) do
    for _, hook in ipairs(policy.hooks) do
      if hook == "on_event" then
        return { path = source.name .. ":policy", sha256 = kubeque.cas.hash_string(made.text),
          lines = { "policy=" .. table.concat(source.values.policy.value, " ") } }
      end
    end
  end
end

---What there is to agree to in a file: { { path =, sha256 =, lines = } ... }. Raises what is wrong
---with its policies.
---@param source table as kubeque.config.read_file() gives it
---@return table parts
function M.parts(source)
  local policies, parts = source.values.policy, { provider_part(source) }
  if policies and #policies.value > 0 and policies.value[1] ~= "none" then
    parts[#parts + 1] = policy_part(source, require("kubeque.bundle").make(policies.value))
  end
  return parts
end

---Raises unless the user has agreed to the part.
local function check(part, place, what)
  local list = fault.check(trust.read())
  if list[part.path] ~= part.sha256 then
    fault.raisef("script", "%s: %s is not used: %s (look at it, then: kubeque trust)", place, what,
      list[part.path] and "it has changed since you agreed to it"
      or "it came with the project and makes kubeque run programs")
  end
end

---Raises when the provider, or an option of it, is the project's and not agreed to.
---@param config table
function M.check_provider(config)
  local source = config._project
  local chosen = source and source.values.provider
  if chosen and config._source.provider == chosen.place and chosen.value:find "/" then
    fault.raisef("script", "%s: provider %s is not used: a project's provider is a name, and its "
      .. "file in .kubeque.d/lua/providers (then: kubeque trust)", chosen.place, chosen.value)
  end
  if not source or chosen and chosen.value ~= config.provider then
    return -- it speaks of another one
  end
  local part = provider_part(source)
  if part then
    local key = part.lines[1]:match "^provider%.([^=]*)"
    check(part, source.provider[key].place, "provider." .. key)
  end
end

---Raises when policies that act on events are the project's and not agreed to.
---@param config table
---@param made table their bundle
function M.check_policy(config, made)
  local source = config._project
  local chosen = source and source.values.policy
  if chosen and config._source.policy == chosen.place then
    local part = policy_part(source, made)
    if part then
      check(part, chosen.place, part.lines[1])
    end
  end
end

---Is what was agreed to still so? "trusted", "changed" or "missing"; nil for what is no part of a
---file.
---@param path string as it stands in the list
---@param sha256 string
function M.state(path, sha256)
  local file, kind = path:match "^(.*/%.kubeque):(%l+)$"
  if not file then
    return nil
  elseif not kubeque.fs.stat(file) then
    return "missing"
  end
  local ok, parts = pcall(function()
    return M.parts(require("kubeque.config").read_file(file))
  end)
  for _, part in ipairs(ok and parts or {}) do
    if part.path == file .. ":" .. kind and part.sha256 == sha256 then
      return "trusted"
    end
  end
  return "changed"
end

return M
