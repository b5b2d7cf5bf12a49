-- Tries each part of the configuration for real, a line each, and says how to mend what fails.

local fault = require "kubeque.fault"

local function bytes(n)
  return kubeque.units.format_bytes(n)
end

---The nearest directory that exists, on the way up.
local function existing(path)
  while path ~= "/" and not kubeque.fs.stat(path) do
    path = path:match("^(.+)/[^/]*$") or "/"
  end
  return path
end

local checks = {}

function checks.configuration(ctx)
  local config = ctx.config
  local names = {}
  for _, file in ipairs(config._files) do
    names[#names + 1] = file.name
  end
  return names[1] and "read from " .. table.concat(names, ", ") or "defaults only, no file"
end

function checks.backend(ctx)
  return ("%s (%s)"):format(ctx.config.backend, ctx.config._source.backend)
end

function checks.machine()
  fault.check(kubeque.machine_check())
  local m = kubeque.machine()
  return ("%s: %.14g CPUs, %s of memory (%s free)"):format(m.host, m.cpus, bytes(m.memory),
    bytes(m.memory_available))
end

function checks.store(ctx)
  local config = ctx.config
  ctx:session { create = true }
  local name, network = kubeque.fs.filesystem(config.home)
  local free, inodes = kubeque.fs.free(config.home)
  return ("%s on %s%s, %s and %d files free"):format(config.home, name,
    network and " (a network file system)" or "", bytes(free), inodes)
end

function checks.queue(ctx)
  ctx:session { create = true }
  fault.check(kubeque.queue.jobs { limit = 1 })
  return ctx.config._queue_home .. "/queue.db opens"
end

function checks.results(ctx)
  local dir = ctx.config.default_url_prefix
  local at = existing(dir)
  if not kubeque.fs.writable(at) then
    fault.raisef("config", "cannot write %s: change default_url_prefix (%s)", at,
      ctx.config._source.default_url_prefix)
  end
  local free, inodes = kubeque.fs.free(at)
  return ("%s, %s and %d files free"):format(dir, bytes(free), inodes)
end

function checks.cas(ctx)
  local dir = ctx.config.cas_url_prefix
  local at = existing(dir)
  if not kubeque.fs.writable(at) then
    fault.raisef("config", "cannot write %s: change cas_url_prefix (%s)", at,
      ctx.config._source.cas_url_prefix)
  end
  return dir .. " can be written"
end

checks["work directory"] = function(ctx)
  local at = existing(ctx.config.work_dir)
  if not kubeque.fs.writable(at) then
    fault.raisef("config", "cannot write %s: change work_dir (%s)", at,
      ctx.config._source.work_dir)
  end
  local code, text = fault.check(kubeque.proc.run { "/bin/sh", "-c", "echo ok" })
  if code ~= 0 or text ~= "ok\n" then
    fault.raise("config", "/bin/sh does not run commands: tasks of one word need it")
  end
  local results = existing(ctx.config.default_url_prefix)
  local same = kubeque.fs.stat(at).dev == kubeque.fs.stat(results).dev
  return ctx.config.work_dir .. (same and ", on the file system of the results"
    or ", on another file system than the results: outputs are copied, which is slower")
end

function checks.image(ctx)
  return "default_image=" .. require("kubeque.config").image(ctx.config)
end

function checks.nodes(ctx)
  ctx:session { create = true }
  local nodes = require "kubeque.nodes"
  return nodes.text((nodes.counts(fault.check(kubeque.queue.nodes(ctx.config.cluster_name)))))
end

function checks.provider(ctx)
  ctx:session { create = true }
  local nodes = require "kubeque.nodes"
  local chosen = nodes.provider(ctx)
  local text = ("%s: %s"):format(chosen.name, chosen.provider.summary)
  if nodes.is_builtin(ctx) then
    return text
  end
  local count = 0
  for _ in pairs(nodes.listed(ctx)) do
    count = count + 1
  end
  return ("%s; it lists %d node%s; it needs %s"):format(text, count, count == 1 and "" or "s",
    require("kubeque.provider").requirements[chosen.provider.requires])
end

local ORDER = { "configuration", "backend", "machine", "store", "queue", "results", "cas",
  "work directory", "image", "provider", "nodes" }

local function run(_, _, ctx)
  local code = 0
  for _, name in ipairs(ORDER) do
    local ok, text = pcall(checks[name], ctx)
    if not ok then
      local f = fault.of(text)
      text = f and f.message or tostring(text)
      code = code == 0 and (f and fault.exit_code(f.code) or 7) or code
    end
    kubeque.out(("%-6s  %-14s  %s\n"):format(ok and "ok" or "FAILED", name, text))
  end
  return code
end

return {
  name = "validate",
  summary = "try each part of the configuration and say how to mend what fails",
  usage = "validate",
  options = {},
  args = {},
  run = run,
}
