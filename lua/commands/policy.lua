-- Policies: which there are, what is in one, whether a file is one, and what it would say of a task
-- that has run.

local fault = require "kubeque.fault"
local names = require "kubeque.names"

local json = kubeque.json

local function bundle_of(spec)
  return require("kubeque.bundle").make { spec }
end

-- ---- list ----

local columns = {
  { "name" }, { "place" }, { "hooks", title = "HOOKS" }, { "summary" }, { "options", only = "data" },
  { "path", only = "data" },
}

---One row a policy; one that cannot be used says why.
local function row_of(found)
  local row = { name = found.name, place = found.place, path = found.path }
  if found.blocked then
    row.summary = found.blocked
    return row
  end
  local ok, made = pcall(bundle_of, found.path and found.place ~= "project" and found.path
    or found.name)
  if not ok then
    local why = fault.of(made)
    row.summary = why and why.message or tostring(made)
    return row
  end
  local p = made.policies[1]
  row.summary, row.options = p.summary, p.defaults
  row.hooks = table.concat(p.hooks, " ")
  return row
end

local function list(opt)
  local out = require("kubeque.output").open(opt, columns)
  for _, found in ipairs(require("kubeque.scripts").list { kind = "policies" }) do
    out:row(row_of(found))
  end
  out:close()
end

-- ---- show and check ----

local function show(_, args)
  local scripts = require "kubeque.scripts"
  local parsed, bad = require("kubeque.policy").parse(args[1])
  if not parsed then
    fault.raise("usage", bad)
  end
  local found, why, code = scripts.find("policies", parsed.path or parsed.name)
  if not found then
    fault.raise(code == "not_found" and "usage" or code, why)
  end
  kubeque.out((fault.check(scripts.text(found))))
end

local function print_options(p)
  local spec = require("kubeque.jobpolicy").spec
  for _, name in ipairs(names.of(p.defaults)) do
    local given = p.options[name] ~= nil
    kubeque.out(("  %s%s\n"):format(spec("", { [name] = given and p.options[name]
      or p.defaults[name] }):sub(2), given and "" or " (default)"))
  end
end

local function check(opt, args)
  local made = bundle_of(args[1])
  local p = made.policies[1]
  if opt.json or opt.jsonl then
    kubeque.out(json.encode { name = p.name, summary = p.summary, hooks = json.array(p.hooks),
      options = p.options, defaults = p.defaults, bytes = #made.text } .. "\n")
    return
  end
  kubeque.out(("%s%s\n"):format(p.name, p.summary and ": " .. p.summary or ""))
  kubeque.out(("hooks: %s\n"):format(#p.hooks > 0 and table.concat(p.hooks, ", ") or "none"))
  kubeque.out(next(p.defaults) and "options:\n" or "options: none\n")
  print_options(p)
end

-- ---- test ----

---The bundle to ask: of a SPEC, else the job's own, else the stock policy.
local function bundle_to_ask(spec, job)
  if spec then
    return bundle_of(spec).text, spec
  end
  local own = require("kubeque.jobpolicy").of(job)
  if own and own.fault then
    fault.raise("not_found", own.fault)
  elseif own then
    return own.bundle, require("kubeque.jobpolicy").text(job)
  end
  return bundle_of("default").text, "default"
end

local function say_attempt(item, now, why)
  local replay = require "kubeque.replay"
  local a = item.attempt
  kubeque.out(("attempt %d: %s%s\n"):format(item.k, a.label, a.node ~= "" and " on " .. a.node or ""))
  if not item.question then
    kubeque.out "  no policy is asked about this\n"
    return
  end
  local class = item.question.class
  kubeque.out(("  then: %s\n"):format(replay.text(item.answer, class)))
  if item.broke then
    kubeque.out(("  (the policy failed then: %s)\n"):format(item.broke))
  end
  if item.bounded then
    kubeque.out(("  (done then: %s)\n"):format(item.bounded))
  end
  kubeque.out(("  now:  %s\n"):format(now and replay.text(now, class) or "the policy fails: " .. why))
end

local function data_of(item, now, why)
  local replay = require "kubeque.replay"
  return { attempt = item.k, label = item.attempt.label, cause = item.attempt.cause,
    asked = item.question ~= nil, recorded = item.recorded or false,
    ["then"] = item.answer, now = now, broke = item.broke,
    bounded = item.bounded, error = why,
    same = now and item.answer and replay.same(now, item.answer) }
end

---Asks about every attempt of a task; the exit status is 7 when the policy fails.
local function test(opt, args, ctx)
  local spec, text = args[2] and args[1], args[2] or args[1]
  local target, k = text:match "^(.*)@(%d+)$"
  ctx:session { read_only = true }
  local job, n = require("kubeque.select").task(ctx, target or text)
  local bundle, name = bundle_to_ask(spec, job)
  local replay = require "kubeque.replay"
  local machine = opt.json or opt.jsonl
  local rows, failed, found = json.array {}, false, false
  if not machine then
    kubeque.out(("%s.%d, asking %s\n"):format(job.id, n, name))
  end
  for _, item in ipairs(replay.questions(job, n)) do
    if not k or item.k == tonumber(k) then
      local now, why
      found = true
      if item.question then
        now, why = replay.ask(bundle, job, n, item)
        failed = failed or not now
      end
      if machine then
        rows[#rows + 1] = data_of(item, now, why)
      else
        say_attempt(item, now, why)
      end
    end
  end
  if k and not found then
    fault.raisef("not_found", "%s.%d has no attempt %s", job.id, n, k)
  elseif machine then
    kubeque.out(json.encode({ job = job.id, task = n, policy = name, attempts = rows },
      { indent = not opt.jsonl and 2 or nil }) .. "\n")
  elseif not found then
    kubeque.out "no attempt has ended so far\n"
  end
  return failed and 7 or 0
end

-- ---- the command ----

local verbs = {
  list = { run = list, min = 0, max = 0, usage = "policy list" },
  show = { run = show, min = 1, max = 1, usage = "policy show NAME|FILE.lua" },
  check = { run = check, min = 1, max = 1, usage = "policy check SPEC" },
  test = { run = test, min = 1, max = 2, usage = "policy test [SPEC] JOB.N[@K]" },
}

local function run(opt, args, ctx)
  local verb = verbs[args[1]]
  if not verb then
    fault.raisef("usage", 'policy does not know "%s"%s', args[1],
      names.hint(args[1], names.of(verbs)))
  end
  local rest = table.move(args, 2, #args, 1, {})
  if #rest < verb.min or #rest > verb.max then
    fault.raisef("usage", "write: kubeque %s", verb.usage)
  end
  return verb.run(opt, rest, ctx)
end

return {
  name = "policy",
  summary = "list, show, check policies; ask one about a task that has run",
  usage = "policy list | show NAME | check SPEC | test [SPEC] JOB.N[@K]",
  description = "A policy decides what happens after an attempt that did not succeed, when a node "
    .. "is lost, how many nodes there are, and what is told to whom. `test` asks one about every "
    .. "attempt (or attempt K) of a task and prints what it says now beside what was done then; "
    .. "nothing happens to the job. Without SPEC the job's own policies are asked.",
  options = require("kubeque.output").with_options {},
  args = { { "list|show|check|test" }, { "SPEC", optional = true, many = true } },
  run = run,
}
