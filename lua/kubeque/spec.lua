-- What the options of sub and its words mean: the table that kubeque.submit takes. The command
-- line and recipes (kubeque.job) say what they want in the same options. Rows, templates and
-- inputs are C's (work/submit.h).

local fault = require "kubeque.fault"

local M = {}

-- ---- options that say where rows come from ----

local sources = { "params", "seq", "sweep", "commands", "lines", "each", "file" }

---Patterns among the words of --each stand for the files that match.
local function expand_each(words)
  local out = {}
  for _, word in ipairs(words) do
    local found = { word }
    if kubeque.is_pattern(word) and not kubeque.fs.stat(word) then
      found = fault.check(kubeque.fs.glob(word))
      if #found == 0 then
        fault.raisef("usage", "option --each: no file matches %s", word)
      end
    end
    table.move(found, 1, #found, #out + 1, out)
  end
  if #out == 0 then
    fault.raise("usage", "option --each: at least one word is needed")
  end
  return out
end

local function source_of(opt)
  local chosen
  for _, name in ipairs(sources) do
    if opt[name] then
      if chosen then
        fault.raisef("usage", "--%s and --%s exclude each other: a job has one source of rows",
          chosen, name)
      end
      chosen = name
    end
  end
  return chosen
end

local sweep_options = { "zip", "sample", "lhs", "sobol", "seed" }

---The rows of --sweep, kept for the submission.
local function spool_sweep(opt)
  local how = {}
  for _, name in ipairs(sweep_options) do
    how[name] = opt[name]
  end
  return require("kubeque.submit").spool(require("kubeque.sweep").params(opt.sweep, how))
end

local function check_sweep_options(opt)
  for _, name in ipairs(sweep_options) do
    if opt[name] and not opt.sweep then
      fault.raisef("usage", "--%s goes with --sweep", name)
    end
  end
end

---Fills in where rows come from; returns the option that says so, nil for a single task.
local function read_source(opt, spec)
  local kind = source_of(opt)
  if opt.params_format and kind ~= "params" then
    fault.raise("usage", "--params-format goes with --params")
  elseif opt.rows and not kind then
    fault.raise("usage", "--rows goes with a source of rows (--params, --seq, ...)")
  end
  check_sweep_options(opt)
  spec.only = opt.rows
  if kind == "seq" then
    spec.rows, spec.seq = "seq", opt.seq
  elseif kind == "sweep" then
    spec.rows, spec.spool = "params", spool_sweep(opt)
  elseif kind == "each" then
    spec.rows, spec.each = "each", expand_each(opt.each)
  elseif kind == "file" then
    spec.rows, spec.path = "jobfile", opt.file
  elseif kind then
    spec.rows, spec.path = "params", opt[kind]
    spec.format = kind == "params" and opt.params_format or kind ~= "params" and kind or nil
  end
  return kind
end

-- ---- its command ----

local operators = { ["|"] = true, ["||"] = true, ["&"] = true, ["&&"] = true, [";"] = true,
  ["<"] = true, [">"] = true, [">>"] = true, ["2>&1"] = true }

local function warn_about_operators(words)
  for _, word in ipairs(words) do
    if operators[word] then
      kubeque.log.warn(("no shell reads %s here: it is passed to the command as a word (for a "
        .. "shell line write one word: kubeque sub '%s')"):format(word, table.concat(words, " ")))
      return
    end
  end
end

---In a shell line `^` means nothing; ` ^NAME` of a file was meant otherwise.
local function check_carets(line)
  for name in (" " .. line):gmatch("%s%^([^%s'\"|&;<>()]+)") do
    if kubeque.fs.stat(name) then
      fault.raisef("usage", "^ has no meaning inside a shell line: use -u %s and write %s in the "
        .. "line", name, name)
    end
  end
end

---A `{name}` in a job without parameters may be a forgotten --params.
local function warn_about_braces(words)
  for _, word in ipairs(words) do
    local name = (" " .. word):match("[^{$]{([%a_][%w_.:-]*)}")
    if name then
      kubeque.log.warn(("{%s} is passed as it is because there is no --params"):format(name))
      return
    end
  end
end

local function read_command(spec, words, kind)
  if kind == "commands" or kind == "file" then
    if #words > 0 then
      fault.raisef("usage", '"%s": a command cannot be given beside --%s, which holds them',
        words[1], kind)
    end
    return
  end
  if #words == 0 then
    fault.raise("usage", "no command is given: kubeque sub [options] command [args...]")
  end
  spec.words = words
  if #words > 1 then
    warn_about_operators(words)
  elseif words[1]:sub(1, 1) ~= "^" then
    check_carets(words[1])
  end
  if not kind then
    warn_about_braces(words)
  end
end

-- ---- everything else ----

---"NAME=value" with placeholders; "=NAME=value" is taken as it is.
local function environment_of(list)
  local out = {}
  for _, pair in ipairs(list or {}) do
    local value = pair.value
    if value == nil then
      value = os.getenv(pair.key)
      if not value then
        fault.raisef("usage", "option --env %s: it is not set here, so there is nothing to pass",
          pair.key)
      end
      out[#out + 1] = "=" .. pair.key .. "=" .. value
    else
      out[#out + 1] = pair.key .. "=" .. value
    end
  end
  return out[1] and out or nil
end

local function exclude(a, b, why)
  if a and b then
    fault.raise("usage", why)
  end
end

local function check_choices(opt)
  exclude(opt.clean, opt.rerun, "--clean and --rerun exclude each other")
  exclude(opt.fetch, opt.no_wait, "--fetch needs the results: it cannot go with --no-wait")
  exclude(opt.show, opt.no_wait, "--show needs the output: it cannot go with --no-wait")
  exclude(opt.json, opt.quiet, "--json and --quiet exclude each other")
  exclude(opt.show, opt.json, "--show and --json both write to stdout: choose one")
  exclude(opt.no_nodes, opt.nodes and opt.nodes > 0, "--nodes and --no-nodes exclude each other")
  if opt.rerun and not opt.name then
    fault.raise("usage", "--rerun needs the name of the job: -n ID")
  end
  if opt.link_inputs then
    local _, uid = kubeque.proc.user()
    exclude(uid == 0, true, "--link-inputs is refused for root, who could change the originals")
  end
end

local function mode_of(opt)
  if opt.rerun then
    return opt.rerun == "any" and "rerun-any" or "rerun"
  end
  return opt.clean and "clean" or "new"
end

local function read_limits(opt, spec)
  spec.timeout, spec.retries, spec.priority = opt.timeout, opt.retries, opt.priority
  spec.max_running, spec.jobs = opt.max_running, opt.jobs
  if opt.jobs then
    spec.max_running = math.min(opt.jobs, opt.max_running or opt.jobs)
  end
  spec.resources = opt.resources and table.concat(opt.resources, ",")
end

---What the configuration says that nodes have, over what this machine has, as JSON.
local function capacity_of(config, opt)
  local cap = {}
  local most = not opt["local"] and require("kubeque.provider").unbounded(config) or {}
  for name, amount in pairs(config.node_resources) do
    cap[name] = amount
  end
  cap.cpu, cap.memory = config.node_cpu or most.cpu, config.node_memory or most.memory
  return next(cap) and kubeque.json.encode(cap) or nil
end

local function info_of(opt, config, words)
  local labels
  for _, pair in ipairs(opt.label or {}) do
    labels = labels or {}
    labels[pair.key] = pair.value
  end
  return kubeque.json.encode { cas = config.cas_url_prefix, labels = labels,
    argv = words[1] and words or nil, nodes = opt.nodes, cwd = kubeque.fs.cwd() }
end

local function read_settings(opt, spec, kind, config)
  spec.push, spec.push_exclude = opt.push, opt.push_exclude
  spec.cd, spec.env, spec.clean_env = opt.cd, environment_of(opt.env), opt.clean_env
  spec.results, spec.exclude, spec.outputs = opt.results, opt.exclude, opt.outputs
  spec.keep_work, spec.max_stdout, spec.link_inputs = opt.keep_work, opt.max_stdout,
    opt.link_inputs
  if opt.image or kind ~= "file" then
    local image = require("kubeque.config").image(config, opt.image)
    spec.image, spec.default_image = opt.image and image, image
  else
    spec.default_image = config.default_image
  end
  spec.default_cpu, spec.default_memory = config.default_resource_cpu,
    config.default_resource_memory
  spec.no_images = config.backend == "local"
  spec.grace, spec.capacity = config.grace_period, capacity_of(config, opt)
end

---@param opt table the options of sub, as the parser gives them
---@param words string[] the command: one word is a shell line, several are an argument vector
---@param ctx table its config
---@return table spec for kubeque.submit; mistakes raise faults of usage
function M.build(opt, words, ctx)
  check_choices(opt)
  local spec = { id = opt.name, mode = mode_of(opt), dry_run = opt.dry_run }
  local kind = read_source(opt, spec)
  read_command(spec, words, kind)
  read_limits(opt, spec)
  read_settings(opt, spec, kind, ctx.config)
  spec.info = info_of(opt, ctx.config, words)
  if opt.policy or ctx.config.policy then
    spec.bundle = require("kubeque.bundle").choose(opt.policy, ctx.config)
  end
  return spec
end

return M
