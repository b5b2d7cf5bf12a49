-- Hidden: does what policies want when something happens, as JSON on stdin (kubeque.deliver).

return {
  name = "deliver",
  summary = "deliver events",
  usage = "deliver",
  options = {},
  args = {},
  run = function()
    return require("kubeque.deliver").serve(io.read "a")
  end,
}
