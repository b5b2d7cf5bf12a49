-- Submits a job: what a command line means. Rows, templates and inputs are C's (work/submit.h).

local fault = require "kubeque.fault"

-- ---- options that say where rows come from ----

local sources = { "params", "seq", "commands", "lines", "each", "file" }

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

---Fills in where rows come from; returns the option that says so, nil for a single task.
local function read_source(opt, spec)
  local kind = source_of(opt)
  if opt.params_format and kind ~= "params" then
    fault.raise("usage", "--params-format goes with --params")
  elseif opt.rows and not kind then
    fault.raise("usage", "--rows goes with a source of rows (--params, --seq, ...)")
  end
  spec.only = opt.rows
  if kind == "seq" then
    spec.rows, spec.seq = "seq", opt.seq
  elseif kind == "each" then
    spec.rows, spec.each = "each", expand_each(opt.each)
  elseif kind == "file" then
    if opt.file:find("%.lua$") then
      fault.raise("usage", "option --file: recipes in Lua are not built yet, a job file in JSON is")
    end
    spec.rows, spec.path = "jobfile", opt.file
  elseif kind then
    spec.rows, spec.path = "params", opt[kind]
    spec.format = kind == "params" and opt.params_format or kind ~= "params" and kind or nil
  end
  return kind
end

-- ---- the command ----

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

---What the configuration says that nodes of this machine have, as JSON.
local function capacity_of(config)
  local cap = {}
  for name, amount in pairs(config.node_resources) do
    cap[name] = amount
  end
  cap.cpu, cap.memory = config.node_cpu, config.node_memory
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
  spec.grace, spec.capacity = config.grace_period, capacity_of(config)
end

local function build(opt, words, ctx)
  check_choices(opt)
  local spec = { id = opt.name, mode = mode_of(opt), dry_run = opt.dry_run }
  local kind = read_source(opt, spec)
  read_command(spec, words, kind)
  read_limits(opt, spec)
  read_settings(opt, spec, kind, ctx.config)
  spec.info = info_of(opt, ctx.config, words)
  return spec
end

-- ---- running it ----

---`--fetch DIR` that could not be written at the end is refused at the start.
local function check_fetch(dir, id)
  local function refuse(...)
    fault.raise("usage", "option --fetch: " .. string.format(...) .. ": choose another directory")
  end
  local stat = kubeque.fs.stat(dir)
  if dir == "" then
    fault.raise("usage", "option --fetch needs a directory")
  elseif not stat then
    local above = dir
    repeat
      above = above:match("^(.*[^/])/+[^/]+/*$") or above:sub(1, 1) == "/" and "/" or "."
      stat = kubeque.fs.stat(above)
    until stat or above == "/" or above == "."
    if stat and stat.type ~= "dir" then
      refuse("%s is no directory", above)
    elseif stat and not kubeque.fs.writable(above) then
      refuse("%s cannot be made: %s is not writable", dir, above)
    end
    return
  elseif stat.type ~= "dir" then
    refuse("%s is no directory", dir)
  elseif not kubeque.fs.writable(dir) then
    refuse("%s is not writable", dir)
  end
  local text = kubeque.fs.read(dir .. "/tasks.csv", 1 << 20)
  if text then
    local job = text:match("^kq_job,[^\n]*\n([^,\n]*),")
    if not job and not text:find("^kq_job,") then
      refuse("%s/tasks.csv is there and was not made by kubeque", dir)
    elseif job and job ~= id then
      refuse("%s holds the results of job %s", dir, job)
    end
    return
  end
  for _, entry in ipairs(kubeque.fs.list(dir) or {}) do
    local name = type(entry) == "table" and entry.name or entry
    if name:find("^%d+$") then
      refuse("%s/%s is there and was not fetched by kubeque", dir, name)
    end
  end
end

local function dry_run(ctx, opt, spec)
  ctx:session { create = false }
  local plan = require("kubeque.submit").submit(ctx, spec)
  local nodes = "one on this machine, if none is there"
  if opt.no_nodes or opt.nodes == 0 then
    nodes = "none are started"
  elseif opt.nodes then
    nodes = ("as many as to have %d on this machine"):format(opt.nodes)
  end
  require("kubeque.submit").print_plan(ctx, spec, plan, nodes)
  return 0
end

local function print_json(job, state)
  kubeque.out(kubeque.json.encode { job = job.id, tasks = job.n,
    results = kubeque.results.dir(job), state = state } .. "\n")
end

local function wait(ctx, opt, job, nodes)
  local code, why = require("kubeque.progress").wait(ctx, { job }, { show = opt.show,
    timeout = opt.wait_timeout, start_nodes = nodes })
  if why == "over" and opt.fetch then
    local ok, failure = pcall(require("commands.fetch").fetch, ctx, job, nil, { dest = opt.fetch })
    if not ok then
      -- the job was accepted long ago: what is in the way now is no mistake of this command line
      if type(failure) == "table" and failure.code == "usage" then
        failure.code = "io"
      end
      error(failure, 0)
    end
  end
  if opt.json then
    print_json(job, why ~= "over" and "open" or code == 0 and "succeeded" or "failed")
  end
  return code
end

local function run(opt, words, ctx)
  local spec = build(opt, words, ctx)
  if opt.fetch then
    check_fetch(opt.fetch, opt.name)
  end
  if opt.dry_run then
    return dry_run(ctx, opt, spec)
  end
  ctx:session { create = true }
  local done = require("kubeque.submit").submit(ctx, spec)
  if opt.quiet then
    kubeque.out(done.id .. "\n")
    kubeque.out()
  end
  local nodes = not (opt.no_nodes or opt.nodes == 0)
  if nodes then
    require("kubeque.nodes").ensure(ctx, done.id, opt.nodes)
  end
  if opt.no_wait and not opt.json then
    return 0
  end
  local job = fault.check(kubeque.queue.job_by_born(done.born))
  if opt.no_wait then
    print_json(job, "open")
    return 0
  end
  return wait(ctx, opt, job, nodes)
end

return {
  name = "sub",
  summary = "submit a job",
  usage = "sub [options] command [args...]",
  description = "One word is a shell command line; several words are an argument vector that no "
    .. "shell sees. {name} is replaced by the row's value, ^file uploads a file and stands for its "
    .. "path.",
  options = {
    { "name", "n", value = "ID", help = "job id (default: made from date and time)" },
    { "clean", help = "replace the job that has this id, if none of its tasks is running" },
    { "rerun", value = "any", optional = "unchanged", type = "choice", choices = { "any" },
      help = "keep the results of rows that succeeded and did not change (=any: changed or not); "
        .. "run the rest" },
    { "push", "u", value = "SPEC", many = true,
      help = "input: file, dir, src:dst, 'pattern', @list, gs://bucket/object" },
    { "push-exclude", value = "GLOB", many = true, help = "files to leave out of directories" },
    { "params", "p", value = "FILE", help = "one task a row: CSV, TSV, JSONL; - is stdin" },
    { "params-format", value = "csv|tsv|jsonl", type = "choice",
      choices = { "csv", "tsv", "jsonl" }, help = "format of FILE, if not by its ending" },
    { "seq", value = "N|A..B[..STEP]", help = "one task a number, as {index}" },
    { "commands", value = "FILE", help = "one shell line a task; - is stdin" },
    { "lines", value = "FILE", help = "one line a task, as {line}; - is stdin" },
    { "each", value = "WORD... --", type = "words",
      help = "one word or quoted pattern a task, as {item}" },
    { "rows", value = "3-10,12", help = "only these rows" },
    { "file", "f", value = "JOB", help = "a job file in JSON" },
    { "resources", "r", value = "K=V,...", many = true,
      help = "cpu, memory, gpu, disk, or a name that nodes declare" },
    { "image", "i", value = "IMAGE", help = "container image; none runs on the node itself" },
    { "cd", value = "DIR", help = "directory, in the work directory, where the command runs" },
    { "env", value = "K=V", type = "kv", bare = true, many = true,
      help = "set a variable; K alone takes its value from here" },
    { "clean-env", help = "pass only PATH, HOME, USER, LANG, TZ of the environment" },
    { "results", value = "GLOB", many = true, help = "which new or changed files are outputs" },
    { "exclude", value = "GLOB", many = true, help = "which are not" },
    { "outputs", value = "all|failed|none", type = "choice", choices = { "all", "failed", "none" },
      help = "which tasks leave a results directory" },
    { "timeout", value = "DUR", type = "duration", help = "time limit of a task" },
    { "retries", value = "N", type = "int", min = 0, max = 10,
      help = "further attempts after the first" },
    { "priority", value = "P", type = "int", min = -1000000, max = 1000000,
      help = "higher first (default 0)" },
    { "max-running", value = "N", type = "int", min = 1, max = 2147483647,
      help = "at most N tasks of this job at a time" },
    { "jobs", "j", value = "N", type = "int", min = 1, max = 2147483647,
      help = "that, and as many as N where CPUs are fewer" },
    { "max-stdout", value = "SIZE", type = "memory", help = "cut stdout.txt there" },
    { "keep-work", help = "keep the work directories of tasks" },
    { "link-inputs", help = "inputs are read-only links instead of copies" },
    { "label", value = "K=V", type = "kv", many = true, help = "label, for status --label" },
    { "nodes", value = "N", type = "int", min = 0, max = 10000, help = "have N nodes" },
    { "no-nodes", "skipkube", help = "start none" },
    { "local", help = "run the job with a node on this machine" },
    { "no-wait", help = "return once the job is stored" },
    { "wait-timeout", value = "DUR", type = "duration",
      help = "stop waiting after so long (exit 4)" },
    { "show", value = "any|failed", optional = "all", type = "choice",
      choices = { "any", "failed", "all" },
      help = "copy each ended task's output to stdout, in task order (any: as they end)" },
    { "fetch", value = "DIR", help = "download the results when the job ends" },
    { "json", help = "print one JSON object at the end" },
    { "dry-run", "dryrun", help = "say what would run, change nothing" },
  },
  words = true,
  run = run,
}
