-- Parameters that a script makes, for kubeque.submit: written once to a file of their own, which
-- goes when the specification is closed.

local M = {}

---@param rows table columns, iter()
---@return string path
function M.write(rows)
  local path = kubeque.fs.tmpdir() .. "/rows.csv"
  local file = assert(io.open(path, "w"))
  file:write(kubeque.csv.row(rows.columns))
  local next_row = rows:iter()
  local function write(...)
    if ... == nil then
      return false
    end
    file:write(kubeque.csv.row { ... })
    return true
  end
  while write(next_row()) do end
  file:close()
  return path
end

function M.remove(path)
  kubeque.fs.remove_tree(path:match "^(.*)/")
end

return M
