-- The policies that a job has, for those who show jobs: names and options out of its bundle.

local M = {}

local known = {} -- by digest: jobs of one kind share a bundle

local function read(digest)
  local text, why = kubeque.cas.get(digest, 1 << 20)
  local bundle = text and kubeque.json.decode(text)
  if type(bundle) ~= "table" or type(bundle.policies) ~= "table" then
    return { digest = digest, policies = kubeque.json.array {},
      fault = why or ("the policies %s are damaged"):format(digest) }
  end
  local list = kubeque.json.array {}
  for i, p in ipairs(bundle.policies) do
    list[i] = { name = p.name, options = p.options or {}, module = p.module }
  end
  return { digest = digest, policies = list, bundle = text }
end

---The policies of a job: { digest =, policies = {{name =, options =, module =}}, bundle = text };
---with `fault` = why when they cannot be read. Nil for a job without policies of its own.
---@param job table
---@return table|nil
function M.of(job)
  if (job.policy or "") == "" then
    return nil
  end
  known[job.policy] = known[job.policy] or read(job.policy)
  return known[job.policy]
end

---The same as data for output: without the texts.
---@param job table
---@return table|nil
function M.data(job)
  local found = M.of(job)
  return found and { digest = found.digest, policies = found.policies, fault = found.fault }
end

---A value of an option, in quotes where it needs them.
local function value_text(value)
  value = require("kubeque.policy").shown(value)
  local plain = not value:find '[%s"]' and not value:find ",[%a_][%w_]*="
  return plain and value or '"' .. value:gsub('"', '""') .. '"'
end

---A policy as a SPEC: memory:cap=16G.
---@param name string
---@param options table|nil
---@return string
function M.spec(name, options)
  local parts = {}
  for key, value in pairs(options or {}) do
    parts[#parts + 1] = key .. "=" .. value_text(value)
  end
  table.sort(parts)
  return parts[1] and name .. ":" .. table.concat(parts, ",") or name
end

---All policies of a job on one line, "" for one without.
---@param job table
---@return string
function M.text(job)
  local found = M.of(job)
  if not found then
    return ""
  elseif found.fault then
    return found.fault
  end
  local specs = {}
  for i, p in ipairs(found.policies) do
    specs[i] = M.spec(p.name, p.options)
  end
  return table.concat(specs, " ")
end

---Texts of one kind in the history of a job, newest last; of one task if `n`.
local function history(job, n, kind)
  local list, after = {}, 0
  if (job.policy or "") == "" then
    return list
  end
  repeat
    local events = kubeque.queue.events(job.born, after) or {}
    for _, event in ipairs(events) do
      after = event.seq
      if event.kind == kind and (not n or event.n == n or event.n == 0) then
        list[#list + 1] = event.text
      end
    end
  until #events == 0
  return list
end

---What broke in the policies of a job: texts of its history, newest last; of one task if `n`.
---@param job table
---@param n integer|nil
---@return string[]
function M.errors(job, n)
  return history(job, n, "policy_error")
end

---What its policies wanted to be told to others, and nobody took.
---@param job table
---@param n integer|nil
---@return string[]
function M.undelivered(job, n)
  return history(job, n, "delivery_failed")
end

return M
