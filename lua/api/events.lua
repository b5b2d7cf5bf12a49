return {
  name = "events",
  global = "kubeque.events",
  summary = "telling policies that a job is over",
  where = "host",
  internal = true,
  functions = {
    { "over", help = "Internal." },
    { "tell", help = "Internal." },
    { "told", help = "Internal." },
  },
}
