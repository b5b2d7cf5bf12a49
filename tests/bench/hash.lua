-- Hashes every file of a directory over all cores and prints the seconds it took.
local folder = arg[1]
local names = assert(kubeque.fs.list(folder))
local paths = {}
for i, name in ipairs(names) do
  paths[i] = folder .. "/" .. (type(name) == "table" and name.name or name)
end
local started = kubeque.time.mono()
assert(kubeque.cas.hash(paths))
print(string.format("%.6f", kubeque.time.mono() - started))
