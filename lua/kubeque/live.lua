-- The live progress line, as text: what fits into the width, the most important first.
--
-- Pure: M.line(state, width) where state has total, ended, bad, running, nodes (numbers), and where
-- known pending (number), rate (tasks a second), left (seconds), failure (text).

local M = {}

local function rate_text(rate)
  if rate >= 10 then
    return ("%.0f/s"):format(rate)
  elseif rate >= 1 then
    return ("%.1f/s"):format(rate)
  end
  return ("%.1f/min"):format(rate * 60)
end

---Rough durations for people: two units at most.
function M.left_text(seconds)
  seconds = math.floor(seconds + 0.5)
  if seconds < 60 then
    return ("%ds"):format(seconds)
  elseif seconds < 3600 then
    return ("%dm%02ds"):format(seconds // 60, seconds % 60)
  elseif seconds < 86400 then
    return ("%dh%02dm"):format(seconds // 3600, seconds % 3600 // 60)
  elseif seconds < 100 * 86400 then
    return ("%dd%02dh"):format(seconds // 86400, seconds % 86400 // 3600)
  end
  return "long"
end

local function bar(share, cells)
  local full = math.floor(share * cells)
  return "[" .. ("#"):rep(full) .. (share < 1 and full < cells and ">" or "")
    .. ("."):rep(cells - full - (share < 1 and full < cells and 1 or 0)) .. "]"
end

-- What may be on the line, the most important first: place from left to right, text or the least
-- cells of the bar.
local function parts_of(s)
  local share = s.total > 0 and s.ended / s.total or 0
  return {
    { place = 2, text = ("%d/%d"):format(s.ended, s.total) },
    { place = 3, text = ("%d%%"):format(math.floor(share * 100)) },
    s.bad > 0 and { place = 6, text = ("%d failed"):format(s.bad), red = true } or false,
    s.left and { place = 8, text = M.left_text(s.left) .. " left" } or false,
    { place = 1, cells = 10 },
    { place = 4, text = ("%d running"):format(s.running) },
    s.rate and { place = 7, text = rate_text(s.rate) } or false,
    { place = 9, text = s.nodes == 1 and "1 node" or ("%d nodes"):format(s.nodes) },
    s.pending and { place = 5, text = ("%d pending"):format(s.pending) } or false,
  }
end

local function clean(text)
  return (text:gsub("[\0-\31\127]+", " "))
end

---The line, at most width - 1 characters wide (a full last column would wrap on some terminals).
---With `colour` failures are red; escape sequences have no width.
function M.line(s, width, colour)
  local room, chosen, the_bar = width - 1, {}, nil
  for _, part in ipairs(parts_of(s)) do
    local need = part and (part.cells and part.cells + 2 or #part.text) + (chosen[1] and 2 or 0)
    if part and need <= room then
      chosen[#chosen + 1] = part
      room = room - need
      the_bar = part.cells and part or the_bar
    end
  end
  if the_bar then -- it takes a part of what is left over
    local more = s.failure and math.min(room // 3, math.max(0, room - 40)) or room // 2
    more = math.min(30 - the_bar.cells, more)
    the_bar.text = bar(s.total > 0 and s.ended / s.total or 0, the_bar.cells + more)
    room = room - more
  end
  if s.failure and room >= 20 then
    local text = "last failure: " .. clean(s.failure)
    if #text + 2 > room then
      text = require("kubeque.output").cut(text, room - 5) .. "..."
    end
    chosen[#chosen + 1] = { place = 10, text = text, red = true }
  end
  table.sort(chosen, function(a, b) return a.place < b.place end)
  for i, part in ipairs(chosen) do
    chosen[i] = colour and part.red and "\27[31m" .. part.text .. "\27[0m" or part.text
  end
  return table.concat(chosen, "  ")
end

return M
