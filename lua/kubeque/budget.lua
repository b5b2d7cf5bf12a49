-- A limit of CPU time for a function: what a file's body may take when it is only loaded.

local M = {}

local STEP = 1000 -- instructions between looks at the clock

---Calls fn and returns what it returns. After `seconds` of CPU time it raises, in a way that no
---pcall inside of fn swallows. nil: no limit.
function M.run(seconds, fn, ...)
  if not seconds then
    return fn(...)
  end
  local deadline = os.clock() + seconds
  local function over(_, _, level)
    debug.sethook(over, "", 1)
    if debug.getinfo(level or 2, "f").func == M.run then
      return -- fn has ended by now
    end
    error(("it took longer than %g s to load: do the work in its functions, not in the body of "
      .. "the file"):format(seconds), level or 2)
  end
  local function look()
    if os.clock() >= deadline then
      over(nil, nil, 3)
    end
  end
  debug.sethook(look, "", STEP)
  local values = table.pack(pcall(fn, ...))
  debug.sethook()
  if kubeque.interrupted() then -- whose own hook may just have been taken away
    error({ code = "interrupted", message = "Interrupted" }, 0)
  elseif not values[1] then
    error(values[2], 0)
  end
  return table.unpack(values, 2, values.n)
end

return M
