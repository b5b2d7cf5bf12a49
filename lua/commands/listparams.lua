-- The parameters of a job as CSV, in row order: `sub -p` of it gives the same parameters.

local fault = require "kubeque.fault"
local select = require "kubeque.select"

---Names of the columns; of a job file in order of first appearance.
local function columns_of(job, manifest)
  local columns = manifest:columns()
  if #columns > 0 then
    return columns
  end
  local seen = {}
  for n = 1, job.n do
    for _, pair in ipairs(manifest:task(n).parameters or {}) do
      if not seen[pair[1]] then
        seen[pair[1]] = true
        columns[#columns + 1] = pair[1]
      end
    end
  end
  return columns
end

---Writes all rows with `out`. Returns how many.
local function write(job, manifest, columns, filter, out)
  local place = {}
  for i, name in ipairs(columns) do
    place[name] = i
  end
  out(kubeque.csv.row(columns))
  local count = 0
  for task in select.each_task(job, filter) do
    local row = {}
    for i = 1, #columns do
      row[i] = ""
    end
    for _, pair in ipairs(manifest:task(task.n).parameters or {}) do
      row[place[pair[1]]] = pair[2]
    end
    out(kubeque.csv.row(row))
    count = count + 1
  end
  return count
end

local function write_to(file, path, produce)
  local ok, value = pcall(produce, function(text)
    local written, reason = file:write(text)
    if not written then
      fault.raisef("io", "cannot write %s: %s", path, reason)
    end
  end)
  local closed, reason = file:close()
  if ok and not closed then
    return false, { code = "io", message = ("cannot write %s: %s"):format(path, reason) }
  end
  return ok, value
end

local function open(path, name)
  local file, why = io.open(name, "wb")
  if not file then
    why = why:sub(1, #name + 2) == name .. ": " and why:sub(#name + 3) or why
    fault.raisef("usage", "cannot write %s: %s", path, why)
  end
  return file
end

---Replaces a file as a whole: a temporary name beside it, then rename. What is there and no file
---(/dev/stdout, a FIFO) is written to.
local function write_file(path, produce)
  local stat = kubeque.fs.stat(path)
  if stat and stat.type == "dir" then
    fault.raisef("usage", "%s is a directory, the name of a file is needed", path)
  end
  local tmp = (not stat or stat.type == "file") and ("%s.kubeque-%d"):format(path,
    kubeque.proc.pid())
  local ok, value = write_to(open(path, tmp or path), path, produce)
  if ok and tmp then
    local renamed, why = os.rename(tmp, path)
    if not renamed then
      ok, value = false, { code = "io", message = ("cannot replace %s: %s"):format(path, why) }
    end
  end
  if not ok then
    if tmp then
      os.remove(tmp)
    end
    error(value, 0)
  end
  return value
end

local function run(opt, args, ctx)
  ctx:session { read_only = true }
  local job, ranges = select.job(ctx, args[1])
  local manifest = fault.check(kubeque.manifest(job))
  local columns = columns_of(job, manifest)
  if #columns == 0 then
    fault.raisef("usage", "job %s has no parameters", job.id)
  end
  local filter = { ranges = ranges,
    states = opt.incomplete and { "pending", "claimed", "failed", "killed" } or nil }
  local function produce(out)
    return write(job, manifest, columns, filter, out)
  end
  local count
  if not args[2] or args[2] == "-" then
    count = produce(kubeque.out)
  else
    count = write_file(args[2], produce)
  end
  if count == 0 then
    kubeque.log.info "No tasks found"
  end
end

return {
  name = "listparams",
  summary = "write the parameters of a job as CSV",
  usage = "listparams JOB FILE [options]",
  description = "Rows and columns are in the order of the submission. FILE is replaced as a whole; "
    .. "`-` is stdout.",
  options = {
    { "incomplete", "i", help = "only tasks that did not succeed" },
  },
  args = { { "JOB" }, { "FILE", optional = true } },
  run = run,
}
