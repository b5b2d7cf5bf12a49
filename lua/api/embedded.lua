return {
  name = "embedded",
  global = "kubeque.embedded",
  summary = "the scripts that are part of the program",
  where = "host",
  help = "Paths are below lua/, without the ending: `commands/status`, `policies/memory`. To see "
    .. "which script is in effect for a name, use `kubeque scripts`.",
  functions = {
    { "list", args = { { "prefix", "string", optional = true } }, returns = { { "string[]" } },
      help = "The paths that begin so, sorted." },
    { "text", args = { { "path", "string" } }, returns = { { "string" } }, fails = true,
      help = "The source as it was written." },
  },
}
