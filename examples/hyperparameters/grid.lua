-- A grid search: every combination of learning rate and regularisation, then the best one again
-- with more epochs and three seeds.
--
--   kubeque run grid.lua

local fit = job {
  name = "grid",
  command = { "python3", "^train.py", "{lr}", "{l2}", "{epochs}" },
  params = params.product {
    lr = params.logspace(1e-3, 1, 4),
    l2 = { 0, 1e-4, 1e-2 },
    epochs = 2,
  },
}
fit:submit():wait()

local best = fit:results("score.json"):min("loss")
print(("best of the grid: lr=%s l2=%s loss=%.4f"):format(best.lr, best.l2, best.loss))

local final = job {
  name = "final",
  command = { "python3", "^train.py", "{lr}", "{l2}", "20", "{seed}" },
  params = params.product { lr = best.lr, l2 = best.l2, seed = params.range(1, 3) },
}
final:submit():wait()
print(("mean accuracy of the final model: %.3f"):format(final:results("score.json"):mean("accuracy")))
