std = "lua54"
read_globals = { "kubeque" }
max_line_length = 120
exclude_files = { "build" }
