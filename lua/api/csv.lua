return {
  name = "csv",
  global = "kubeque.csv",
  summary = "writing CSV",
  where = "host",
  help = "To read CSV, TSV or JSON Lines as parameters, see `kubeque.params`.",
  functions = {
    { "row", args = { { "list", "any[]", "texts, numbers, booleans" } },
      returns = { { "string", "with its newline" } },
      help = "One line of RFC 4180; a field is quoted where it must be.",
      example = [[kubeque.out(kubeque.csv.row { "a", 'say "hi"', 3 })]] },
    { "text", args = { { "value", "any", "a text, number or boolean" } },
      returns = { { "string" } },
      help = "The text that a value has as a parameter: whole numbers without point, others by the "
        .. "shortest decimal that reads back to the same number.",
      example = [[assert(kubeque.csv.text(0.1 + 0.2) == "0.30000000000000004")]] },
  },
}
