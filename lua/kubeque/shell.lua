-- Words for a POSIX shell, so that it reads them as they are.

local M = {}

---One word, quoted if need be.
---@param word string
---@return string
function M.quote(word)
  if word:find "^[%w_@%%+=:,./-]+$" then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

---A command line that runs this argument vector.
---@param argv string[]
---@return string
function M.join(argv)
  local words = {}
  for i, word in ipairs(argv) do
    words[i] = M.quote(word)
  end
  return table.concat(words, " ")
end

return M
