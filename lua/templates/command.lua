-- kubeque NAME: lists jobs that have tasks which did not succeed. Change it into what you need.
--
-- What a command may use: all of Lua, and kubeque.* (docs/lua-reference.md; `kubeque lua` to try
-- things out). `kubeque help NAME` is made from the declaration below, and so is completion.
-- Keep the body of the file small: it is run for `kubeque help`, too.

-- Labels of tasks that need no attention; all others are counted.
local fine = { pending = true, claimed = true, ["complete(code=0)"] = true }

---How many tasks of a job did not succeed.
local function failures(job)
  local n = 0
  for label, count in pairs(assert(kubeque.queue.counts(job.born))) do
    n = n + (fine[label] and 0 or count)
  end
  return n
end

---opt: the options given, by name with _ for -; args: the words; ctx: what runs.
---Returns the exit status (nothing: 0), or nil, a message and a code such as "usage" (2).
local function run(opt, args, ctx)
  if not ctx:session { read_only = true } then
    return nil, "there are no jobs yet", "not_found"
  end
  local shown = 0
  for _, job in ipairs(assert(kubeque.queue.jobs { pattern = args[1], limit = opt.last })) do
    local n = failures(job)
    if n > 0 then
      kubeque.out(("%s: %d of %d tasks did not succeed\n"):format(job.id, n, job.n))
      shown = shown + 1
    end
  end
  if shown == 0 and not ctx.quiet then
    kubeque.log.info "all is well"
  end
end

return kubeque.command {
  name = "NAME",
  summary = "list jobs with tasks that did not succeed",
  options = {
    -- { long name, one letter, value = what help calls it (none: a flag), type =, help = }
    -- types: string int number duration memory kv choice (choices = {...}); many, min, max
    { "last", "n", value = "N", type = "int", min = 1, max = 10000,
      help = "look at the N newest jobs only" },
  },
  args = { { "PATTERN", optional = true } },
  run = run,
}
