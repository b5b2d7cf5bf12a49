-- Node providers: declarations, options, answers, quoting for shells.
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local provider = require "kubeque.provider"
local call = require "kubeque.provider_call"
local fault = require "kubeque.fault"

local function nothing() end

local function declaration(change)
  local d = { name = "x", summary = "s", requires = "any queue", add = nothing, list = nothing }
  for key, value in pairs(change or {}) do
    d[key] = value
  end
  return d
end

local function why(change)
  local ok, message = pcall(kubeque.provider, declaration(change))
  return not ok and (message.message or message) or "it was accepted"
end

-- ---- declarations ----
local p = kubeque.provider(declaration { options = { a = { help = "h" } } })
t.same({ p.options.a.help, p.options.timeout.default, p.capabilities.waits }, { "h", 60, nil },
  "a declaration is filled in")
t.is(kubeque.provider(p), p, "one that was checked is left alone")
t.like(why { nme = 1 }, "unknown key 'nme' %(did you mean name%?%)", "an unknown field")
t.like(why { add = 3 }, "'add' is a function, not a number", "a wrong type")
t.like(why { name = "a b" }, 'name "a b"', "a name")
t.like(why { requires = "shared" }, 'unknown requirement shared %(did you mean shared queue%?%)',
  "what it requires")
t.like(why { capabilities = { wait = true } }, "did you mean waits", "a capability")
t.like(why { capabilities = { waits = 1 } }, "'waits' is a boolean", "its type")
t.like(why { options = { A = { help = "h" } } }, "small letters", "the name of an option")
t.like(why { options = { timeout = { help = "h" } } }, "has it already", "timeout is everybody's")
t.like(why { options = { a = { help = "h", typ = "int" } } }, "did you mean type", "its fields")
t.like(why { options = { a = { help = "h", type = "integer" } } }, "unknown type integer", "its type")
t.like(why { options = { a = { help = "h", choices = { "b" } } } }, "go together", "a choice")
t.like(why { options = { a = { help = "h", type = "flag", default = "yes" } } },
  "default of a flag is a boolean, not a string", "its default")

-- ---- options ----
local function options(decls, set, chosen)
  local source = { values = { provider = chosen and { value = chosen } }, provider = {} }
  for key, text in pairs(set) do
    source.provider[key] = { text = text, place = "f:1", base = "/b" }
  end
  local config = { provider = "x", _sources = { source }, _set = { provider = true }, _source = {} }
  local ok, value = pcall(provider.options, kubeque.provider(declaration { options = decls }), config)
  return ok and value or fault.of(value).message, not ok and fault.of(value).code
end

local all = { s = { help = "h" }, l = { type = "list", help = "h" }, i = { type = "int", help = "h" },
  n = { type = "number", help = "h", max = 2 }, f = { type = "flag", help = "h" },
  p = { type = "path", help = "h" }, d = { type = "duration", help = "h", default = 3 },
  m = { type = "memory", help = "h" }, c = { type = "choice", choices = { "a", "b" }, help = "h" } }
t.same(options(all, { s = "a b", l = "x, y", i = "-3", n = "1.5", f = "on", p = "q/../r", d = "2m",
    m = "1K", c = "b" }),
  { s = "a b", l = { "x", "y" }, i = -3, n = 1.5, f = true, p = "/b/q/../r", d = 120, m = 1000,
    c = "b", timeout = 60 }, "values by type; a path starts at its file")
t.same(options(all, { f = "No" }), { f = false, d = 3, timeout = 60 }, "defaults")
t.same(options(all, { s = "q" }, "other"), { d = 3, timeout = 60 },
  "what a file says of another provider is left alone")
for key, text in pairs { i = "1.5", n = "3", f = "si", d = "x", m = "y", c = "z", timeout = "-" } do
  local message, code = options(all, { [key] = text })
  t.ok(code == "config" and message:find("^f:1: provider%." .. key .. ": "), "a bad " .. key)
end
t.like(options({ need = { help = "this one", required = true } }, {}),
  "set provider.need %(this one%)", "what is missing")
t.like(options(all, { tmeout = "1" }), "^f:1: provider x: unknown option tmeout %(did you mean timeout%?",
  "an unknown option")

-- ---- answers ----
local function invoke(method, value, ...)
  local given = table.pack(value, ...)
  local one = kubeque.provider(declaration { [method] = function()
    return table.unpack(given, 1, given.n)
  end })
  return call.invoke(one, method, { { "a", "b" }, false }, {})
end
t.same({ invoke("list", { { id = "n", state = 5 } }) }, { { { id = "n", state = "5" } } },
  "a list of nodes")
t.same({ invoke("add", {}, "no room") }, { {}, "no room" }, "why fewer were started")
t.same({ invoke("remove", true) }, { { "a", "b" } }, "true is all of them")
t.same({ invoke("remove", { "b" }) }, { { "b" } }, "or those that were found")
t.same({ invoke("logs", nil, "gone", "not_found") }, { nil, "gone", "not_found" }, "a failure")
t.same({ invoke("logs", nil, "gone", "nonsense") }, { nil, "gone", "io" }, "of a known kind")
for method, value in pairs { list = 3, add = { "n" }, remove = 7, logs = {} } do
  local got, message, code = invoke(method, value)
  t.ok(got == nil and message:find("^" .. method .. " returned ") and code == "script",
    "a wrong answer of " .. method)
end

-- ---- words for shells ----
local odd = { "", " ", "it's", "$HOME", "`id`", '"', "\\", "a\nb", "*", "~", "-n", "é", "a=b", "!", "#" }
local argv = table.move(odd, 1, #odd, 3, { "printf", "%s\\0" })
local code, out = kubeque.proc.run { "/bin/sh", "-c", kubeque.shell.join(argv) }
t.same({ code, out }, { 0, table.concat(odd, "\0") .. "\0" }, "words arrive as they are")
t.is(kubeque.shell.quote "/usr/bin/a-b_c.d", "/usr/bin/a-b_c.d", "plain ones stay plain")

t.done()
