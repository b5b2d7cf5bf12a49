-- Successive halving: many configurations get one epoch, the best third three, the best third of
-- those nine: most of the time goes to what is promising. What each round runs depends on the
-- results of the last; stop it whenever you like and run it again, it goes on.
--
--   kubeque run halving.lua

local search = kubeque.search.halving {
  space = { lr = params.loguniform(1e-4, 1), l2 = params.loguniform(1e-6, 1e-1) },
  trials = 9,
  eta = 3,
  resource = "epochs",
  min = 1,
  max = 9,
  seed = 1,
}

local best = kubeque.search.run {
  search = search,
  job = { name = "halving", command = { "python3", "^train.py", "{lr}", "{l2}", "{epochs}" } },
  file = "score.json",
  value = "loss",
}

print(("best: lr=%.5g l2=%.5g after %d epochs: loss=%.4f"):format(best.row.lr, best.row.l2,
  best.row.epochs, best.value))
