-- Hidden: what the completion functions of the shells ask (kubeque.complete).

local function run(opt, args)
  kubeque.log.level "error" -- nothing but candidates
  local ok, lines = pcall(require("kubeque.complete").lines, args, opt.shell)
  if ok then
    kubeque.out(lines)
  end
end

return {
  name = "complete",
  summary = "words that may end a command line",
  usage = "complete [--shell SHELL] -- WORD...",
  options = {
    { "shell", value = "SHELL", type = "choice", choices = { "bash", "zsh", "fish" } },
  },
  words = true,
  run = run,
}
