return {
  name = "provider",
  global = "kubeque",
  summary = "declaring a provider: where nodes come from",
  where = "host",
  functions = {
    { "provider", args = { { "declaration", "provider_declaration" } },
      returns = { { "provider_declaration" } },
      help = "Declares a provider: providers/NAME.lua in a folder of scripts ends with it. The "
        .. "configuration chooses one by `provider=NAME` and sets its options by "
        .. "`provider.KEY=value`. Each call runs in a process of its own, under a time limit.",
      example = [[
return kubeque.provider {
  name = "boxes",
  summary = "machines of the lab, over ssh",
  requires = "shared queue",
  options = { hosts = { type = "list", required = true, help = "their names" } },
  add = function(request, options)
    local nodes = {}
    for i, node in ipairs(request.nodes) do
      local host = options.hosts[(i - 1) % #options.hosts + 1]
      kubeque.proc.run { "ssh", "-f", host, table.unpack(node.command) }
      nodes[i] = { id = node.id, state = "RUNNING", name = host }
    end
    return nodes
  end,
  list = function(cluster, options) return {} end,
}]] },
  },
  tables = {
    { "provider_declaration", help = "A provider. A failed call is `nil, why`.", fields = {
      { "name", "string", "that of the file" }, { "summary", "string", "one line" },
      { "requires", '"any queue"|"shared queue"',
        "shared: nodes may be on other machines, and all must reach the queue" },
      { "capabilities", "table", "`waits = true`: a node may wait long before it starts",
        optional = true },
      { "options", "table<string, provider_option>", "what the configuration may set",
        optional = true },
      { "add", "fun(request: provider_request, options: table): provider_node[]?, string?",
        "starts nodes" },
      { "list", "fun(cluster: string, options: table, place: table): provider_node[]?, string?",
        "the nodes there are" },
      { "remove", "fun(ids: string[], options: table, force: boolean, place: table): any, string?",
        "ends nodes: true, or the ids it found", optional = true },
      { "logs", "fun(id: string, options: table, place: table): string?, string?", "output of a node",
        optional = true },
    } },
    { "provider_option", help = "An option of a provider.", fields = {
      { "type", '"string"|"list"|"int"|"number"|"flag"|"path"|"duration"|"memory"|"choice"',
        optional = true, default = "string" },
      { "default", "any", optional = true }, { "required", "boolean", optional = true },
      { "choices", "string[]", optional = true }, { "min", "number", optional = true },
      { "max", "number", optional = true }, { "help", "string", "one line" },
    } },
    { "provider_request", help = "What to start.", fields = {
      { "cluster", "string" }, { "count", "integer" },
      { "first", "boolean", "the first of them leaves if the cluster has a node by then" },
      { "job", "string", "id of the job they are for", optional = true },
      { "home", "string", "directory of the queue" },
      { "log_dir", "string", "a folder for logs that is there" },
      { "prefix", "string", "of the ids" },
      { "command", "string[]", "the part of the command that all share" },
      { "nodes", "table[]", "{ id =, command = {...} }: what to run as which node" },
    } },
    { "provider_node", help = "A node as a provider sees it.", fields = {
      { "id", "string", "from the request" }, { "state", "string", "in the provider's own words" },
      { "log", "string", "where its output is", optional = true },
      { "name", "string", "what the provider calls it", optional = true },
    } },
  },
}
