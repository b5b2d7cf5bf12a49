-- Fan-out and fan-in: one task a text counts its words, then one task adds the counts up.
--
--   kubeque run recipe.lua [FILE...]

local texts = #args > 0 and args or kubeque.fs.glob("texts/*.txt")

local count = job {
  name = "count",
  params = params.product { text = texts },
  command = { "python3", "^count.py", "^{text}" },
}
count:submit():wait()

local merge = job {
  name = "merge",
  push = { "merge.py", count:outputs("counts.json") }, -- 1/counts.json, 2/counts.json, ...
  command = "python3 merge.py */counts.json",
}
merge:submit():wait()

for line in io.lines(merge:path(1, "total.csv")) do
  print(line)
end
