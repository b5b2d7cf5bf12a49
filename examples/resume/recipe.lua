-- Goes on where it was: three steps, the second of which fails as long as a file is missing.
--
--   kubeque run recipe.lua        the second step fails
--   touch ready
--   kubeque run recipe.lua        the first is not repeated, of the second only what failed

local prepare = job {
  name = "prepare",
  params = params.range(1, 4):as("part"),
  command = "echo {part} >part.txt; date +%s%N >when.txt",
}
prepare:submit():wait()

local check = job {
  name = "check",
  params = params.range(1, 4):as("part"),
  env = { READY = kubeque.fs.cwd() .. "/ready" },
  command = 'test {part} -ne 3 || test -e "$READY"',
}
check:submit():wait()

local sum = job {
  name = "sum",
  push = prepare:outputs("part.txt"),
  command = "cat */part.txt | awk '{ s += $1 } END { print s }'",
}
sum:submit():wait()
print("the sum is " .. sum:stdout(1))
