-- Names: those of a table, the one that a word was meant to be, what a message says of it.

local M = {}

---The keys of some tables, each once, sorted.
---@param ... table
---@return any[]
function M.of(...)
  local names, seen = {}, {}
  for _, t in ipairs { ... } do
    for name in pairs(t) do
      names[#names + 1] = not seen[name] and name or nil
      seen[name] = true
    end
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

---The closest of some names: one that begins with `word`, else the fewest edits (at most a third).
---@param word any nothing is close to what is no text
---@param names string[]
---@return string|nil
function M.nearest(word, names)
  if type(word) ~= "string" then
    return nil
  end
  local best, cost
  for _, name in ipairs(names) do
    local d = #word > 0 and name:sub(1, #word) == word and -1 or kubeque.distance(word, name)
    if d <= math.max(1, #name // 3) and (not cost or d < cost or d == cost and name < best) then
      best, cost = name, d
    end
  end
  return best
end

---What a message adds to an unknown word: " (did you mean X?)", else what there is.
---@param word any
---@param names string[]
---@param o table|nil other: what to say instead of what there is ("": nothing); before: what stands
---before the name
---@return string
function M.hint(word, names, o)
  local near, other = M.nearest(word, names), o and o.other
  if near then
    return (" (did you mean %s%s?)"):format(o and o.before or "", near)
  elseif other then
    return other == "" and "" or " (" .. other .. ")"
  end
  local known = {}
  for _, name in ipairs(names) do
    known[name] = true
  end
  return (" (there is: %s)"):format(table.concat(M.of(known), ", "))
end

return M
