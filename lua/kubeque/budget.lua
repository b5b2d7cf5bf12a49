-- A limit of time for a function, which no pcall inside of it swallows: CPU time for what a file's
-- body may take when it is only loaded, or any other clock.

local M = {}

local STEP = 1000 -- instructions between looks at the clock

---Calls fn and returns what it returns. When the clock has moved on by `o.seconds`, raises what
---`o.why(level)` says, in the function that runs, which is `level` up. `o.clock`: os.clock.
function M.limit(o, fn, ...)
  local clock = o.clock or os.clock
  local deadline = clock() + o.seconds
  local function over(_, _, level)
    debug.sethook(over, "", 1)
    level = level or 2
    if debug.getinfo(level, "f").func == M.limit then
      return -- fn has ended by now
    end
    error(o.why(level + 1), 0)
  end
  local function look()
    if clock() >= deadline then
      over(nil, nil, 3)
    end
  end
  local outer, mask, count = debug.gethook() -- of a limit that this one is inside of
  debug.sethook(look, "", STEP)
  local values = table.pack(pcall(fn, ...))
  debug.sethook()
  if type(outer) == "function" then
    debug.sethook(outer, mask, count)
  end
  if kubeque.interrupted() then -- whose own hook may just have been taken away
    error({ code = "interrupted", message = "Interrupted" }, 0)
  elseif not values[1] then
    error(values[2], 0)
  end
  return table.unpack(values, 2, values.n)
end

---"file:line: " of the function at `level` of the stack, counted from this one (1).
function M.place(level)
  local at = debug.getinfo(level, "Sl")
  return at and at.currentline > 0 and ("%s:%d: "):format(at.short_src, at.currentline) or ""
end

---Calls fn, which may take `seconds` of CPU time (nil: no limit): the body of a file.
function M.run(seconds, fn, ...)
  if not seconds then
    return fn(...)
  end
  return M.limit({ seconds = seconds, why = function(level)
    return ("%sit took longer than %g s to load: do the work in its functions, not in the body of "
      .. "the file"):format(M.place(level + 1), seconds)
  end }, fn, ...)
end

return M
