-- Random search: 12 points drawn from two log-uniform distributions, the same ones every time.
--
--   kubeque run random.lua [--set trials=40] [--set seed=7]

local trials = tonumber(set.trials or 12)

local search = kubeque.search.random {
  space = { lr = params.loguniform(1e-4, 1), l2 = params.loguniform(1e-6, 1e-1) },
  trials = trials,
  seed = tonumber(set.seed or 1),
}

local best = kubeque.search.run {
  search = search,
  job = { name = "random", command = { "python3", "^train.py", "{lr}", "{l2}", "3" } },
  file = "score.json",
  value = "loss", -- smaller is better
}

print(("best of %d: lr=%.5g l2=%.5g loss=%.4f"):format(trials, best.row.lr, best.row.l2, best.value))
