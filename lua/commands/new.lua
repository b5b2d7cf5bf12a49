-- A commented starting point for a script of one's own.

local fault = require "kubeque.fault"
local scripts = require "kubeque.scripts"

---The name as it may stand in a file name, in Lua and on the command line.
local function check_name(kind, name)
  if not name:find "^%l[%w_-]*$" then
    fault.raisef("usage", '"%s" is no name for a %s: lower-case letters, digits, - and _, beginning '
      .. "with a letter", name, kind)
  elseif kubeque.embedded.text(scripts.plural[kind] .. "/" .. name) then
    fault.raisef("usage", "%s is a %s of kubeque: choose another name, or change a copy of it: "
      .. "kubeque scripts eject %s", name, kind, name)
  end
end

local function next_step(kind, name, path)
  if kind == "command" then
    return "try it: kubeque " .. name
  elseif kind == "recipe" then
    return "try it: kubeque run " .. name
  elseif kind == "policy" then
    return ("use it: kubeque sub --policy %s ...; try it: kubeque policy test %s JOB.N"):format(name,
      name)
  end
  return ("use it: set provider=%s in the configuration; look at it: %s"):format(name, path)
end

local function run(opt, args)
  local kind, name = args[1], args[2]
  local folder = scripts.plural[kind]
  if not folder then
    local names = require "kubeque.names"
    return nil, ('there is no kind of script "%s"%s'):format(kind,
      names.hint(kind, names.of(scripts.plural))), "usage"
  end
  check_name(kind, name)
  local text = kubeque.embedded.text("templates/" .. kind):gsub("%f[%w]NAME%f[%W]", name)
  local paths = require("kubeque.install").write(opt.project and "project" or "user",
    { { ("%s/%s.lua"):format(folder, name), text } })
  kubeque.out(paths[1] .. "\n")
  if not opt.quiet then
    kubeque.log.info(next_step(kind, name, paths[1]))
  end
end

return {
  name = "new",
  summary = "write a starting point for a script of your own",
  usage = "new command|policy|recipe|provider NAME [--project]",
  description = [[
Writes NAME.lua, commented and working, to be changed, into ~/.config/kubeque/lua, and prints its
path. Beside it come files for editors (.luarc.json and .api for lua-language-server) and for
luacheck, so that names are completed and mistyped ones found.]],
  options = {
    { "project", help = "into .kubeque.d/lua of this project instead" },
  },
  args = { { "command|policy|recipe|provider" }, { "NAME" } },
  run = run,
}
