-- What a Lua text refers to, by its scopes: enough for checks that name a line. The text compiles
-- (`load` has said so); mistakes in it are not looked for.
--
--   syntax.walk(text, on) -> what the file returns (an expression, or nil)
--
--   on.read(path), on.write(path)   a name with the fields behind it is used or assigned
--   on.call(path, args)             it is called; args: expressions
--
-- A path is { name =, line =, fields = { {name =, line =}, ... }, binding = }: binding is nil for a
-- global, else the local's { name =, line =, value = expression it was initialised with, or nil }.
-- An expression is { kind =, line =, ... }: "path" (as above), "function" (params = count, vararg =),
-- "table" (keys = { {name =, line =, value = expression}, ... }, items = count), "call" (path =,
-- args =), "string" (value =), or "other".

local lexer = require "kubeque.lexer"

local M = {}

local Walk = {}
Walk.__index = Walk

local OTHER <const> = { kind = "other" }

function Walk:peek()
  return self.list[self.at]
end

function Walk:next()
  local token = self.list[self.at]
  self.at = self.at + 1
  return token
end

---Is the next token this symbol or keyword?
function Walk:is(text)
  local token = self.list[self.at]
  return token.text == text and token.kind ~= "string"
end

function Walk:accept(text)
  if self:is(text) then
    return self:next()
  end
end

-- ---- scopes ----

function Walk:open()
  self.scope = { outer = self.scope, names = {} }
end

function Walk:close()
  self.scope = self.scope.outer
end

function Walk:declare(name, line, value)
  self.scope.names[name] = { name = name, line = line, value = value }
end

function Walk:find(name)
  local scope = self.scope
  while scope do
    if scope.names[name] then
      return scope.names[name]
    end
    scope = scope.outer
  end
end

-- ---- expressions ----

---name [attribs] {, name [attribs]}; the tokens of the names.
function Walk:name_list()
  local names = {}
  repeat
    names[#names + 1] = self:next()
    if self:accept "<" then
      self:next()
      self:accept ">"
    end
  until not self:accept ","
  return names
end

---The parameters and body of a function, behind `function` and its name.
function Walk:body(line, method)
  local params, vararg = method and 1 or 0, false
  self:open()
  if method then
    self:declare("self", line)
  end
  self:accept "("
  while not self:accept ")" do
    local token = self:next()
    if token.text == "..." then
      vararg = true
    elseif token.kind == "name" then
      params = params + 1
      self:declare(token.text, token.line)
    end
  end
  self:block()
  self:accept "end"
  self:close()
  return { kind = "function", line = line, params = params, vararg = vararg }
end

function Walk:table()
  local result = { kind = "table", line = self:next().line, keys = {}, items = 0 }
  while not self:accept "}" do
    local token, after = self:peek(), self.list[self.at + 1]
    if self:accept "[" then
      local key = self:expression()
      self:accept "]"
      self:accept "="
      local value = self:expression()
      if key.kind == "string" then
        table.insert(result.keys, { name = key.value, line = token.line, value = value })
      end
    elseif token.kind == "name" and after.text == "=" then
      self.at = self.at + 2
      table.insert(result.keys, { name = token.text, line = token.line, value = self:expression() })
    else
      self:expression()
      result.items = result.items + 1
    end
    if not self:accept "," then
      self:accept ";"
    end
  end
  return result
end

function Walk:expressions()
  local list = {}
  repeat
    list[#list + 1] = self:expression()
  until not self:accept ","
  return list
end

function Walk:arguments()
  local token = self:peek()
  if token.kind == "string" then
    self:next()
    return { { kind = "string", value = token.value, line = token.line } }
  elseif self:is "{" then
    return { self:table() }
  end
  self:accept "("
  local list = self:is ")" and {} or self:expressions()
  self:accept ")"
  return list
end

function Walk:is_call()
  return self:is "(" or self:is "{" or self:peek().kind == "string"
end

---A name or parenthesis and what follows it. A path that is all of it is not reported yet: it may
---be assigned to.
function Walk:suffixed()
  local token, path, result = self:next(), nil, OTHER
  if token.text == "(" and token.kind == "symbol" then
    self:expression()
    self:accept ")"
  else
    path = { kind = "path", name = token.text, line = token.line, fields = {},
      binding = self:find(token.text) }
    result = path
  end
  local direct = path -- while nothing but fields came
  while true do
    if self:accept "." then
      local field = self:next()
      if direct then
        table.insert(direct.fields, { name = field.text, line = field.line })
      end
    elseif self:is "[" or self:is ":" or self:is_call() then
      local called = direct
      if direct then
        self.on.read(direct)
        direct = nil
      end
      result = OTHER
      if self:accept "[" then
        self:expression()
        self:accept "]"
      else
        if self:accept ":" then
          self:next()
          called = nil
        end
        local args = self:arguments()
        if called then
          self.on.call(called, args)
          result = { kind = "call", path = called, args = args, line = called.line }
        end
      end
    else
      return result, direct
    end
  end
end

---One operand.
function Walk:simple()
  local token = self:peek()
  if token.kind == "string" then
    self:next()
    return { kind = "string", value = token.value, line = token.line }
  elseif self:is "{" then
    return self:table()
  elseif self:accept "function" then
    return self:body(token.line)
  elseif token.kind == "name" or self:is "(" then
    local result, path = self:suffixed()
    if path then
      self.on.read(path)
    end
    return result
  end
  self:next()
  return OTHER
end

local unary = { ["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true }
local binary = {}
for word in ("+ - * / // % ^ .. == ~= <= >= < > and or & | ~ << >>"):gmatch "%S+" do
  binary[word] = true
end

function Walk:expression()
  local single = true
  while true do
    while unary[self:peek().text] and self:peek().kind ~= "string" do
      self:next()
      single = false
    end
    local result = self:simple()
    local token = self:peek()
    if token.kind == "string" or not binary[token.text] then
      return single and result or OTHER
    end
    self:next()
    single = false
  end
end

-- ---- statements ----

local statement = {}

function Walk:scoped_block()
  self:open()
  self:block()
  self:close()
end

statement["if"] = function(self)
  self:expression()
  self:accept "then"
  self:scoped_block()
  while self:accept "elseif" do
    self:expression()
    self:accept "then"
    self:scoped_block()
  end
  if self:accept "else" then
    self:scoped_block()
  end
  self:accept "end"
end

statement["while"] = function(self)
  self:expression()
  self:accept "do"
  self:scoped_block()
  self:accept "end"
end

statement["do"] = function(self)
  self:scoped_block()
  self:accept "end"
end

statement["for"] = function(self)
  local names = self:name_list()
  if not self:accept "=" then
    self:accept "in"
  end
  self:expressions()
  self:accept "do"
  self:open()
  for _, token in ipairs(names) do
    self:declare(token.text, token.line)
  end
  self:block()
  self:close()
  self:accept "end"
end

statement["repeat"] = function(self)
  self:open()
  self:block()
  self:accept "until"
  self:expression() -- sees the locals of the block
  self:close()
end

statement["function"] = function(self, line)
  local token = self:next()
  local path = { kind = "path", name = token.text, line = token.line, fields = {},
    binding = self:find(token.text) }
  while self:accept "." do
    local field = self:next()
    table.insert(path.fields, { name = field.text, line = field.line })
  end
  local method = self:accept ":" and self:next()
  self.on[method and "read" or "write"](path)
  self:body(line, method)
end

statement["local"] = function(self, line)
  if self:accept "function" then
    local name = self:next()
    self:declare(name.text, name.line)
    self:find(name.text).value = self:body(line)
    return
  end
  local names = self:name_list()
  local values = self:accept "=" and self:expressions() or {}
  for i, token in ipairs(names) do
    self:declare(token.text, token.line, values[i])
  end
end

statement["goto"] = function(self)
  self:next()
end

statement["::"] = function(self)
  self:next()
  self:accept "::"
end

statement["break"] = function() end
statement[";"] = function() end

statement["return"] = function(self)
  local ends = self:is "end" or self:is "else" or self:is "elseif" or self:is "until"
    or self:is ";" or self:peek().kind == "end"
  local list = ends and {} or self:expressions()
  if self.scope == self.file then
    self.result = list[1]
  end
end

---A call or an assignment.
function Walk:call_or_assignment()
  local targets = {}
  repeat
    local _, path = self:suffixed()
    targets[#targets + 1] = path
  until not self:accept ","
  local assigned = self:accept "="
  if assigned then
    self:expressions()
  end
  for _, path in ipairs(targets) do
    self.on[assigned and "write" or "read"](path)
    if path.binding and assigned and #path.fields == 0 then
      path.binding.value = nil -- it is something else from here on
    end
  end
end

local block_ends = { ["end"] = true, ["else"] = true, ["elseif"] = true, ["until"] = true }

function Walk:block()
  while true do
    local token = self:peek()
    if token.kind == "end" or token.kind == "keyword" and block_ends[token.text] then
      return
    elseif token.kind ~= "string" and token.kind ~= "name" and statement[token.text] then
      self:next()
      statement[token.text](self, token.line)
    else
      self:call_or_assignment()
    end
  end
end

local function nothing() end

---Walks a text that compiles. See the top of this file.
---@param text string
---@param on table
---@return table|nil
function M.walk(text, on)
  local list = {}
  for token in lexer.tokens(text) do
    list[#list + 1] = token
  end
  local last = { kind = "end", text = "", line = list[1] and list[#list].line or 1 }
  list[#list + 1], list[#list + 2] = last, last -- one may be looked at behind the end
  local walk = setmetatable({ list = list, at = 1, on = { read = on.read or nothing,
    write = on.write or nothing, call = on.call or nothing } }, Walk)
  walk:open()
  walk.file = walk.scope
  walk:block()
  return walk.result
end

return M
