-- NAME: a provider of nodes, which are consumers: processes that take tasks from the queue. This
-- one starts them in the background of this machine, so that you see what the parts do; a real one
-- calls a batch system or a cloud. In the configuration:
--
--   provider=NAME
--   provider.niceness=5
--
-- Each function runs in a process of its own, with a time limit. What fails returns nil and a text.

---The command lines of the processes of this machine: pid, words.
local function processes()
  local list = {}
  for _, entry in ipairs(kubeque.fs.list "/proc") do
    local line = entry:find "^%d+$" and kubeque.fs.read("/proc/" .. entry .. "/cmdline", 65536)
    if line and line ~= "" then
      local words = {}
      for word in line:gmatch "[^\0]+" do
        words[#words + 1] = word
      end
      list[#list + 1] = { pid = entry, words = words }
    end
  end
  return list
end

---The word behind an option of a command line.
local function value_of(words, option)
  for i, word in ipairs(words) do
    if word == option then
      return words[i + 1]
    end
  end
end

return kubeque.provider {
  name = "NAME",
  summary = "nodes as processes in the background",
  requires = "any queue", -- "shared queue": nodes on other machines, which all have to reach it

  options = {
    niceness = { type = "int", default = 0, min = 0, max = 19, help = "how nice nodes are" },
  },

  ---Starts nodes: request.nodes has an id and a command (a list of words) for each. Returns a list
  ---of what it started: { { id =, log = }, ... }.
  add = function(request, options)
    local started = {}
    for _, node in ipairs(request.nodes) do
      local log = ("%s/%s.log"):format(request.log_dir, node.id)
      local code, _, text = kubeque.proc.run { "/bin/sh", "-c",
        'log=$1; shift; setsid nice -n "$@" </dev/null >>"$log" 2>&1 &', "NAME", log,
        tostring(options.niceness), table.unpack(node.command) }
      if code ~= 0 then
        return nil, ("could not start %s: %s"):format(node.id, text)
      end
      started[#started + 1] = { id = node.id, log = log }
    end
    return started
  end,

  ---The nodes of a cluster that there are, whether they have begun to work or not.
  list = function(cluster)
    local nodes = {}
    for _, process in ipairs(processes()) do
      local id = value_of(process.words, "--node-id")
      if id and value_of(process.words, "--cluster") == cluster then
        nodes[#nodes + 1] = { id = id, state = "RUNNING", name = process.pid }
      end
    end
    return nodes
  end,

  ---Ends nodes: they give their tasks back and leave (force: at once). Returns the ids it found.
  remove = function(ids, _, force)
    local found = {}
    for _, process in ipairs(processes()) do
      local id = value_of(process.words, "--node-id")
      for _, wanted in ipairs(ids) do
        if id == wanted then
          kubeque.proc.run { "kill", force and "-KILL" or "-TERM", process.pid }
          found[#found + 1] = id
        end
      end
    end
    return found
  end,
}
