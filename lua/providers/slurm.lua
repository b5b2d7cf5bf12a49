-- Nodes as batch jobs of Slurm.
--
-- One job array a request: task i of it is the node PREFIX-i. The name of the array says whose it is
-- (kubeque.QUEUE.CLUSTER.PREFIX), so that squeue is all the memory there is to keep. The batch script
-- becomes the consumer (exec), so a signal to the batch step is a signal to the node: before the
-- time limit it gets SIGTERM and finishes what it runs; what it does not finish goes to others.
--
-- All machines that Slurm may choose have to reach the queue. With the queue of this machine that is
-- this machine alone: a consumer elsewhere refuses (--machine) and says so in its output.

local quote, join = kubeque.shell.quote, kubeque.shell.join

local ARRAY_MAX = 1000 -- Slurm's default allows no larger index

-- ---- Slurm's programs ----

---Our environment, less what belongs to a task and to a job of Slurm that we may be in.
local function environment()
  local env = {}
  for name, value in pairs(kubeque.proc.env()) do
    if not name:find "^KQ_" and (not name:find "^SLURM_" or name == "SLURM_CONF") then
      env[name] = value
    end
  end
  return env
end

---Runs one of Slurm's programs: its stdout, or nil and its last words.
local function slurm(words)
  words.env = environment()
  local code, out, err = kubeque.proc.run(words)
  if not code then
    return nil, out, err
  elseif code == 127 then
    return nil, ("there is no %s here: Slurm's own programs (package slurm-client) are needed"):format(
      words[1])
  elseif code ~= 0 then
    local line = err:match "([^\r\n]+)%s*$" or ("%s ended with %d"):format(words[1], code)
    return nil, (line:gsub("^%w+: error: ", ""):gsub("^%w+: fatal: ", ""))
  end
  return out
end

---What the name of an array begins with, for this queue and a cluster.
local function name_of(cluster)
  return ("kubeque.%s.%s."):format(kubeque.queue.uuid():sub(1, 8), (cluster:gsub("[^%w_-]", "_")))
end

local function log_dir(options, place)
  return options.log_dir or place.log_dir
end

-- ---- add ----

---The batch script. CPUs and memory are what Slurm gave, unless the configuration says otherwise.
local function script_of(request, options)
  local command = table.move(request.command, 1, #request.command, 1, {})
  command[1] = options.kubeque or command[1]
  local given = {}
  for _, word in ipairs(command) do
    given[word] = true
  end
  local lines = { "#!/bin/sh", "set -- " .. join(command) }
  if not given["--cpu"] then
    lines[#lines + 1] = 'set -- "$@" --cpu "${SLURM_CPUS_ON_NODE:-1}"'
  end
  if not given["--memory"] then
    lines[#lines + 1] = [[
if [ "${SLURM_MEM_PER_NODE:-0}" -gt 0 ]; then
  set -- "$@" --memory "${SLURM_MEM_PER_NODE}Mi"
elif [ "${SLURM_MEM_PER_CPU:-0}" -gt 0 ]; then
  set -- "$@" --memory "$((SLURM_MEM_PER_CPU * SLURM_CPUS_ON_NODE))Mi"
fi]]
  end
  if request.first then
    lines[#lines + 1] = '[ "$SLURM_ARRAY_TASK_ID" != 1 ] || set -- "$@" --first'
  end
  lines[#lines + 1] = ('exec "$@" --node-id %s-"$SLURM_ARRAY_TASK_ID"\n'):format(quote(request.prefix))
  return table.concat(lines, "\n")
end

local function sbatch_words(request, options, count)
  local words = { "sbatch", "--parsable", "--array=1-" .. count, "--no-requeue", "--chdir=/",
    "--job-name=" .. name_of(request.cluster) .. request.prefix,
    ("--output=%s/%s-%%a.log"):format(log_dir(options, request):gsub("%%", "%%%%"), request.prefix),
    ("--signal=B:TERM@%d"):format(math.ceil(options.notice)) }
  local function add(format, value)
    words[#words + 1] = value and format:format(value) or nil
  end
  add("--partition=%s", options.partition)
  add("--account=%s", options.account)
  add("--time=%s", options.time)
  add("--cpus-per-task=%d", options.cpus)
  add("--mem=%dM", options.memory and math.ceil(options.memory / 1048576))
  for word in (options.extra or ""):gmatch "%S+" do
    words[#words + 1] = word
  end
  return words
end

local function add(request, options)
  local count = math.min(request.count, ARRAY_MAX)
  local dir = log_dir(options, request)
  local ok, why = kubeque.fs.mkdir_p(dir)
  if not ok then
    return nil, why
  end
  local words = sbatch_words(request, options, count)
  words.stdin = script_of(request, options)
  local out, bad, code = slurm(words)
  if not out then
    return nil, bad, code
  end
  local job, started = out:match "^(%d+)", {}
  if not job then
    return nil, ("sbatch said no job number: %q"):format(out)
  end
  for i = 1, count do
    started[i] = { id = request.nodes[i].id, state = "PENDING", name = ("%s_%d"):format(job, i),
      log = ("%s/%s.log"):format(dir, request.nodes[i].id) }
  end
  return started, count < request.count
    and ("a job array has at most %d tasks: ask again for the rest"):format(ARRAY_MAX) or nil
end

-- ---- what there is ----

---Jobs of this queue that are not over: { id =, job = "123_4", state =, reason =, cluster = }.
local function jobs()
  local user = kubeque.proc.user()
  local out, why, code = slurm { "squeue", "--noheader", "--array", "--user=" .. user,
    "--format=%i|%T|%r|%j" }
  if not out then
    return nil, why, code
  end
  local list, mine = {}, ("kubeque.%s."):format(kubeque.queue.uuid():sub(1, 8))
  for job, index, state, reason, name in out:gmatch "(%d+)_(%d+)|([^|]*)|([^|]*)|([^\n]*)" do
    local cluster, prefix = name:sub(#mine + 1):match "^([%w_-]+)%.([%w_-]+)$"
    if name:sub(1, #mine) == mine and prefix and state ~= "COMPLETING" then
      list[#list + 1] = { id = ("%s-%s"):format(prefix, index), job = ("%s_%s"):format(job, index),
        state = state, reason = reason, cluster = cluster }
    end
  end
  return list
end

local function list(cluster, options, place)
  local all, why, code = jobs()
  if not all then
    return nil, why, code
  end
  local nodes, dir = {}, log_dir(options, place)
  for _, job in ipairs(all) do
    if name_of(cluster) == name_of(job.cluster) then
      local told = job.reason ~= "None" and job.reason ~= "" and (" (%s)"):format(job.reason) or ""
      nodes[#nodes + 1] = { id = job.id, state = job.state .. told, name = job.job,
        log = ("%s/%s.log"):format(dir, job.id) }
    end
  end
  return nodes
end

-- ---- end ----

---Cancels jobs. Those that run and are to leave in peace get one SIGTERM for their consumer; with
---`force` a second signal has it give its tasks back before Slurm ends it.
local function remove(ids, _, force)
  local all, why, code = jobs()
  if not all then
    return nil, why, code
  end
  local wanted, found, waiting, running = {}, {}, {}, {}
  for _, id in ipairs(ids) do
    wanted[id] = true
  end
  for _, job in ipairs(all) do
    if wanted[job.id] then
      found[#found + 1] = job.id
      local list_of = job.state == "RUNNING" and running or waiting
      list_of[#list_of + 1] = job.job
    end
  end
  local function scancel(jobs_of, ...)
    if not jobs_of[1] then
      return true
    end
    local words = { "scancel", ... }
    return slurm(table.move(jobs_of, 1, #jobs_of, #words + 1, words))
  end
  local ok
  ok, why, code = scancel(waiting)
  if ok then
    ok, why, code = scancel(running, "--batch", "--signal=TERM")
  end
  if ok and force then
    scancel(running, "--batch", "--signal=INT") -- it may be gone already
    ok, why, code = scancel(running)
  end
  if not ok then
    return nil, why, code
  end
  return found
end

local function logs(id, options, place)
  local path = ("%s/%s.log"):format(log_dir(options, place), id)
  local text, why, code = kubeque.fs.tail(path, 1000000)
  if not text then
    return nil, why, code
  end
  return text
end

return kubeque.provider {
  name = "slurm",
  summary = "consumers as batch jobs of Slurm",
  requires = "shared queue",
  capabilities = { waits = true },
  options = {
    partition = { type = "string", help = "partition to submit to (else Slurm's default)" },
    account = { type = "string", help = "account to charge" },
    time = { type = "string", help = "time limit of a node, as sbatch reads it: 2:00:00" },
    cpus = { type = "int", min = 1, help = "CPUs of a node (else what Slurm gives: usually one)" },
    memory = { type = "memory", help = "memory of a node (else what Slurm gives)" },
    notice = { type = "duration", default = 60,
      help = "how long before its time limit a node claims no more and ends what it runs" },
    extra = { type = "string", help = "further options of sbatch, separated by blanks" },
    kubeque = { type = "string", help = "path of the program on the nodes (if not the same as here)" },
    log_dir = { type = "path", help = "where the nodes' output goes (else beside the queue)" },
  },
  add = add,
  list = list,
  remove = remove,
  logs = logs,
}
