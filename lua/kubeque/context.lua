-- What a command works with: its configuration and its store. cli.lua makes one for the command
-- that runs; scripts that have none (`kubeque lua FILE`) get one by the configuration alone.
--
--   ctx.name, ctx.opt        command and its options
--   ctx.config               resolved configuration (kubeque.config), read when first used
--   ctx:session(options)     opens the store for kubeque.queue and the others, once: true, or
--                            false when there is none ({create = true} makes it)
--   ctx.quiet, ctx.plain     common options

local M = {}

local Context = {}

---Opens the store once (options: kubeque.store). False when there is none and `create` was not
---asked: reading commands leave a machine without a store alone.
function Context:session(opts)
  if not rawget(self, "opened") then
    self.opened = require("kubeque.store").open(self.config, opts)
  end
  return self.opened
end

function Context.__index(self, key)
  if key == "config" then
    local config = require("kubeque.config").resolve { file = self.opt.config }
    self.config = config
    return config
  end
  return Context[key]
end

local current

---The context of a command that begins, which is the current one from now on.
---@param name string?
---@param opt table its options
---@return table ctx
function M.new(name, opt)
  current = setmetatable({ name = name, opt = opt, quiet = opt.quiet or false,
    plain = opt.plain or false }, Context)
  return current
end

---The context of the command that runs.
---@return table ctx
function M.current()
  return current or M.new(nil, {})
end

return M
