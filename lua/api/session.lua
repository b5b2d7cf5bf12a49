return {
  name = "session",
  global = "kubeque",
  summary = "which store the functions work on",
  where = "host",
  functions = {
    { "open", args = { { "options", "open_options", optional = true } },
      returns = { { "boolean", "false: there is none" } }, fails = true,
      help = "Opens the store by the configuration, as every command does. In recipes it is open.",
      example = [[
assert(kubeque.open())
print(kubeque.queue.job("LAST").id)]] },
    { "session", args = { { "options", "session_options|fun()" } }, returns = { { "true" } },
      help = "Names the store by its directories; a function is called when a store is first "
        .. "needed, to do so then. Scripts want `kubeque.open`, which follows the "
        .. "configuration; in recipes and commands it is done already." },
  },
  fields = {
    { "config", "table<string, any>", "the configuration's values by key, such as "
        .. "`kubeque.config.default_image`, resolved when the first is asked for" },
  },
  tables = {
    { "open_options", help = "How to open.", fields = {
      { "create", "boolean", "make the store if there is none", optional = true },
      { "read_only", "boolean", "write nothing", optional = true },
      { "config", "string", "a configuration file to read instead of all others", optional = true },
    } },
    { "session_options", help = "Where things are.", fields = {
      { "home", "string", "directory of the store, absolute" },
      { "prefix", "string", "directory of results", optional = true, default = "HOME/results" },
      { "cas", "string", "directory of the CAS", optional = true, default = "HOME/CAS" },
      { "cluster", "string", optional = true, default = "local" },
      { "lease", "number", "seconds a node may be silent", optional = true },
      { "create", "boolean", "make the store if there is none", optional = true },
      { "read_only", "boolean", "write nothing", optional = true },
    } },
  },
}
