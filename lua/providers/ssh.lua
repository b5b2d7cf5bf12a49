-- Nodes on the hosts of a list, started over ssh.
--
-- A host is asked through `/bin/sh -s` with a script on stdin, so that the login shell of the
-- account does not matter; several hosts are asked at a time. On a host each node has a file
-- ID.pid and its output in ID.log, in a directory of this queue below `provider.dir`.
-- Whether a node runs is told by its process: the pid may have become another's.
--
-- Every host has to reach the queue. With the queue of this machine that is this machine alone: a
-- consumer elsewhere refuses (--machine), and what it says is passed on.

local quote, join = kubeque.shell.quote, kubeque.shell.join

local CHECKED = 120 -- seconds that a host has for a script, once it is connected

-- ---- hosts ----

---{ dest = for ssh, slots =, text = as in the list }; raises for what is no host.
local function parse_host(text)
  local name, slots = text:match "^(.-):(%d+)$"
  name, slots = name or text, math.tointeger(slots or 1)
  local user, host = name:match "^([^@]+)@(.+)$"
  host = host or name
  local plain = host:find "^[%w_][%w_.-]*$"
  host = host:match "^%[([%x:.%%]+)%]$" or plain and host -- [::1] is an address
  if not host or user and not user:find "^[%w_][%w_.-]*$" or slots < 1 then
    error({ code = "config", message = ('provider.hosts: "%s" is no host: HOST, USER@HOST, or '
      .. "HOST:N for N nodes there"):format(text) }, 0)
  end
  return { dest = user and user .. "@" .. host or host, slots = slots, text = text }
end

local function hosts_of(options)
  local hosts = {}
  for i, text in ipairs(options.hosts) do
    hosts[i] = parse_host(text)
  end
  if not hosts[1] then
    error({ code = "config", message = "provider.hosts names no host" }, 0)
  end
  return hosts
end

---The last line that a host said on stderr, without what kubeque puts in front.
local function last_words(result)
  local line = result.err:match "([^\r\n]+)%s*$" or ("exit code %d"):format(result.code)
  line = line:gsub("^%d+%-%d+%-%d+ [%d:]+,%d+ ", ""):gsub("^kubeque consume: ", "")
  return result.timeout and "it did not answer in time" or line
end

---Runs a script on each host; { {host=, code=, out=, err=}, ... } in order.
local function ask(hosts, scripts, options)
  local commands = {}
  for i, host in ipairs(hosts) do
    local words = {}
    for word in options.ssh:gmatch "%S+" do
      words[#words + 1] = word
    end
    for _, word in ipairs { "-T", "-o", "BatchMode=yes", "-o",
      ("ConnectTimeout=%d"):format(math.max(1, math.ceil(options.connect_timeout))), host.dest,
      "/bin/sh", "-s" } do
      words[#words + 1] = word
    end
    words.stdin = scripts[i]
    commands[i] = words
  end
  local results, why, code = kubeque.proc.all { commands = commands,
    timeout = options.connect_timeout + CHECKED }
  if not results then
    error({ code = code, message = why }, 0)
  end
  for i, result in ipairs(results) do
    result.host = hosts[i]
  end
  return results
end

-- ---- scripts ----

---What every script begins with: the directory, and whether a node is alive.
local function head(options)
  local dir = ("%s/%s"):format(options.dir, kubeque.queue.uuid():sub(1, 12))
  dir = dir:find "^~/" and '"$HOME"/' .. quote(dir:sub(3)) or quote(dir)
  return ([[
set -u
umask 077
dir=%s
# alive ID: is it running, and which process is it?
alive() {
  pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 1
  words=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)
  case " $words " in
  *" --node-id $1 "*) return 0 ;;
  esac
  rm -f "$dir/$1.pid"
  return 1
}
]]):format(dir)
end

---Starts nodes of a request; prints "started ID PID" for each. The first question is whether a
---node can work there at all: its answer is the one that people should see.
local function start_script(nodes, options)
  local lines = { head(options), 'mkdir -p "$dir" || exit 1',
    "exec 3>&1 </dev/null" }
  local function command_of(node)
    local words = table.move(node.command, 1, #node.command, 1, {})
    words[1] = options.kubeque or words[1]
    return words
  end
  local check = command_of(nodes[1])
  check[#check + 1] = "--check"
  lines[#lines + 1] = ([[
command -v %s >/dev/null || { echo "there is no %s here: set provider.kubeque" >&2; exit 127; }
%s || exit]]):format(quote(check[1]), (check[1]:gsub("[^%w_/.+-]", "?")), join(check))
  for _, node in ipairs(nodes) do
    local id = quote(node.id)
    lines[#lines + 1] = ([[
setsid %s >"$dir"/%s.log 2>&1 3>&- &
echo $! >"$dir"/%s.pid && echo "started %s $! $dir"]]):format(join(command_of(node)), id, id, node.id)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function list_script(cluster, options)
  return head(options) .. "cluster=" .. quote(cluster) .. [[

cd "$dir" 2>/dev/null || exit 0
for file in *.pid; do
  id=${file%.pid}
  alive "$id" || continue
  case " $words " in
  *" --cluster $cluster "*) echo "node $id $pid $dir" ;;
  esac
done
find . -name '*.log' -mtime +7 -exec rm -f {} + 2>/dev/null
exit 0
]]
end

---A node that is told twice gives its tasks back; one that does not get there is killed.
local function remove_script(ids, options, force)
  local lines = { head(options), ([[
end_now() {
  kill -s TERM "$pid" 2>/dev/null
  kill -s INT "$pid" 2>/dev/null
  left=30
  while [ $left -gt 0 ] && alive "$1"; do sleep 0.1 || sleep 1; left=$((left - 1)); done
  alive "$1" && kill -s KILL "$pid"
}
remove() {
  alive "$1" || return
  echo "found $1"
  %s
}]]):format(force and 'end_now "$1"' or 'kill -s TERM "$pid"') }
  for _, id in ipairs(ids) do
    lines[#lines + 1] = "remove " .. quote(id)
  end
  lines[#lines + 1] = "exit 0\n"
  return table.concat(lines, "\n")
end

local function same_script(hosts, script)
  local scripts = {}
  for i in ipairs(hosts) do
    scripts[i] = script
  end
  return scripts
end

-- ---- the provider ----

---What runs where: nodes, how many on each host (by its text), what was wrong, hosts that answered.
local function look(cluster, options, hosts)
  local nodes, counts, problems, answered = {}, {}, {}, {}
  for _, result in ipairs(ask(hosts, same_script(hosts, list_script(cluster, options)), options)) do
    local host = result.host
    if result.code ~= 0 then
      problems[#problems + 1] = ("%s: %s"):format(host.text, last_words(result))
    else
      answered[#answered + 1], counts[host.text] = host, 0
      for id, pid, dir in result.out:gmatch "node (%S+) (%d+) ([^\n]+)" do
        counts[host.text] = counts[host.text] + 1
        nodes[#nodes + 1] = { id = id, state = "RUNNING", name = ("%s pid %s"):format(host.dest, pid),
          log = ("%s:%s/%s.log"):format(host.dest, dir, id) }
      end
    end
  end
  return nodes, counts, problems, answered
end

---Deals nodes out to the hosts that have room, the emptiest first; { host = {nodes} } by text.
local function place(nodes, hosts, counts)
  local plan, chosen = {}, {}
  while nodes[1] do
    local best
    for _, host in ipairs(hosts) do
      local free = host.slots - counts[host.text]
      if free > 0 and (not best or counts[host.text] < counts[best.text]) then
        best = host
      end
    end
    if not best then
      break
    end
    if not plan[best.text] then
      plan[best.text], chosen[#chosen + 1] = {}, best
    end
    table.insert(plan[best.text], table.remove(nodes, 1))
    counts[best.text] = counts[best.text] + 1
  end
  return plan, chosen
end

---Starts what the plan says; returns what started, what did not, and the hosts that are well.
local function start(plan, chosen, options, problems)
  local scripts, started, rest, failed = {}, {}, {}, {}
  for i, host in ipairs(chosen) do
    scripts[i] = start_script(plan[host.text], options)
  end
  for _, result in ipairs(ask(chosen, scripts, options)) do
    local host, mine = result.host, {}
    for id, pid, dir in result.out:gmatch "started (%S+) (%d+) ([^\n]+)" do
      mine[id] = { id = id, state = "STARTING", name = ("%s pid %s"):format(host.dest, pid),
        log = ("%s:%s/%s.log"):format(host.dest, dir, id) }
    end
    for _, node in ipairs(plan[host.text]) do
      if mine[node.id] then
        started[#started + 1] = mine[node.id]
      else
        rest[#rest + 1] = node
        failed[host.text] = true
      end
    end
    if failed[host.text] then
      problems[#problems + 1] = ("%s: %s"):format(host.text, last_words(result))
    end
  end
  return started, rest, failed
end

local function add(request, options)
  local _, counts, problems, hosts = look(request.cluster, options, hosts_of(options))
  local rest, started = table.move(request.nodes, 1, #request.nodes, 1, {}), {}
  while rest[1] do
    local plan, chosen = place(rest, hosts, counts)
    if not chosen[1] then
      break
    end
    local new, again, failed = start(plan, chosen, options, problems)
    table.move(new, 1, #new, #started + 1, started)
    table.move(again, 1, #again, #rest + 1, rest)
    local well = {}
    for _, host in ipairs(hosts) do
      well[#well + 1] = not failed[host.text] and host or nil
    end
    hosts = well
  end
  if rest[1] and hosts[1] and not problems[1] then
    problems[1] = "the other hosts have as many nodes as they may (HOST:N in provider.hosts allows N)"
  end
  local why = rest[1] and table.concat(problems, "; ") or nil
  if not started[1] then
    return nil, why
  end
  return started, why
end

local function list(cluster, options)
  local nodes, _, problems, answered = look(cluster, options, hosts_of(options))
  if not answered[1] then
    return nil, table.concat(problems, "; ")
  end
  for _, problem in ipairs(problems) do
    kubeque.log.warn("provider ssh: " .. problem)
  end
  return nodes
end

local function remove(ids, options, force)
  local hosts = hosts_of(options)
  local script = remove_script(ids, options, force)
  local found, problems = {}, {}
  for _, result in ipairs(ask(hosts, same_script(hosts, script), options)) do
    for id in result.out:gmatch "found (%S+)" do
      found[#found + 1] = id
    end
    if result.code ~= 0 then
      problems[#problems + 1] = ("%s: %s"):format(result.host.text, last_words(result))
    end
  end
  if #found < #ids and problems[1] then
    return nil, table.concat(problems, "; ")
  end
  return found
end

local function logs(id, options)
  local hosts = hosts_of(options)
  local script = head(options)
    .. ('tail -c 1000000 "$dir"/%s.log 2>/dev/null || exit 44\n'):format(quote(id))
  local why = "no host has its log"
  for _, result in ipairs(ask(hosts, same_script(hosts, script), options)) do
    if result.code == 0 then
      return result.out
    elseif result.code ~= 44 then
      why = ("%s: %s"):format(result.host.text, last_words(result))
    end
  end
  return nil, why, "not_found"
end

return kubeque.provider {
  name = "ssh",
  summary = "consumers on the hosts of a list, started over ssh",
  requires = "shared queue",
  options = {
    hosts = { type = "list", required = true,
      help = "HOST, USER@HOST, HOST:N: where nodes may run, one each or N" },
    ssh = { type = "string", default = "ssh",
      help = "the ssh command and its options, separated by blanks" },
    kubeque = { type = "string",
      help = "path of the program on the hosts (if it is not the same as here)" },
    dir = { type = "string", default = "~/.local/state/kubeque/nodes",
      help = "directory on the hosts for logs and process numbers" },
    connect_timeout = { type = "duration", default = 10, help = "how long to try to connect" },
  },
  add = add,
  list = list,
  remove = remove,
  logs = logs,
}
