-- A shell in a fresh directory with a task's inputs and environment.

local fault = require "kubeque.fault"

---The user's shell, or /bin/sh.
local function shell()
  local path = os.getenv "SHELL"
  return path and path:sub(1, 1) == "/" and kubeque.fs.executable(path) and path or "/bin/sh"
end

---What the task sees: the environment of its submission, --env and KQ_*; TERM is this terminal's.
---`top` holds the work directory and the file of parameters.
local function environment(job, n, spec, common, top, dir)
  local env = {}
  for _, pair in ipairs(fault.check(kubeque.submitter(job.born)).env) do
    local name, value = pair:match "^([^=]*)=(.*)$"
    env[name or pair] = value
  end
  env.TERM = os.getenv "TERM" or env.TERM
  for _, source in ipairs { common.env or {}, spec.env or {} } do
    for name, value in pairs(source) do
      env[name] = value
    end
  end
  env.KQ_JOB, env.KQ_TASK, env.KQ_ATTEMPT, env.KQ_NODE = job.id, tostring(n), "0", "shell"
  env.KQ_WORK = dir
  local used, values = {}, {}
  for _, pair in ipairs(spec.parameters or {}) do
    local name = "KQ_PARAM_" .. pair[1]:gsub("[^%w_]", "_")
    used[name] = (used[name] or 0) + 1
    env[name] = used[name] == 1 and #pair[2] <= 32768 and pair[2] or nil
    values[pair[1]] = pair[2]
  end
  if next(values) then
    env.KQ_PARAMS = top .. "/params.json"
    fault.check(kubeque.fs.write(env.KQ_PARAMS, kubeque.json.encode(values) .. "\n", 384)) -- 0600
  end
  return env
end

---All inputs of a task: those of the job and its own.
local function inputs_of(manifest, spec)
  local list = fault.check(manifest:inputs())
  return table.move(spec.inputs or {}, 1, #(spec.inputs or {}), #list + 1, list)
end

local function run(opt, args, ctx)
  ctx:session { read_only = true }
  local job, n = require("kubeque.select").task(ctx, args[1])
  local manifest = fault.check(kubeque.manifest(job))
  local spec, common = fault.check(manifest:task(n)), manifest:common()
  local top = fault.check(kubeque.fs.tmpdir())
  local dir = top .. "/work"
  local ok, status = pcall(function()
    fault.check(kubeque.fs.mkdir_p(dir, 448)) -- 0700
    fault.check(kubeque.materialize { cas = job.info.cas or ctx.config.cas_url_prefix, dir = dir,
      inputs = inputs_of(manifest, spec) })
    local cd = spec.cd or common.cd
    local cwd = cd and cd ~= "" and dir .. "/" .. cd or dir
    fault.check(kubeque.fs.mkdir_p(cwd))
    local env = environment(job, n, spec, common, top, dir)
    env.PWD = cwd
    if not opt.quiet then
      kubeque.log.info(("Inputs of %s.%d are in %s, which is removed when the shell ends"):format(
        job.id, n, dir))
      kubeque.log.info("Its command: " .. spec.command)
    end
    return fault.check(kubeque.proc.call { shell(), cwd = cwd, env = env })
  end)
  kubeque.fs.remove_tree(top)
  if not ok then
    error(status, 0)
  end
  return status
end

return {
  name = "shell",
  summary = "open a shell with the inputs and the environment of a task",
  usage = "shell JOB.N",
  description = "In a fresh directory, which is removed when the shell ends; the exit status is "
    .. "that of the shell. Nothing that is done there changes the job.",
  options = {},
  args = { { "JOB.N" } },
  run = run,
}
