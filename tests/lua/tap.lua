-- TAP for Lua tests: ok, is, same, like, done.

local M = { count = 0, failed = 0 }

function M.ok(condition, name)
  M.count = M.count + 1
  if not condition then
    M.failed = M.failed + 1
  end
  print(("%s %d - %s"):format(condition and "ok" or "not ok", M.count, name))
  return condition
end

local function show(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local keys, out = {}, {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    out[#out + 1] = tostring(key) .. "=" .. show(value[key])
  end
  return "{" .. table.concat(out, ",") .. "}"
end

function M.is(got, want, name)
  if not M.ok(got == want, name) then
    print("# got:  " .. show(got):gsub("\n", "\n#"))
    print("# want: " .. show(want):gsub("\n", "\n#"))
  end
end

---Deep equality, by what both print as.
function M.same(got, want, name)
  if not M.ok(show(got) == show(want), name) then
    print("# got:  " .. show(got):gsub("\n", "\n#"))
    print("# want: " .. show(want):gsub("\n", "\n#"))
  end
end

function M.like(got, pattern, name)
  if not M.ok(type(got) == "string" and got:find(pattern) ~= nil, name) then
    print("# got:  " .. show(got):gsub("\n", "\n#"))
    print("# like: " .. show(pattern))
  end
end

---Prints the plan; the test program's status says whether all passed.
function M.done()
  print("1.." .. M.count)
  if M.failed > 0 then
    error(M.failed .. " failed", 0)
  end
end

return M
