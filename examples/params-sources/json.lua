-- Parameters from a JSON file of any shape: a few lines of Lua make rows of it.
--
--   kubeque run json.lua

local plan = kubeque.json.decode(kubeque.fs.read("plan.json"))
local rows = {}
for _, batch in ipairs(plan.batches) do
  for _, run in ipairs(batch.runs) do
    rows[#rows + 1] = { site = batch.site, run = run }
  end
end

local each = job { name = "each", params = rows, command = "echo {site} {run}" }
each:submit():wait()
for task in each:tasks() do
  print(task.site, task.run, task.kq_state)
end
