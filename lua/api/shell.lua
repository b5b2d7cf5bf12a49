return {
  name = "shell",
  global = "kubeque.shell",
  summary = "words for a shell",
  where = "host",
  help = "kubeque runs programs without a shell. Where one is needed all the same (on another "
    .. "machine, in a batch script), these make it read words as they are.",
  functions = {
    { "quote", args = { { "word", "string" } }, returns = { { "string" } },
      help = "A word as a POSIX shell has to see it.", example = [[kubeque.shell.quote "it's"]] },
    { "join", args = { { "argv", "string[]" } }, returns = { { "string" } },
      help = "A command line that runs this argument vector.",
      example = [[kubeque.shell.join { "echo", "$HOME", "a b" } --> echo '$HOME' 'a b']] },
  },
}
