-- Runs a recipe: a Lua file that builds jobs and says what happens between them.

local function run(opt, args, ctx)
  local recipe = require "kubeque.recipe"
  local script = recipe.find(table.remove(args, 1))
  ctx:session { create = not opt.dry_run }
  recipe.run(script, { args = args, set = recipe.settings(opt.set), fresh = opt.fresh,
    dry_run = opt.dry_run, trace = opt.debug })
end

return {
  name = "run",
  summary = "run a recipe",
  usage = "run RECIPE [options] [args...]",
  description = "A recipe is a Lua file that builds jobs and says what happens between them "
    .. "(docs/lua.md). Run again, it goes on where it was: steps that are done are not repeated, "
    .. "of a step that failed in part only what did not succeed runs again. RECIPE is a file, or "
    .. "the name of one of `kubeque scripts`.",
  options = {
    { "set", value = "K=V", type = "kv", many = true, help = "give the recipe a value: set.K" },
    { "fresh", help = "run every step again, done or not" },
    { "dry-run", "dryrun", help = "say which steps are done and what would run, change nothing" },
  },
  args = { { "RECIPE" }, { "ARG", optional = true, many = true } },
  run = run,
}
