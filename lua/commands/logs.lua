-- The output of tasks, while they run as well.

local fault = require "kubeque.fault"
local select = require "kubeque.select"
local show = require "kubeque.show"

local OPEN = { pending = true, claimed = true, ended = true }

---Opens the output to show: of attempt `k`, else of the last attempt.
local function open(job, task, k)
  k = k or task.attempt
  if k == 0 then
    return nil
  end
  return show.open(job, task.n, k)
end

local function print_once(job, task, opt, out)
  local file = open(job, task, opt.attempt)
  if not file then
    return false
  end
  if opt.tail then
    out((show.tail(file, opt.tail)))
  else
    show.copy(file, out)
  end
  file:close()
  return true
end

---Follows one task: a state machine that step() moves on. Returns true while there may be more.
local function follower(job, n, opt, out, finish)
  local file, attempt
  return function()
    local task = fault.check(kubeque.queue.task(job.born, n))
    local ended = not OPEN[task.state]
    if file then
      show.copy(file, out)
    end
    if task.attempt ~= attempt then
      local next_file = open(job, task)
      if next_file then
        if file then
          file:close()
        elseif opt.tail then
          out((show.tail(next_file, opt.tail)))
        end
        file, attempt = next_file, task.attempt
        show.copy(file, out)
      end
    end
    if ended then
      finish()
      if file then
        file:close()
      end
    end
    return not ended
  end
end

local function plain_out(text)
  kubeque.out(text)
end

---Follows some tasks until all have ended.
local function follow(job, ranges, opt, single)
  local active = {}
  for task in select.each_task(job, { ranges = ranges }) do
    local out, finish = plain_out, function() end
    if not single then
      out, finish = show.tagger(task.n, plain_out)
    end
    if OPEN[task.state] then
      active[#active + 1] = follower(job, task.n, opt, out, finish)
    else
      print_once(job, task, opt, out)
      finish()
    end
  end
  local pause = 0.01
  while #active > 0 do
    local still = {}
    for _, step in ipairs(active) do
      if step() then
        still[#still + 1] = step
      end
    end
    active = still
    kubeque.out()
    if #active > 0 and (kubeque.sleep(pause) == "interrupted" or kubeque.interrupted()) then
      return 130
    end
    pause = math.min(0.2, pause * 1.5)
  end
  return 0
end

local function run(opt, args, ctx)
  ctx:session { read_only = true }
  local job, ranges = select.job(ctx, args[1])
  local single = job.n == 1 or ranges ~= nil and ranges:match("^%d+$") ~= nil
  if single then
    select.task(ctx, args[1]) -- exit 3 if there is no such task
  end
  if opt.follow then
    return follow(job, ranges, opt, single)
  end
  for task in select.each_task(job, { ranges = ranges }) do
    local out, finish = plain_out, function() end
    if not single then
      out, finish = show.tagger(task.n, plain_out)
    end
    if not print_once(job, task, opt, out) and single then
      if opt.attempt then
        fault.raisef("not_found", "%s.%d has no output of attempt %d (attempts so far: %d)", job.id,
          task.n, opt.attempt, task.attempt)
      end
      kubeque.log.info(("%s.%d has no output: %s"):format(job.id, task.n, task.label))
    end
    finish()
  end
end

return {
  name = "logs",
  summary = "print the output of tasks, while they run as well",
  usage = "logs JOB[.N] [options]",
  description = "One task: its bytes as they are. Several tasks: each line with `N: ` in front.",
  options = {
    { "follow", "f", help = "go on until the tasks have ended" },
    { "tail", value = "K", type = "int", min = 0, help = "only the last K lines of each task" },
    { "attempt", value = "K", type = "int", min = 1,
      help = "output of attempt K (of an earlier one the last 64 KiB are kept)" },
  },
  args = { { "JOB" } },
  run = run,
}
