-- Random search: so many points of a space, each drawn for itself.

local misuse = require "kubeque.misuse"
local space = require "kubeque.search.space"

local M = {}

local Random = { __name = "search.random" }
Random.__index = Random

---@param o table space, trials (10), seed (0)
function M.new(o)
  misuse.keys("search.random", o or {}, { "space", "trials", "seed" })
  o = o or {}
  return setmetatable({ next_row = space.sampler("search.random", o), asked = 0,
    trials = space.integer("search.random", "trials", o.trials or 10, 1) }, Random)
end

function Random:suggest(n)
  local rows = {}
  while #rows < n and self.asked < self.trials do
    local row = self.next_row()
    self.asked = row and self.asked + 1 or self.trials -- nil: there are no more combinations
    rows[#rows + 1] = row
  end
  return rows[1] and rows or nil
end

function Random:tell(row, value)
  value = space.finite(value)
  if value and (not self.value or value < self.value) then
    self.row, self.value = row, value
  end
end

function Random:best()
  return self.row, self.value
end

return M
