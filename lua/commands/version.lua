-- The version of kubeque and of the libraries in it.

local function run(opt)
  local v = kubeque.version
  if opt.json then
    kubeque.out(kubeque.json.encode(v) .. "\n")
    return
  end
  kubeque.out("kubeque " .. v.kubeque .. "\n")
  if opt.quiet or opt.version then
    return
  end
  for _, name in ipairs(require("kubeque.names").of(v)) do
    if name ~= "kubeque" then
      kubeque.out(("%s %s\n"):format(name, v[name]))
    end
  end
end

return {
  name = "version",
  summary = "show the version of kubeque and of its libraries",
  usage = "version [options]",
  options = { { "json", help = "one JSON document" } },
  args = {},
  run = run,
}
