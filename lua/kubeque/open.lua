-- kubeque.open{...}: opens the store by the configuration, for scripts run by `kubeque lua FILE`
-- (a subcommand has ctx:session(), a recipe's is open).

local fault = require "kubeque.fault"

local fields = { create = { type = "boolean" }, read_only = { type = "boolean" },
  config = { type = "string" } }

local function open(o)
  local config = require("kubeque.config").resolve { file = o.config }
  return require("kubeque.store").open(config, { create = o.create, read_only = o.read_only })
end

---Opens the store of the configuration for kubeque.queue and the others. true; false when there is
---none (`create = true` makes it); nil, why, code when it cannot be used.
---@param o table|nil create, read_only, config (a file to read instead of all others)
return function(o)
  o = o or {}
  require("kubeque.declare").check("kubeque.open", o, fields)
  local ok, value = pcall(open, o)
  if ok then
    return value
  end
  local f = fault.of(value)
  if not f then
    error(value, 0)
  end
  return nil, f.message, f.code
end
