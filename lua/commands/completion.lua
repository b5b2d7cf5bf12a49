-- Completion for shells.

return {
  name = "completion",
  summary = "print the completion function for a shell",
  usage = "completion bash|zsh|fish",
  description = [[
Commands (yours too), options, their values, job ids and files are completed. For one session, and
for all of them if it stands in the shell's start-up file:

  eval "$(kubeque completion bash)"
  eval "$(kubeque completion zsh)"
  kubeque completion fish | source]],
  options = {},
  args = { { "bash|zsh|fish" } },
  run = function(_, args)
    local scripts = require("kubeque.complete").scripts
    if not scripts[args[1]] then
      return nil, ('there is no completion for "%s": bash, zsh or fish'):format(args[1]), "usage"
    end
    kubeque.out(scripts[args[1]])
  end,
}
