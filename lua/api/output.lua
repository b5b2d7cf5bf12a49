return {
  name = "output",
  global = "kubeque",
  summary = "printing, pausing, and Ctrl-C",
  where = "host",
  functions = {
    { "out", args = { { "...", "string" } },
      help = "Writes data to stdout through a buffer; without arguments what is buffered goes out "
        .. "now. A closed stdout ends the program quietly with 141. `print` uses the same buffer." },
    { "sleep", args = { { "seconds", "number" } }, returns = { { '"timeout"|"interrupted"' } },
      help = "Pauses, after what is buffered has gone out." },
    { "interrupted", returns = { { "string?", "SIGINT, SIGTERM or SIGHUP" } },
      help = "Was the program told to stop? Whoever asks takes it upon himself to stop; a script "
        .. "that never asks is stopped by an error a moment after Ctrl-C." },
  },
}
