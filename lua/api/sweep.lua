return {
  name = "sweep",
  global = "kubeque.sweep",
  summary = "the language of `kubeque sweep`, from Lua",
  where = "host",
  functions = {
    { "params", args = { { "factors", "string[]", "`name=values`, as for `kubeque sweep`" },
      { "options", "sweep_options", optional = true } }, returns = { { "params" } },
      help = "The rows that `kubeque sweep` prints: `lr=log:1e-5..1e-1:7`, `x=lin:0..1:11`, "
        .. "`seed=1..5`, `t=0..1..0.25`, `opt=adam,sgd`, `u=uniform:0..1`, `loguniform:`, `int:`, "
        .. "`normal:0,1`.",
      example = [[
local rows = kubeque.sweep.params({ "lr=log:1e-5..1e-1:5", "seed=1..3", "opt=adam,sgd" },
  { sample = 10, seed = 1 })
for row in rows:each() do
  print(row.lr, row.seed, row.opt)
end]] },
  },
  tables = {
    { "sweep_options", help = "What kubeque.sweep.params takes besides.", fields = {
      { "zip", "string[]", "\"a,b\": these factors move together", optional = true },
      { "sample", "integer", "that many combinations at random", optional = true },
      { "lhs", "integer", "that many points of a Latin hypercube", optional = true },
      { "sobol", "integer", "that many points of a Sobol' sequence", optional = true },
      { "seed", "integer", "what random values follow from", optional = true, default = "0" },
    } },
  },
}
