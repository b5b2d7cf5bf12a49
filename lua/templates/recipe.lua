-- NAME: a recipe. It submits jobs, waits for them, looks at their results, submits more.
--
--   kubeque run NAME              run it
--   kubeque run NAME --set n=10   with a value for set.n
--
-- When it is stopped and run again it goes on where it was: a job whose content is the same is not
-- submitted twice, and what succeeded is not run again. `args` holds the words behind the name.

local n = math.tointeger(tonumber(set.n or 4)) or error "--set n=N takes a whole number"

-- One task a row; {x} in the command is the row's value.
local squares = job {
  name = "squares",
  params = params.range("x", 1, n),
  command = "echo $(({x} * {x})) > square.txt",
}

squares:submit():wait()

-- A row for each task: its parameters, state, exit code, times; and what its file holds.
local total = 0
for _, row in ipairs(squares:results("square.txt"):rows()) do
  total = total + tonumber(row.value)
end
print("sum of the squares: " .. total)

-- What follows may depend on it.
if total > 20 then
  job { name = "report", command = { "echo", "the sum is " .. total } }:submit():wait()
end
