-- A subcommand: mails how a job went.
--
-- Copy it to ~/.config/kubeque/lua/commands/mail-summary.lua, then
--   kubeque mail-summary LAST --to me@example.org
-- Any program that reads a message on its standard input will do: --with 'sendmail -t'.

return kubeque.command {
  name = "mail-summary",
  summary = "mail how a job went",
  usage = "mail-summary JOB --to ADDRESS [--with PROGRAM]",
  options = {
    { "to", value = "ADDRESS", help = "who gets it" },
    { "with", value = "PROGRAM", help = "what sends it (default: sendmail -t)" },
  },
  args = { { "JOB" } },

  run = function(opt, args, ctx)
    if not opt.to then
      return nil, "to whom? --to ADDRESS", "usage"
    end
    ctx:session()
    local job, why, code = kubeque.queue.job(args[1])
    if not job then
      return nil, why or ("there is no job " .. args[1]), code or "not_found"
    end
    local lines = { "To: " .. opt.to, "Subject: kubeque job " .. job.id .. " is " .. job.state, "" }
    local counts = kubeque.queue.counts(job.born)
    local labels = {}
    for label in pairs(counts) do
      labels[#labels + 1] = label
    end
    table.sort(labels)
    for _, label in ipairs(labels) do
      lines[#lines + 1] = ("%8d  %s"):format(counts[label], label)
    end
    local program = {}
    for word in (opt.with or "sendmail -t"):gmatch "%S+" do
      program[#program + 1] = word
    end
    program.stdin = table.concat(lines, "\n") .. "\n"
    local status, _, complaint = kubeque.proc.run(program)
    if status ~= 0 then
      return nil, ("%s: %s"):format(program[1], complaint or "could not be run"), "io"
    end
    return 0
  end,
}
