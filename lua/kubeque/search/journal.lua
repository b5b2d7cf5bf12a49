-- What a search asked and was told, a line each, on disk before anything follows from it:
--
--   {"ask":1,"rows":[{...}]}      batch 1, before its job is submitted
--   {"tell":1,"values":[...],"of":"..."}  what its rows gave (null: failed), before the search is
--                                 told; a digest of the job and of what was read of it
--
-- A line that was cut by a crash did not happen. One process at a time has the journal.

local fault = require "kubeque.fault"

local M = {}

local Journal = {}
Journal.__index = Journal

local function take_lock(path, say)
  local lock, why, code = kubeque.fs.lock(path)
  if not lock and code == "busy" then
    say "another run drives this search: waiting for it"
    lock, why, code = kubeque.fs.lock(path, -1)
  end
  if not lock and code == "interrupted" then
    fault.raise("interrupted", "")
  end
  return fault.check(lock, why, code)
end

---The batches of a journal: { rows =, values = or nil }, and the bytes that hold them.
local function read(path)
  local text, batches, good = kubeque.fs.read(path) or "", {}, 0
  for line, stop in text:gmatch "([^\n]*)\n()" do
    local fine, entry = pcall(kubeque.json.decode, line)
    local n = fine and type(entry) == "table" and (entry.ask or entry.tell)
    if n and entry.ask and n == #batches + 1 and type(entry.rows) == "table" then
      batches[n] = { rows = entry.rows, bytes = stop - 1 }
    elseif n and entry.tell and batches[n] and not batches[n].values
      and type(entry.values) == "table" and #entry.values == #batches[n].rows then
      batches[n].values, batches[n].of, batches[n].bytes = entry.values, entry.of, stop - 1
    else
      break
    end
    good = stop - 1
  end
  return batches, text:sub(1, good), #text
end

---Opens the journal of a search, waiting for whoever has it. To be closed.
---@param path string
---@param o table fresh (begin anew), read_only, say (function of one text)
function M.open(path, o)
  local lock = not o.read_only and take_lock(path .. ".lock", o.say) or nil
  if o.fresh and lock then
    kubeque.fs.remove(path)
  end
  local batches, text, size = read(path)
  if lock and #text < size then
    fault.check(kubeque.fs.write(path, text, 384)) -- without the line that was cut
  end
  return setmetatable({ path = path, lock = lock, batches = batches, text = text }, Journal)
end

---Forgets the batches from number n on.
function Journal:cut(n)
  local before = self.batches[n - 1]
  self.text = self.text:sub(1, before and before.bytes or 0)
  fault.check(kubeque.fs.write(self.path, self.text, 384))
  for i = #self.batches, n, -1 do
    self.batches[i] = nil
  end
end

local function add(self, entry)
  fault.check(kubeque.fs.append(self.path, kubeque.json.encode(entry) .. "\n"))
end

---Notes that a batch is asked.
function Journal:ask(rows)
  self.batches[#self.batches + 1] = { rows = rows }
  add(self, { ask = #self.batches, rows = kubeque.json.array(rows) })
end

---Notes what the rows of the last batch gave, and which job said so.
function Journal:tell(values, of)
  self.batches[#self.batches].values = values
  add(self, { tell = #self.batches, values = kubeque.json.array(values), of = of })
end

function Journal:close()
  if self.lock then
    self.lock:close()
    self.lock = nil
  end
end

Journal.__close = Journal.close

return M
