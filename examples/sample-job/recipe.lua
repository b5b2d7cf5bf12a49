-- The sample job as a recipe: renders every tile, then puts them together, also as a task.
--
--   kubeque run recipe.lua

local tiles = job {
  name = "tiles",
  params = "params.csv",
  command = { "python3", "^mandelbrot.py", "{x_scale}", "{y_scale}", "{zoom}" },
}
tiles:submit():wait()

print(("%d tiles; the slowest took %.1f s"):format(tiles.n, tiles:results():max("kq_seconds").kq_seconds))

tiles:fetch("tiles")
print("look at it: python3 montage.py tiles mandelbrot.png")
