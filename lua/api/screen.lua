return {
  name = "screen",
  global = "kubeque",
  summary = "the whole terminal, for what is shown live",
  where = "host",
  functions = {
    { "screen", returns = { { "screen" } }, fails = true,
      help = "Takes the terminal; fails when stdin or stdout is none. What was on it comes back "
        .. "when the screen is closed.",
      example = [[
local screen <close> = assert(kubeque.screen())
repeat
  screen:draw { kubeque.time.log(kubeque.time.now()), "press q" }
  local what, key = screen:wait(1)
until key == "q" or what == "interrupted"]] },
  },
  classes = {
    { "screen", help = "The terminal.", methods = {
      { "size", returns = { { "integer", "rows" }, { "integer", "columns" } }, help = "How large." },
      { "draw", args = { { "lines", "string[]" } },
        help = "Shows these lines, from the top; they must fit." },
      { "wait", args = { { "seconds", "number" }, { "bells", "bell[]", optional = true } },
        returns = { { '"key"|"bell"|"timeout"|"interrupted"' }, { "string?", "what was typed" } },
        help = "Waits for a key, or for one of the first 64 bells to ring." },
      { "close", help = "Gives the terminal back; also by `local s <close>`." },
    } },
  },
}
