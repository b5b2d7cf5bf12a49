-- Doing what policies want when something happens: webhooks and commands. Runs in a process of its
-- own (hidden command `deliver`), which nodes start, and clients that find a job at its end. It gets
-- on stdin either effects, or the job that is over:
--
--   {"home":DIR,"what":TEXT,"items":[{"job":BORN,"env":{"KQ_EVENT":"task_failed",...},
--     "effect":{"policy":NAME,"webhook":URL,"body":TEXT,"headers":{...},"timeout_ms":N}},
--     {"job":BORN,"env":{...},"effect":{"policy":NAME,"command":[...],"stdin":TEXT,"timeout_ms":N}}]}
--   {"home":DIR,"over":BORN,"patience_ms":N}
--
-- What it says goes to the node's log; what could not be delivered also into the job's history
-- (event `delivery_failed`), where `explain` finds it. Addresses are told without user, path and
-- query: those of webhooks are secrets.

local fault = require "kubeque.fault"

local M = {}

local TOTAL = 60        -- seconds for one webhook with all its tries
local FIRST, LONGEST = 0.5, 15 -- pauses between them
local LINES = 100       -- of a command's output that are logged
local PATIENCE = 2      -- what a node gets to begin, before a client does it
local again = { [408] = true, [425] = true, [429] = true } -- and every 5xx
local passes = { busy = true, timeout = true }             -- errors that may pass by themselves

---"https://host:port" of an address.
---@param url string
---@return string
function M.host(url)
  local scheme, rest = url:match "^(%a+://)([^/?#\\]*)"
  return scheme and scheme .. rest:gsub("^.*@", "") or "?"
end

---A pause that grows, and differs from one process to the next.
local function pause_before(try, retry_after)
  local pause = math.min(LONGEST, FIRST * 2 ^ (try - 1)) * (0.5 + math.random() / 2)
  return math.max(pause, retry_after or 0)
end

---One webhook with its tries.
---@return boolean|nil true: the server took it
---@return string why
---@return boolean down the server cannot be reached or is overloaded: others need not try
local function webhook(effect)
  local deadline = kubeque.time.mono() + TOTAL
  local try, why = 0
  repeat
    try = try + 1
    local left = deadline - kubeque.time.mono()
    local answer, text, code = kubeque.http.request { url = effect.webhook, method = "POST",
      body = effect.body, headers = effect.headers,
      timeout = math.max(0.1, math.min(effect.timeout_ms / 1000, left)) }
    local status = answer and answer.status
    if status and status >= 200 and status <= 299 then
      return true
    end
    why = answer and ("%s: HTTP %d"):format(M.host(effect.webhook), status) or text
    if not (status and (again[status] or status >= 500) or passes[code]) then
      return nil, why, false
    end
    local pause = pause_before(try, answer and answer.retry_after)
    if kubeque.time.mono() + pause >= deadline then
      return nil, ("%s (%d tries)"):format(why, try), true
    end
    kubeque.log.debug(("%s; trying again in %.1f s"):format(why, pause))
  until kubeque.sleep(pause) == "interrupted"
  fault.raise("interrupted", "Interrupted")
end

---What a command said, into the log.
local function log_output(prefix, text)
  local count = 0
  for line in text:gmatch "[^\n]+" do
    count = count + 1
    if count > LINES then
      kubeque.log.info(prefix .. "... (more is left out)")
      return
    end
    kubeque.log.info(prefix .. line)
  end
end

---One command, without a shell, with the event on its stdin.
local function command(effect, env, prefix)
  local given = { stdin = effect.stdin, cwd = "/", env = kubeque.proc.env(),
    timeout = effect.timeout_ms / 1000 }
  for name, value in pairs(env) do
    given.env[name] = value
  end
  table.move(effect.command, 1, #effect.command, 1, given)
  local code, out, err = kubeque.proc.run(given)
  if not code then
    if err == "interrupted" then
      fault.raise(err, out)
    end
    return nil, ("%s: %s"):format(effect.command[1], err == "timeout"
      and ("it took longer than %g s and was ended"):format(effect.timeout_ms / 1000) or out)
  end
  log_output(prefix, out)
  log_output(prefix, err)
  if code ~= 0 then
    return nil, ("%s: exit code %d"):format(effect.command[1], code)
  end
  return true
end

---Logged, and in the job's history.
local function failed(born, env, text)
  kubeque.log.warn(("Job %s: %s was not delivered: %s"):format(env.KQ_JOB, env.KQ_EVENT, text))
  local ok, why = kubeque.queue.event_add { job = born, n = math.tointeger(env.KQ_TASK) or 0,
    kind = "delivery_failed", text = ("%s: %s"):format(env.KQ_EVENT, text) }
  if not ok then
    kubeque.log.debug(why)
  end
end

---@param item table { job =, env =, effect = }
---@return boolean down nothing more can be delivered there
local function deliver(item)
  local effect, env = item.effect, item.env
  local ok, why, down
  if effect.webhook then
    ok, why, down = webhook(effect)
  else
    ok, why = command(effect, env, ("Job %s: %s: "):format(env.KQ_JOB, effect.policy))
  end
  if not ok then
    failed(item.job, env, why)
  end
  return down or false
end

---Items of one lane, in order. When its server is down the rest is given up: more will come.
local function effects(what, items)
  for i, item in ipairs(items) do
    if deliver(item) and i < #items then
      local text = ("%d more were given up"):format(#items - i)
      kubeque.log.warn(("%s: %s"):format(what, text))
      failed(item.job, { KQ_JOB = item.env.KQ_JOB, KQ_EVENT = item.env.KQ_EVENT }, text)
      return
    end
  end
end

---A job is over: its policy is asked, what it wants is done, the job is marked. Done at least once:
---who dies on the way leaves a job that is not marked.
local function over(home, born, patience)
  if patience > 0 and kubeque.sleep(patience) == "interrupted" then
    return
  end
  local path = ("%s/locks/tell.%d"):format(home, born)
  fault.check(kubeque.fs.mkdir_p(home .. "/locks", 448)) -- 0700
  local lock <close>, busy, kind = kubeque.fs.lock(path)
  if not lock and kind == "busy" then
    return -- another process is at it
  end
  fault.check(lock, busy, kind)
  local ended, why, code = kubeque.events.over(born)
  if ended == false then
    return
  elseif not ended and code ~= "script" then -- else the history says so
    fault.raise(code, why)
  end
  for _, effect in ipairs(ended and ended.effects or {}) do
    deliver { job = born, env = ended.env, effect = effect }
  end
  fault.check(kubeque.events.told(born))
  kubeque.fs.remove(path)
end

---@param text string JSON, see above
function M.serve(text)
  local ask = kubeque.json.decode(text)
  if type(ask) ~= "table" or not ask.home then
    fault.raise("usage", "deliver is started by nodes, with JSON on stdin")
  end
  fault.check(kubeque.session { home = ask.home })
  if ask.over then
    over(ask.home, ask.over, ask.patience_ms / 1000)
  else
    effects(ask.what, ask.items)
  end
end

---A client that sees a job at its end and untold: the node that ended it may have died.
---@param job table
function M.tell(job)
  if (job.policy or "") ~= "" and job.state == "over" and not job.told then
    kubeque.events.tell(job.born, PATIENCE)
  end
end

return M
