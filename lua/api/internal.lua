-- What kubeque's own commands use and nobody should rely on.

local function names(...)
  local list = {}
  for i, name in ipairs { ... } do
    list[i] = { name, help = "Internal." }
  end
  return list
end

return {
  name = "internal",
  global = "kubeque",
  summary = "kubeque's own",
  where = "host",
  internal = true,
  functions = names("budget", "consume", "ini", "materialize", "reap", "source", "spool", "submit",
    "submitter"),
}
