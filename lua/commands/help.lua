-- Help, and everything that is made from the declarations of the commands.

local function width()
  return kubeque.term.isatty(1) and kubeque.term.width() or 80
end

---All commands and their options as data, for completion and tests.
local function declarations(cli, options)
  local list = {}
  local function add(command, place)
    list[#list + 1] = { name = command.name, summary = command.summary, usage = command.usage,
      place = place, options = kubeque.json.array(options.dump(command)) }
  end
  for _, name in ipairs(cli.names()) do
    add(cli.load(name), "builtin")
  end
  for _, own in ipairs(cli.own()) do
    if own.command then
      add(own.command, own.place)
    end
  end
  return kubeque.json.encode({ commands = list }, { indent = 2 }) .. "\n"
end

local function run(opt, args)
  local cli, help = require "kubeque.cli", require "kubeque.help"
  if opt.markdown then
    kubeque.out(help.markdown(cli.groups, cli.load))
  elseif opt.config_markdown then
    kubeque.out(require("kubeque.configdoc").markdown())
  elseif opt.lua_api then
    kubeque.out(require("kubeque.apigen")[opt.lua_api]())
  elseif opt.json then
    kubeque.out(declarations(cli, require "kubeque.options"))
  elseif not args[1] then
    kubeque.out(help.overview(cli.groups, cli.load, width(), cli.own()))
  else
    local command, why, code = cli.find(args[1])
    if not command then
      return nil, why, code
    end
    kubeque.out(help.command(command, width()))
  end
end

return {
  name = "help",
  summary = "show help, in general or for one command",
  usage = "help [COMMAND]",
  options = {
    { "json", help = "all commands and options as JSON" },
    { "markdown", help = "all commands and options as Markdown (docs/commands.md)" },
    { "config-markdown", help = "all configuration keys as Markdown (docs/configuration.md)" },
    { "lua-api", value = "KIND", type = "choice", choices = { "luacats", "luacheckrc", "luarc",
      "markdown" },
      help = "what scripts may call: luacats (for editors), luacheckrc, luarc (.luarc.json), or "
        .. "markdown (docs/lua-reference.md)" },
  },
  args = { { "COMMAND", optional = true } },
  run = run,
}
