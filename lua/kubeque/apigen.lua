-- What is made from the declarations of the API (kubeque.apidoc): the reference, the LuaCATS file
-- for editors, .luarc.json and .luacheckrc.

local apidoc = require "kubeque.apidoc"

local M = {}

local function public()
  local list = {}
  for _, d in ipairs(apidoc.domains()) do
    list[#list + 1] = not d.internal and d or nil
  end
  return list
end

-- ---- docs/lua-reference.md ----

local where_text = {
  host = "In commands, recipes and providers.",
  policy = "In policies.",
  both = "In commands, recipes, providers and policies.",
}

local escapes = { ["<"] = "&lt;", [">"] = "&gt;", ["*"] = "\\*", ["_"] = "\\_" }

---Text for Markdown; what stands in backquotes is left alone.
local function escape(text)
  return (text:gsub("([^`]*)(`?[^`]*`?)", function(plain, quoted)
    return plain:gsub("[<>*_]", escapes) .. quoted
  end))
end

---In a table, where a bar divides cells.
local function cell(text)
  return (text:gsub("|", "\\|"))
end

local function code(text)
  return "`" .. text .. "`"
end

local function block(out, text)
  out[#out + 1] = "\n```lua\n" .. text:gsub("^\n", ""):gsub("%s+$", "") .. "\n```"
end

---Rows of names, types and what they mean.
local function fields_table(out, list)
  out[#out + 1] = "\n| name | type | meaning |\n| --- | --- | --- |"
  for _, a in ipairs(list) do
    local notes = { a[3] and escape(a[3]) or nil }
    if a.optional or a.default then
      notes[#notes + 1] = a.default and "default " .. code(a.default) or "optional"
    end
    out[#out + 1] = ("| `%s` | %s | %s |"):format(a[1], cell(code(a[2])), cell(table.concat(notes, "; ")))
  end
end

local function function_text(out, level, path, f, domain, index)
  local returns = apidoc.returns_text(f)
  out[#out + 1] = ("\n%s `%s`\n"):format(level, apidoc.signature(path, f, index))
  if f.where and f.where ~= domain.where then
    out[#out + 1] = where_text[f.where] .. "\n"
  end
  out[#out + 1] = escape(f.help)
  local explained = false
  for _, a in ipairs(f.args or {}) do
    explained = explained or a[3] ~= nil or a[2] ~= "string"
  end
  if explained then
    fields_table(out, f.args)
  end
  if returns ~= "" then
    out[#out + 1] = "\nReturns " .. code(returns)
    local notes = {}
    for _, r in ipairs(f.returns or {}) do
      notes[#notes + 1] = r[2] and escape(r[2])
    end
    out[#out] = out[#out] .. (notes[1] and ": " .. table.concat(notes, "; ") or "") .. "."
  end
  if f.example then
    block(out, f.example)
  end
end

local function domain_text(out, d, index)
  local title = d.global and d.global ~= "kubeque" and d.global or d.name
  out[#out + 1] = ("\n## %s\n\n%s. %s"):format(title, escape(d.summary:sub(1, 1):upper()
    .. d.summary:sub(2)), where_text[d.where])
  if d.help then
    out[#out + 1] = "\n" .. escape(d.help)
  end
  if d.call then
    function_text(out, "###", d.global, d.call, d, index)
  end
  for _, f in ipairs(d.functions or {}) do
    function_text(out, "###", d.global .. "." .. f[1], f, d, index)
  end
  if d.fields then
    out[#out + 1] = "\n### Values in " .. d.global
    fields_table(out, d.fields)
  end
  for _, c in ipairs(d.classes or {}) do
    out[#out + 1] = ("\n### %s (object)\n\n%s"):format(c[1], escape(c.help or ""))
    if c.fields then
      fields_table(out, c.fields)
    end
    for _, m in ipairs(c.methods or {}) do
      function_text(out, "####", c[1] .. ":" .. m[1], m, d, index)
    end
  end
  for _, t in ipairs(d.tables or {}) do
    out[#out + 1] = ("\n### %s (table)\n\n%s"):format(t[1], escape(t.help or ""))
    fields_table(out, t.fields)
  end
end

---docs/lua-reference.md.
function M.markdown()
  local out, index = { [[
# Lua reference

Made by `make docs` from the declarations in `lua/api`, which the program, editors and
`kubeque scripts check` use, too; edit those.

A function answers `nil, why, code` when the world says no: `code` is `usage`, `not_found`,
`timeout`, `config`, `conflict`, `busy`, `nospace`, `io`, `script` or `interrupted`. It raises an
error when it is used wrongly. Durations are seconds, moments are milliseconds since 1970, sizes
are bytes. Option tables are read strictly: an unknown key is an error that names the nearest.

In the interactive shell (`kubeque lua`): `help "fs.read"`.
]] }, apidoc.index()
  for _, d in ipairs(public()) do
    out[#out + 1] = ("* [%s](#%s): %s"):format(d.name, (d.global and d.global ~= "kubeque"
      and d.global or d.name):gsub("%.", ""), escape(d.summary))
  end
  for _, d in ipairs(public()) do
    domain_text(out, d, index)
  end
  return table.concat(out, "\n") .. "\n"
end

-- ---- LuaCATS ----

---A type with the names of classes and tables as LuaCATS knows them.
local function cats_type(text, index)
  local literals, known = {}, {}
  for name in apidoc.type_names(text) do
    known[name] = index[name] ~= nil
  end
  text = text:gsub('"[^"]*"', function(literal)
    literals[#literals + 1] = literal
    return "\1" .. #literals .. "\1"
  end)
  text = text:gsub("[%a_][%w_]*", function(name)
    return known[name] and "kubeque." .. name or nil
  end)
  return (text:gsub("\1(%d+)\1", function(i) return literals[tonumber(i)] end))
end

local function comment(out, text)
  for line in (text or ""):gmatch "[^\n]+" do
    out[#out + 1] = "---" .. line
  end
end

local function cats_function(out, name, f, index)
  comment(out, f.help)
  if f.example then
    comment(out, "```lua\n" .. f.example:gsub("^\n", ""):gsub("%s+$", "") .. "\n```")
  end
  local names = {}
  for i, a in ipairs(f.args or {}) do
    names[i] = a[1]
    out[#out + 1] = ("---@param %s%s %s%s"):format(a[1], a.optional and a[1] ~= "..." and "?" or "",
      cats_type(a[2], index), a[3] and " " .. a[3] or "")
  end
  for _, r in ipairs(f.returns or {}) do
    local kind = cats_type(r[1], index)
    out[#out + 1] = ("---@return %s%s%s"):format(kind, f.fails and not kind:find "%?$" and "?" or "",
      r[2] and " # " .. r[2] or "")
  end
  if f.fails then
    out[#out + 1] = "---@return string? why\n---@return string? code"
  end
  out[#out + 1] = ("function %s(%s) end\n"):format(name, table.concat(names, ", "))
end

local function cats_class(out, name, help, fields, index)
  comment(out, help)
  out[#out + 1] = "---@class kubeque." .. name
  for _, a in ipairs(fields or {}) do
    out[#out + 1] = ("---@field %s%s %s%s"):format(a[1] == "..." and "[string]" or a[1],
      a.optional and "?" or "", cats_type(a[2], index), a[3] and " " .. a[3] or "")
  end
end

local function cats_domain(out, d, index)
  if d.global and d.global ~= "kubeque" then
    comment(out, d.summary)
    if d.call then
      local names = {}
      for i, a in ipairs(d.call.args or {}) do
        names[i] = ("%s%s: %s"):format(a[1], a.optional and "?" or "", cats_type(a[2], index))
      end
      local result = d.call.returns and d.call.returns[1]
      out[#out + 1] = ("---@overload fun(%s)%s"):format(table.concat(names, ", "),
        result and ": " .. cats_type(result[1], index) or "")
    end
    out[#out + 1] = d.global .. " = {}\n"
  end
  for _, v in ipairs(d.fields or {}) do
    comment(out, v[3])
    out[#out + 1] = ("---@type %s\n%s.%s = nil\n"):format(cats_type(v[2], index), d.global, v[1])
  end
  for _, f in ipairs(d.functions or {}) do
    cats_function(out, d.global .. "." .. f[1], f, index)
  end
  for _, t in ipairs(d.tables or {}) do
    cats_class(out, t[1], t.help, t.fields, index)
    out[#out + 1] = ""
  end
  for _, c in ipairs(d.classes or {}) do
    cats_class(out, c[1], c.help, c.fields, index)
    out[#out + 1] = ("local %s = {}\n"):format(c[1])
    for _, m in ipairs(c.methods or {}) do
      cats_function(out, c[1] .. ":" .. m[1], m, index)
    end
  end
end

-- Globals of recipes beside `kubeque`.
local recipe_globals = { "args", "job", "params", "set" }

---A `---@meta` file for lua-language-server: types, help and examples while one writes.
function M.luacats()
  local out, index = { "---@meta", "-- Written by kubeque " .. kubeque.version.kubeque
    .. " for editors; nothing runs it.\n", "kubeque = {}\n" }, apidoc.index()
  for _, d in ipairs(public()) do
    cats_domain(out, d, index)
  end
  return table.concat(out, "\n") .. "\n"
end

---.luarc.json of a folder whose LuaCATS file lies in `library` (relative to it).
function M.luarc(library)
  return kubeque.json.encode({ ["runtime.version"] = "Lua 5.4",
    ["workspace.library"] = { library or ".api" },
    ["diagnostics.globals"] = recipe_globals }, { indent = 2 }) .. "\n"
end

local function luacheck_fields(out, tree, indent)
  for _, name in ipairs(require("kubeque.names").of(tree)) do
    if type(tree[name]) == "table" then
      out[#out + 1] = ("%s%s = { fields = {"):format(indent, name)
      luacheck_fields(out, tree[name], indent .. "  ")
      out[#out + 1] = indent .. "} },"
    else
      out[#out + 1] = ("%s%s = {},"):format(indent, name)
    end
  end
end

---.luacheckrc: the names below `kubeque`, so that luacheck finds a mistyped one.
function M.luacheckrc()
  local out = { "-- Written by kubeque " .. kubeque.version.kubeque .. ".", 'std = "lua54"',
    "max_line_length = 120", 'exclude_files = { ".api" }', "read_globals = { kubeque = { fields = {" }
  luacheck_fields(out, apidoc.tree(), "  ")
  out[#out + 1] = "} } }"
  out[#out + 1] = ('files["**/recipes/*.lua"] = { read_globals = { "%s" } }'):format(
    table.concat(recipe_globals, '", "'))
  return table.concat(out, "\n") .. "\n"
end

---Writes .api/kubeque.lua, .luarc.json and .luacheckrc into a folder of scripts; the last two only
---where there are none (they are the user's to change). Returns the list of files written, or nil,
---why, code.
function M.write(dir)
  local fs, written = kubeque.fs, {}
  local ok, why, code_ = fs.mkdir_p(dir .. "/.api")
  for _, file in ipairs { { ".api/kubeque.lua", M.luacats }, { ".luarc.json", M.luarc, true },
    { ".luacheckrc", M.luacheckrc, true } } do
    local path = dir .. "/" .. file[1]
    if ok and not (file[3] and fs.stat(path)) then
      ok, why, code_ = fs.write(path, file[2]())
      written[#written + 1] = path
    end
  end
  if not ok then
    return nil, why, code_
  end
  return written
end

return M
