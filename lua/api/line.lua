return {
  name = "line",
  global = "kubeque.line",
  summary = "reading lines from a terminal with editing, history and completion",
  where = "host",
  help = "libedit does the work (package libedit2); it is loaded when it is first needed.",
  functions = {
    { "load", returns = { { "true" } }, fails = true, help = "Loads libedit; it comes first." },
    { "read", args = { { "prompt", "string" },
        { "complete", "fun(word: string): string[]",
          "what the word left of the cursor could become (Tab)", optional = true } },
      returns = { { "string|false|nil", "nil: the end (Ctrl-D); false: interrupted" } },
      help = "Reads a line, without its newline." },
    { "add", args = { { "text", "string" } }, help = "Adds to what Up brings back." },
    { "forget_interrupt", returns = { { "boolean", "false: it was another signal, or none" } },
      help = "Ctrl-C counts as handled from here on." },
  },
}
