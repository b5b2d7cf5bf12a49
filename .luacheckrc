std = "lua54"
read_globals = { "kubeque" }
max_line_length = 120
exclude_files = { "build" }
files["lua/templates/recipe.lua"] = { read_globals = { "args", "job", "params", "set" } }
files["examples"] = { read_globals = { "args", "job", "params", "set" } }
