-- Copying the output of tasks to stdout: `--show`, the last lines of a single task, `logs`.

local fault = require "kubeque.fault"

local M = {}

local CHUNK = 64 * 1024

---Opens the stdout.txt of a task; nil when it has none.
function M.open(job, n, attempt)
  local path = kubeque.results.stdout(job, n, attempt)
  return path and io.open(path, "rb"), path
end

---Copies a file from its current position to its end. Returns the number of bytes.
function M.copy(file, out)
  local total = 0
  out = out or kubeque.out
  while true do
    local text = file:read(CHUNK)
    if not text then
      return total
    end
    total = total + #text
    out(text)
  end
end

---Puts `N: ` in front of every line that passes through; a line may come in pieces.
function M.tagger(n, out)
  local tag, rest = n .. ": ", ""
  return function(text)
    rest = rest .. text
    local lines, at = {}, 1
    while true do
      local stop = rest:find("\n", at, true)
      if not stop then
        break
      end
      lines[#lines + 1] = tag .. rest:sub(at, stop)
      at = stop + 1
    end
    rest = rest:sub(at)
    if lines[1] then
      out(table.concat(lines))
    end
  end, function()
    if rest ~= "" then
      out(tag .. rest .. "\n")
      rest = ""
    end
  end
end

---The last `count` lines of a file, read from its end in growing steps; `cut` says whether there
---are more in front. The position of `file` is then its end.
function M.tail(file, count)
  local size, step = file:seek "end", 8 * 1024
  while true do
    local from = math.max(0, size - step)
    file:seek("set", from)
    local text = file:read(size - from) or ""
    local at, lines = #text, 0
    if text:sub(-1) == "\n" then
      at = at - 1
    end
    while at > 0 do
      if text:byte(at) == 10 then
        lines = lines + 1
        if lines == count then
          file:seek "end"
          return text:sub(at + 1), true
        end
      end
      at = at - 1
    end
    if from == 0 then
      file:seek "end"
      return count > 0 and text or "", false
    end
    step = step * 4
  end
end

---The last lines of a task on the terminal of the user.
function M.last_lines(job, n, count)
  local file = M.open(job, n)
  if file then
    local text = M.tail(file, count)
    file:close()
    kubeque.out(text)
    if text ~= "" and text:sub(-1) ~= "\n" then
      kubeque.out "\n"
    end
  end
end

local function is_ended(task)
  return task.state ~= "pending" and task.state ~= "claimed" and task.state ~= "ended"
end

local function print_task(job, task, mode)
  if mode ~= "failed" or task.state ~= "succeeded" then
    local file = M.open(job, task.n)
    if file then
      M.copy(file)
      file:close()
    end
  end
end

---A copier for `--show`: call it now and then; it copies what has ended since. mode: "all" and
---"failed" in task order, "any" as they end.
function M.copier(job, mode)
  local low, seen = 0, {}
  return function()
    local after = low
    while true do
      local page = fault.check(kubeque.queue.tasks(job.born, { after = after, limit = 500 }))
      for _, task in ipairs(page) do
        local ended = is_ended(task)
        if ended and not seen[task.n] then
          print_task(job, task, mode)
          seen[task.n] = true
        elseif not ended and mode ~= "any" then
          return
        end
        if ended and task.n == low + 1 then
          low = task.n
          seen[low] = nil
          while seen[low + 1] do
            low = low + 1
            seen[low] = nil
          end
        end
        after = task.n
      end
      if #page < 500 then
        return
      end
    end
  end
end

return M
