-- Parameters from an SQLite data base: each usable sample becomes a task.
--
--   python3 make_db.py samples.db && kubeque run sqlite.lua

local measure = job {
  name = "measure",
  params = params.sqlite("samples.db", "SELECT id, site, depth FROM sample WHERE usable ORDER BY id"),
  command = { "echo", "sample {id} at {site}, {depth} m" },
}
measure:submit():wait()
for n = 1, measure.n do
  io.write(measure:stdout(n))
end
