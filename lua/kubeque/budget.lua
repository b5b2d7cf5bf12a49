-- A limit of CPU time for what a file's body may take when it is only loaded.

local M = {}

---Calls fn and returns what it returns; raises when it has taken `seconds` of CPU time (nil: no
---limit), in a way that no pcall inside of it swallows.
function M.run(seconds, fn, ...)
  if not seconds then
    return fn(...)
  end
  return kubeque.budget({ seconds = seconds, message = ("it took longer than %g s to load: do the "
    .. "work in its functions, not in the body of the file"):format(seconds) }, fn, ...)
end

return M
