return {
  name = "command",
  global = "kubeque",
  summary = "declaring a subcommand",
  where = "host",
  functions = {
    { "command", args = { { "declaration", "command_declaration" } },
      returns = { { "command_declaration" } },
      help = "Declares a subcommand: commands/NAME.lua in a folder of scripts ends with it. Options, "
        .. "`--help` and completion follow from the declaration.",
      example = [[
return kubeque.command {
  name = "failed",
  summary = "count the tasks of a job that failed",
  args = { { "JOB" } },
  run = function(opt, args, ctx)
    ctx:session { read_only = true }
    local job = assert(kubeque.queue.job(args[1]))
    print(#kubeque.queue.tasks(job.born, { states = { "failed" } }))
  end,
}]] },
  },
  tables = {
    { "command_declaration", help = "A subcommand.", fields = {
      { "name", "string", "that of the file" }, { "summary", "string", "one line" },
      { "usage", "string", optional = true, default = "made from the rest" },
      { "description", "string", "paragraphs for its help", optional = true },
      { "options", "table[]", '{ "name", "n", value = "N", type = "int", help = "..." }, ...',
        optional = true },
      { "args", "table[]", '{ "JOB" }, { "FILE", optional = true, many = true }', optional = true },
      { "words", "boolean", "options end at the first word that is none", optional = true },
      { "replaces", "boolean", "it stands for the stock command of its name", optional = true },
      { "run", "fun(opt: table, args: string[], ctx: command_context): integer?, string?, string?",
        "returns the exit status (nil: 0), or `nil, why, code`" },
    } },
  },
  classes = {
    { "command_context", help = "What a command works with.", fields = {
      { "name", "string" }, { "opt", "table", "the options" },
      { "config", "table<string, any>", "the resolved configuration, by key" },
      { "quiet", "boolean", "-q" }, { "plain", "boolean", "--plain" },
    }, methods = {
      { "session", args = { { "options", "open_options", optional = true } },
        returns = { { "boolean", "false: there is none" } },
        help = "Opens the store for `kubeque.queue` and the others; what goes wrong ends the "
          .. "command with the right message and status." },
    } },
  },
}
