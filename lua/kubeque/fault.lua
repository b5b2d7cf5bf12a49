-- Failures that end a command: one line for people and a code that decides the exit status.
--
-- Functions of kubeque answer `nil, message, code` when the world says no. A command that cannot
-- go on turns that into a raised fault with `check`, and kubeque.cli prints it once, at the top.

local M = {}

M.exit_codes = {
  usage = 2,
  conflict = 2,
  not_found = 3,
  timeout = 4,
  config = 5,
  busy = 6,
  nospace = 6,
  io = 6,
  script = 7,
  interrupted = 130,
}

local Fault = {}
Fault.__index = Fault
Fault.__tostring = function(self)
  return self.message
end

---Exit status of CONTRACT section 1 for a code.
function M.exit_code(code)
  return M.exit_codes[code] or 6
end

---Raises a fault. `exit` overrides the exit status that `code` stands for.
function M.raise(code, message, exit)
  error(setmetatable({ code = code, message = message, exit = exit }, Fault), 0)
end

---Raises a fault with a formatted message.
function M.raisef(code, format, ...)
  M.raise(code, string.format(format, ...))
end

---Passes values on; `nil, message, code` becomes a fault.
function M.check(value, message, code, ...)
  if value == nil then
    M.raise(code or "io", message or "unknown error")
  end
  return value, message, code, ...
end

---The fault behind an error value, or nil when it is something else (a bug, a script's error).
---Functions written in C raise faults as plain tables.
function M.of(value)
  return type(value) == "table" and type(value.message) == "string" and value or nil
end

return M
