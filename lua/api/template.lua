return {
  name = "template",
  global = "kubeque.template",
  summary = "`{name}` in texts, by the rules of commands",
  where = "host",
  functions = {
    { "expand", args = { { "text", "string" }, { "row", "table<string, any>" } },
      returns = { { "string" } }, fails = true,
      help = "Replaces each {name} by the row's value, once; {{name}} gives {name}, ${name} stays.",
      example = [[kubeque.template.expand("out-{seed}.txt", { seed = 3 }) --> "out-3.txt"]] },
    { "shell", args = { { "line", "string" }, { "row", "table<string, any>" } },
      returns = { { "string" } }, fails = true,
      help = "The same in a line for /bin/sh, each value quoted for the place where it stands." },
  },
}
