local function level(name, help)
  return { name, args = { { "text", "string" } }, help = help }
end

return {
  name = "log",
  global = "kubeque.log",
  summary = "lines on stderr, with the time in front",
  where = "host",
  functions = {
    level("error", "Something failed."),
    level("warn", "Something is not as it should be."),
    level("info", "What the user wants to know."),
    level("debug", "What helps to find a mistake; shown with --debug."),
    { "level", args = { { "name", '"error"|"warn"|"info"|"debug"', optional = true } },
      returns = { { "string", "the level so far" } },
      help = "Sets the level from which on lines are shown, or asks for it." },
  },
}
