-- Submits a job: its options, and what happens around kubeque.submit. What the options mean is
-- kubeque.spec's.

local fault = require "kubeque.fault"

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
  local provider = ctx.config.provider
  local where = (opt["local"] or provider == "local") and "on this machine" or "from " .. provider
  local nodes = ("one %s, if none is there"):format(where)
  if opt.no_nodes or plan.nodes == 0 then
    nodes = "none are started"
  elseif plan.nodes then
    nodes = ("as many as to have %d %s"):format(plan.nodes, where)
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
    local ok, failure = pcall(require("kubeque.download").job, ctx, job, nil, { dest = opt.fetch })
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

-- What may stand beside a recipe that submits its jobs itself.
local of_recipes = { file = true, set = true, debug = true, plain = true, quiet = true,
  config = true, ["local"] = true }

---The job that a recipe returns and did not submit, with what the command line says over it; nil
---when it submitted its jobs itself.
local function job_of_recipe(opt, words, ctx)
  local recipe, own = require "kubeque.recipe", nil
  for key in pairs(opt) do
    own = own or not of_recipes[key] and key
  end
  ctx:session { create = not opt.dry_run }
  local taken = recipe.run(recipe.find(opt.file), { args = words, set = recipe.settings(opt.set),
    trace = opt.debug, overrides = own and "--" .. own:gsub("_", "-"), take = true })
  for key, value in pairs(taken and opt or {}) do
    if key ~= "file" and key ~= "set" then
      taken.opt[key] = value
    end
  end
  return taken
end

local function is_recipe(opt)
  if opt.file and opt.file:find "%.lua$" then
    return true
  elseif opt.set then
    fault.raise("usage", "--set goes with a recipe (-f RECIPE.lua)")
  end
end

local function run(opt, words, ctx)
  local spec
  if is_recipe(opt) then
    local job = job_of_recipe(opt, words, ctx)
    if not job then
      return 0
    end
    opt, spec = job.opt, require("kubeque.job").spec(job, ctx)
  else
    spec = require("kubeque.spec").build(opt, words, ctx)
  end
  if opt.fetch then
    check_fetch(opt.fetch, opt.name)
  end
  if opt.dry_run then
    return dry_run(ctx, opt, spec)
  end
  ctx:session { create = true }
  local nodes = not (opt.no_nodes or opt.nodes == 0)
  require("kubeque.nodes").check(ctx, opt)
  local done = require("kubeque.submit").submit(ctx, spec)
  if opt.quiet then
    kubeque.out(done.id .. "\n")
    kubeque.out()
  end
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
    { "params", "p", value = "FILE", help = "one task a row: CSV, TSV, JSONL, JSON; - is stdin" },
    { "params-format", value = "csv|tsv|jsonl|json", type = "choice",
      choices = { "csv", "tsv", "jsonl", "json" }, help = "format of FILE, if not by its ending" },
    { "seq", value = "N|A..B[..STEP]", help = "one task a number, as {index}" },
    { "sweep", value = "NAME=VALUES", many = true,
      help = "a factor; one task for every combination (see: kubeque help sweep)" },
    { "zip", value = "NAMES", many = true, help = "factors of --sweep that move together (a,b)" },
    { "sample", value = "N", type = "int", min = 1,
      help = "N combinations of --sweep at random" },
    { "lhs", value = "N", type = "int", min = 1, help = "N points of a Latin hypercube" },
    { "sobol", value = "N", type = "int", min = 1, help = "N points of a Sobol' sequence" },
    { "seed", value = "S", type = "int", help = "what random values follow from (default 0)" },
    { "commands", value = "FILE", help = "one shell line a task; - is stdin" },
    { "lines", value = "FILE", help = "one line a task, as {line}; - is stdin" },
    { "each", value = "WORD... --", type = "words",
      help = "one word or quoted pattern a task, as {item}" },
    { "rows", value = "3-10,12", help = "only these rows" },
    { "file", "f", value = "JOB", help = "a job file in JSON, or a recipe (FILE.lua)" },
    { "set", value = "K=V", type = "kv", many = true, help = "give a recipe a value: set.K" },
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
    { "policy", value = "SPEC", many = true,
      help = "NAME or FILE.lua, :key=value,... behind it: who decides about retries, nodes, "
        .. "events (kubeque policy list); none: kubeque itself" },
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
