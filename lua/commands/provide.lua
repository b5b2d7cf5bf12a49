-- Hidden: one call of a node provider, asked on stdin and answered on stdout (kubeque.provider_call).

return {
  name = "provide",
  summary = "call a node provider",
  usage = "provide",
  options = {},
  args = {},
  run = function()
    return require("kubeque.provider_call").serve()
  end,
}
