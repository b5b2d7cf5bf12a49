-- The scopes of a Lua text: which names are globals, what is called with what.

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua"
local tap = require "tap"
local is, same = tap.is, tap.same
local syntax = require "kubeque.syntax"

---Globals used and assigned, with lines: "print:1 x=:2".
local function globals(text)
  assert(load(text))
  local out = {}
  local function add(mark)
    return function(path)
      if not path.binding then
        local fields = {}
        for i, field in ipairs(path.fields) do
          fields[i] = "." .. field.name
        end
        out[#out + 1] = path.name .. table.concat(fields) .. (#fields == 0 and mark or "") .. ":" .. path.line
      end
    end
  end
  syntax.walk(text, { read = add "", write = add "=" })
  return table.concat(out, " ")
end

is(globals "print(x)", "print:1 x:1", "reads")
is(globals "x = 1\ny.z = 2", "x=:1 y.z:2", "writes")
is(globals "a, b.c, d[e] = f()", "d:1 e:1 f:1 a=:1 b.c:1", "several at once")
is(globals "local x = x", "x:1", "a local begins behind its statement")
is(globals "local function f() return f end", "", "a local function sees itself")
is(globals "local f = function() return f end", "f:1", "a function in a local does not")
is(globals "for i = n, 2 do i = i end print(i)", "n:1 print:1 i:1", "loop variables end with the loop")
is(globals "for k, v in pairs(t) do local x = k end print(x)", "pairs:1 t:1 print:1 x:1", "generic ones, too")
is(globals "repeat local done = g() until done", "g:1", "until sees the block")
is(globals "do local a end a()", "a:1", "a block ends its locals")
is(globals "function m.f(a, ...) return a, ... end function n:g() return self end", "m.f:1 n:1", "functions")
is(globals "function h() end", "h=:1", "a global function is an assignment")
is(globals "local t = { a = 1, [b] = 2; c, 'd' } return t.e, t['f'].g", "b:1 c:1", "keys are no names")
is(globals "goto done ::done:: x.y()", "x.y:1", "labels are no names")
is(globals "local a <const>, b <close> = 1, nil return a, b", "", "attributes")
is(globals [==[f 'a' g [[b]] h { k } ('x'):rep(2)]==], "f:1 g:1 h:1 k:1", "calls without parentheses")
is(globals "return -a .. #b and not c // 2 ~ d", "a:1 b:1 c:1 d:1", "operators")
is(globals "if a then local b elseif b then else b = 1 end", "a:1 b:1 b=:1", "branches")
is(globals "while a do break end", "a:1", "a loop")
is(globals "return function(a, b) return a + b + c end", "c:1", "parameters")
is(globals "x.y.z = 1\nlocal x x.y = 2", "x.y.z:1", "a later local is another one")
is(globals "return (f or g)(1).h", "f:1 g:1", "parentheses")
is(globals "local a = 1; return a;", "", "semicolons")

local calls = {}
local result = syntax.walk([[
local fs = kubeque.fs
local job = kubeque.job
job { name = "a", ["command"] = "b", 3 }
fs.read("x", y)
fs.m:n(1)
return kubeque.policy { on_task_failed = function(task, attempt, ...) end, other = f }]], {
  call = function(path, args)
    calls[#calls + 1] = (path.binding and path.binding.value and path.binding.value.name or path.name)
      .. "/" .. #path.fields .. "(" .. #args .. args[1].kind .. ")"
  end,
})
same(calls, { "kubeque/0(1table)", "kubeque/1(2string)", "kubeque/1(1table)" }, "calls with their arguments")
is(result.kind, "call", "what the file returns is a call")
local keys = result.args[1].keys
is(keys[1].name, "on_task_failed", "of a table with keys")
is(keys[1].value.params, 2, "a function with so many parameters")
is(keys[1].value.vararg, true, "and more")
is(keys[2].value.kind, "path", "and a name")
is(syntax.walk("if x then return 1 end", {}), nil, "a return inside is not the file's")
is(syntax.walk("", {}), nil, "an empty text")

-- every script that is part of the program: no unknown global, so the scopes hold
local wrong = {}
local given = { job = true, params = true, args = true, set = true } -- to recipes
for _, path in ipairs(kubeque.embedded.list()) do
  syntax.walk(kubeque.embedded.text(path), {
    read = function(p)
      if not p.binding and _G[p.name] == nil and not given[p.name] then
        wrong[#wrong + 1] = path .. ":" .. p.line .. ":" .. p.name
      end
    end,
    write = function(p)
      if not p.binding and #p.fields == 0 then wrong[#wrong + 1] = path .. ":" .. p.line .. ":" .. p.name .. "=" end
    end,
  })
end
same(wrong, {}, "no script of the program uses an unknown global")

tap.done()
