return {
  name = "term",
  global = "kubeque.term",
  summary = "the terminal, and the live line on it",
  where = "host",
  functions = {
    { "isatty", args = { { "fd", "integer", "0, 1 or 2" } }, returns = { { "boolean" } },
      help = "Is that file descriptor a terminal?" },
    { "width", returns = { { "integer" } }, help = "Columns of the terminal; `COLUMNS` wins." },
    { "live_width", returns = { { "integer" } }, help = "Columns that the live line may take." },
    { "write_line", args = { { "text", "string" } },
      help = "Draws the live line: one line on stderr around which log lines and output step." },
    { "clear", help = "Takes the live line away." },
    { "wait_line", returns = { { "boolean", "false: interrupted meanwhile" } },
      help = "Waits until stdin has a line or has ended." },
  },
}
