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
  },
}
