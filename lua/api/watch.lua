return {
  name = "watch",
  global = "kubeque",
  summary = "waking up when something happened to a job",
  where = "host",
  functions = {
    { "watch", args = { { "born", "integer", "of the job" } }, returns = { { "bell" } },
      fails = true,
      help = "Hangs up a bell that rings when something happened to the job. It is a hint: look "
        .. "first, then wait.",
      example = [[
local job = assert(kubeque.queue.job "LAST")
local bell <close> = assert(kubeque.watch(job.born))
while kubeque.queue.job_by_born(job.born).state ~= "over" do
  if bell:wait(1) == "interrupted" then break end
end]] },
  },
  classes = {
    { "bell", help = "A bell.", methods = {
      { "wait", args = { { "seconds", "number" } },
        returns = { { '"bell"|"timeout"|"interrupted"' } },
        help = "Waits for a ring, after what is buffered for stdout has gone out." },
      { "close", help = "Takes it down; also by `local bell <close>`." },
    } },
  },
}
