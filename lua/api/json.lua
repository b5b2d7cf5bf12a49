return {
  name = "json",
  global = "kubeque.json",
  summary = "JSON, with 64-bit integers",
  where = "both",
  functions = {
    { "encode", args = { { "value", "any" }, { "options", "json_options", optional = true } },
      returns = { { "string" } },
      help = "Writes a value. Keys are sorted, so that equal values give equal bytes; a table with "
        .. "only 1..n as keys is a list, an empty one an object unless `json.array` marked it.",
      example = [[print(kubeque.json.encode({ id = 1, tags = kubeque.json.array {} }))]] },
    { "decode", args = { { "text", "string" } }, returns = { { "any" } }, fails = true,
      help = "Reads one JSON document. `null` is `kubeque.json.null`; lists stay lists." },
    { "array", args = { { "list", "table", optional = true, default = "{}" } },
      returns = { { "table", "the same table" } },
      help = "Marks a table as a list, which matters when it is empty." },
  },
  fields = { { "null", "lightuserdata", "the value of JSON's null" } },
  tables = {
    { "json_options", help = "How to write.", fields = {
      { "indent", "integer", "blanks a level, 0 to 8; 0: all on one line", optional = true,
        default = "0" },
    } },
  },
}
