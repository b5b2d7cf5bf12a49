-- Numbers about many values in little memory: the largest few, and median, mean and maximum of a
-- stream. What a report of a million tasks is made of.

local M = {}

-- ---- the largest ----

---Keeps the `count` items with the largest keys; of equal ones those that came first.
---@param count integer
---@return table top add(key, item), items()
function M.top(count)
  local keys, items = {}, {}
  local top = {}
  function top.add(key, item)
    if #keys == count and (count == 0 or key <= keys[count]) then
      return
    end
    local at = #keys + 1
    while at > 1 and keys[at - 1] < key do
      at = at - 1
    end
    table.insert(keys, at, key)
    table.insert(items, at, item)
    keys[count + 1], items[count + 1] = nil, nil
  end
  function top.items()
    return items
  end
  return top
end

-- ---- a stream of numbers ----

local EXACT <const> = 200 -- values kept as they are; more are counted in classes 1 % wide
local WIDTH <const> = math.log(1.01)
local SMALLEST <const> = 1e-9

local Stream = {}
Stream.__index = Stream

---A stream of numbers that are not negative: add(x), then count, mean(), max, median().
function M.stream()
  return setmetatable({ count = 0, sum = 0, max = 0, values = {} }, Stream)
end

local function class_of(x)
  return math.floor(math.log(math.max(x, SMALLEST)) / WIDTH)
end

local function classify(self, x)
  local class = class_of(x)
  self.classes[class] = (self.classes[class] or 0) + 1
end

function Stream:add(x)
  self.count, self.sum = self.count + 1, self.sum + x
  self.max = math.max(self.max, x)
  if self.values then
    self.values[self.count] = x
    if self.count > EXACT then
      self.classes = {}
      for _, value in ipairs(self.values) do
        classify(self, value)
      end
      self.values = nil
    end
  else
    classify(self, x)
  end
end

---nil when there were no values.
function Stream:mean()
  return self.count > 0 and self.sum / self.count or nil
end

---The median: exact of up to 200 values, else to 1 %.
function Stream:median()
  local middle = (self.count + 1) // 2
  if self.count == 0 then
    return nil
  elseif self.values then
    table.sort(self.values)
    return (self.values[middle] + self.values[self.count // 2 + 1]) / 2
  end
  local classes, seen = {}, 0
  for class in pairs(self.classes) do
    classes[#classes + 1] = class
  end
  table.sort(classes)
  for _, class in ipairs(classes) do
    seen = seen + self.classes[class]
    if seen >= middle then
      return math.min(math.exp((class + 0.5) * WIDTH), self.max)
    end
  end
end

return M
