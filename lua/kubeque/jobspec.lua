-- A job as a job file: what `dumpjob --spec` prints and `sub -f` reads (docs/formats.md).

local select = require "kubeque.select"

local M = {}

---Inputs as downloads: the content by its path in the CAS.
local function downloads(inputs, cas)
  local out = kubeque.json.array {}
  for i, input in ipairs(inputs or {}) do
    out[i] = { dst = input.dst, executable = input.mode and input.mode & 64 ~= 0 or nil }
    if input.url then
      out[i].src_url = input.url
    else
      out[i].src = ("%s/%s/%s"):format(cas, input.sha256:sub(1, 2), input.sha256:sub(3))
    end
  end
  return out
end

---A number without ".0"; 0 and nil are left out.
local function positive(number)
  return number and number > 0 and (math.tointeger(number) or number) or nil
end

local function filled(table_)
  return table_ and next(table_) ~= nil and table_ or nil
end

local function common_part(common, inputs, cas)
  local uploads = { include_patterns = filled(common.results),
    exclude_patterns = filled(common.exclude) }
  return { working_dir = common.cd ~= "" and common.cd or nil,
    downloads = downloads(inputs, cas), uploads = filled(uploads),
    timeout = positive(common.timeout), retries = common.retries }
end

---An object with its keys in the order of the submission: they become the columns again.
local function parameters(list)
  local out = {}
  for i, pair in ipairs(list or {}) do
    out[i] = kubeque.json.encode(pair[1]) .. ":" .. kubeque.json.encode(pair[2])
  end
  return out[1] and ',"parameters":{' .. table.concat(out, ",") .. "}" or ""
end

---Resources as a job file names them. Memory in a job file is a limit, too; what was only set
---aside comes from the configuration again.
local function resources(class)
  local out = {}
  for name, amount in pairs(class.resources or {}) do
    out[name] = amount
  end
  local limited = false
  for _, name in ipairs(class.limits or {}) do
    limited = limited or name == "memory"
  end
  out.memory = limited and out.memory or nil
  return out
end

---A task as JSON.
local function task_of(job, task, spec, cas)
  local uploads = { include_patterns = spec.results, exclude_patterns = spec.exclude }
  local own = { uploads = filled(uploads), command = spec.argv or spec.shell,
    env = filled(spec.env), working_dir = spec.cd,
    downloads = filled(spec.inputs) and downloads(spec.inputs, cas) or nil }
  local class = job.classes[task.class] or {}
  if task.class ~= 1 then
    own.resources, own.image = resources(class), class.image
  end
  own.timeout, own.retries = class.timeout_ms and class.timeout_ms / 1000, class.retries
  return kubeque.json.encode(own):sub(1, -2) .. parameters(spec.parameters) .. "}"
end

---Writes the job file to stdout, a task at a time.
function M.write(ctx, job, manifest, ranges)
  local common = manifest:common()
  local cas = job.info and job.info.cas or ctx.config.cas_url_prefix
  local first = job.classes[1] or {}
  local json = kubeque.json.encode
  kubeque.out(('{"image":%s,\n"resources":%s,\n"env":%s,\n"common":%s,\n"tasks":['):format(
    json(first.image or common.image or "none"), json(resources(first)),
    json(common.env or {}), json(common_part(common, manifest:inputs(), cas))))
  local comma = "\n"
  for task in select.each_task(job, { ranges = ranges }) do
    kubeque.out(comma .. task_of(job, task, manifest:task(task.n), cas))
    comma = ",\n"
  end
  kubeque.out "\n]}\n"
end

return M
