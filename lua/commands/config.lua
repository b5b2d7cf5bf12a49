-- The configuration in force: every key, its value and where it came from.

local config = require "kubeque.config"
local output = require "kubeque.output"

local function run(opt)
  if opt.markdown then
    kubeque.out(require("kubeque.configdoc").markdown())
    return
  end
  local values = config.resolve { file = opt.config, all = true }
  local out = output.open(opt, { { "key" }, { "value" }, { "source" } })
  for _, key in ipairs(require "kubeque.keys") do
    local name = key[1]
    out:row { key = name, value = config.show(key, values[name]),
      source = values._source[name] or "not set" }
  end
  for _, row in ipairs(require("kubeque.provider").shown(values)) do
    out:row(row)
  end
  out:close()
end

return {
  name = "config",
  summary = "show the configuration: every key, its value and where it came from",
  usage = "config [options]",
  options = output.with_options {
    { "markdown", help = "the reference of all keys (docs/configuration.md)" },
  },
  args = {},
  run = run,
}
