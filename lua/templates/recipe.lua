-- NAME: a recipe. It submits jobs, waits for them, looks at what they left, submits more.
--
--   kubeque run NAME               run it
--   kubeque run NAME --set n=10    with a value: set.n
--   kubeque run NAME --dry-run     say what would run
--
-- Stopped and run again, it goes on where it was: a job that is the same is not submitted twice, and
-- of one that failed in part only what did not succeed runs again.

local n = math.tointeger(tonumber(set.n or 4)) or error "--set n=N takes a whole number"

-- A job takes the options of `kubeque sub`. One task a row; {x} is the row's value.
local squares = job {
  name = "squares",
  params = params.product { x = params.range(1, n) },
  command = [[awk -v x={x} 'BEGIN { printf "{\"square\": %d}", x * x }' > score.json]],
}
squares:submit():wait()

-- A row for each task: its parameters and what the file holds. Also min, max, mean, sort, group ...
local scores = squares:results "score.json"
local largest = scores:max "square"
print(("sum of the squares: %d; the largest is that of %s"):format(scores:sum "square", largest.x))

-- What comes next may depend on it.
if largest.square > 10 then
  local last = job { name = "report", command = { "echo", "the largest is " .. largest.square } }
  last:submit():wait()
  io.write(last:stdout())
end
