-- Tells a web server when a job has ended and how, and nothing else.
--
--   kubeque sub --policy ./notify.lua:url=http://localhost:8080/ended ...
--
-- The stock policy `webhook` does this for any kind of event; this one shapes its own message.

return kubeque.policy {
  name = "notify",
  summary = "POST one line when the job has ended",
  options = { url = "" },

  on_event = function(event, options)
    if event.kind == "job_ended" then
      local parts = {}
      for label, count in pairs(event.counts) do
        parts[#parts + 1] = ("%s: %d"):format(label, count)
      end
      table.sort(parts)
      return { webhook = options.url, body = event.job.id .. " has ended: " .. table.concat(parts, ", ") }
    end
  end,
}
