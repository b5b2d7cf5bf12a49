"""Node providers: one of the user's own, its options, what it says of its nodes, and what it gets wrong."""
import json
import os
import re
import time

from kq import main, test, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Starts consumers by itself and keeps no record: what it has is what runs with a --node-id of its prefix.
DAEMON = r"""
local function start(node, dir)
  local log = ("%s/%s.log"):format(dir, node.id)
  local words = {}
  for i, word in ipairs(node.command) do
    words[i] = "'" .. word:gsub("'", "'\\''") .. "'"
  end
  local code, _, err = kubeque.proc.run { "/bin/sh", "-c", ("exec setsid %s >%s 2>&1 </dev/null &")
    :format(table.concat(words, " "), log) }
  if code ~= 0 then
    return nil, err
  end
  return { id = node.id, state = "RUNNING", log = log, name = "daemon " .. node.id:match "%d+$" }
end

return kubeque.provider {
  name = "daemon",
  summary = "consumers, started by a few lines",
  requires = "any queue",
  options = {
    dir = { type = "path", required = true, help = "where logs go" },
    limit = { type = "int", default = 10, min = 1, max = 100, help = "at most so many" },
    greet = { type = "flag", default = false, help = "say hello" },
    kind = { type = "choice", choices = { "small", "large" }, default = "small", help = "of nodes" },
    tags = { type = "list", default = {}, help = "words" },
  },
  add = function(request, options)
    print("hello from add", options.greet)
    os.execute "echo and from a shell"
    local started = {}
    for i, node in ipairs(request.nodes) do
      if i > options.limit then
        return started, "the limit is " .. options.limit
      end
      started[i] = assert(start(node, options.dir))
    end
    return started
  end,
  list = function(cluster, options)
    local nodes = {}
    for _, path in ipairs(kubeque.fs.glob(options.dir .. "/*.log")) do
      local id = path:match "([^/]*)%.log$"
      if os.execute(("pgrep -f -- '--node-id %s$|--node-id %s ' >/dev/null"):format(id, id)) then
        nodes[#nodes + 1] = { id = id, state = "UP", log = path, name = "it" }
      end
    end
    if kubeque.fs.stat(options.dir .. "/queued") then
      nodes[#nodes + 1] = { id = "queued-1", state = "QUEUED" }
    end
    return nodes
  end,
  remove = function(ids, options, force)
    local found = {}
    for _, id in ipairs(ids) do
      if id == "queued-1" then
        os.remove(options.dir .. "/queued")
        found[1] = id
      elseif os.execute(("pkill -%s -f -- '--node-id %s( |$)'"):format(force and "KILL" or "TERM", id)) then
        found[#found + 1] = id
      end
    end
    return found
  end,
  logs = function(id, options)
    return kubeque.fs.read(("%s/%s.log"):format(options.dir, id)) .. "that was " .. id .. "\n"
  end,
}
"""


def provider(home, text, name="daemon"):
    home.file(f"../.config/kubeque/lua/providers/{name}.lua", text)


def config(home, *lines):
    home.file("../.kubeque", "[config]\n" + "".join(line + "\n" for line in lines))


def daemon(home, *lines):
    provider(home, DAEMON)
    os.makedirs(os.path.join(home.top, "logs"), exist_ok=True)
    config(home, "provider=daemon", f"provider.dir={home.top}/logs", *lines)


def bad(home, body, *lines):
    """A provider whose `add` has this body."""
    provider(home, 'return kubeque.provider { name = "bad", summary = "s", requires = "any queue",\n'
             f"add = function(request, options)\n{body}\nend, list = function() return {{}} end }}", "bad")
    config(home, "provider=bad", *lines)


def nodes(home):
    result = home.kq("nodes", "--jsonl")
    assert result.code == 0, result
    return [json.loads(line) for line in result.out.splitlines()]


def labels(home, job):
    return home.kq("status", job).out.strip().split(": ", 1)[1].split("  ")[0]


@test("nodes of a provider in the user's folder do the work; nodes shows its words, its log and its name")
def _(home):
    daemon(home, "linger=60")
    result = home.kq("sub", "-n", "j", "--nodes", "2", "--seq", "4", "sleep 0.1; echo $KQ_NODE")
    assert result.code == 0 and result.has("hello from add\tfalse") and result.has("and from a shell"), result
    assert result.err.count("Node's log will be written to: " + home.top + "/logs/daemon-") == 2, result
    rows = wait_for(lambda: len(nodes(home)) == 2 and nodes(home))
    for row in rows:
        assert row["node"].startswith("daemon-") and row["state"] == "RUNNING" and row["provider"] == "daemon", rows
        assert row["provider_state"] == "UP" and row["provider_name"] == "it", rows
        assert row["log"] == f"{home.top}/logs/{row['node']}.log", rows
    again = home.kq("sub", "-n", "k", "true")
    assert again.code == 0 and "Cluster already exists" in again.err, again
    added = home.kq("addnodes", "-q", "j", "1")
    assert added.code == 0 and added.out.startswith("daemon-") and len(added.out.split()) == 1, added
    wait_for(lambda: len(nodes(home)) == 3)


@test("what the provider has and the queue does not know is listed, by the provider's own word, and can be stopped")
def _(home):
    daemon(home)
    home.kq("sub", "--no-nodes", "--no-wait", "true")
    home.file("../logs/queued")
    assert [(row["node"], row["state"]) for row in nodes(home)] == [("queued-1", "QUEUED")], nodes(home)
    table = home.kq("nodes").out
    assert "PROVIDER" in table and "QUEUED" in table, table
    result = home.kq("nodes", "--stop", "queued-1")
    assert result.code == 0 and "stopped before it began" in result.err and not nodes(home), result
    assert home.kq("nodes", "--stop", "queued-1").code == 3


@test("nodes --stop drains by the queue, twice ends the process; nodes --log prints what the provider has")
def _(home):
    daemon(home, "lease=2", "heartbeat=0.5")
    home.kq("sub", "-n", "j", "--no-wait", f"touch {home.top}/in; sleep 60")
    wait_for(lambda: os.path.exists(home.top + "/in"))
    node = nodes(home)[0]["node"]
    log = home.kq("nodes", "--log", node)
    assert log.code == 0 and f"Node {node} is ready" in log.out and log.out.endswith(f"that was {node}\n"), log
    assert home.kq("nodes", "--log", "nosuch").code == 3
    assert home.kq("nodes", "--stop", node).code == 0
    wait_for(lambda: nodes(home)[0]["state"] == "DRAINING")
    assert labels(home, "j") == "claimed: 1"
    assert home.kq("nodes", "--stop", node).code == 0
    wait_for(lambda: not home.node_pids())
    os.unlink(home.top + "/in")
    home.kq("addnodes", "j", "1")
    wait_for(lambda: os.path.exists(home.top + "/in"))  # the task goes to another node
    home.kq("kill", "j")


@test("options are checked against the declaration: file, line, nearest name, type, bounds, what is missing")
def _(home):
    daemon(home)
    for line, words in (("provider.limt=3", ("limt", "limit")), ("provider.limit=x", ("limit", '"x"', "whole")),
                        ("provider.limit=0", ("limit", "too small")), ("provider.greet=maybe", ("greet", "yes nor no")),
                        ("provider.kind=huge", ("kind", "none of small, large")), ("provider.timeout=abc", ("timeout",))):
        config(home, "provider=daemon", "provider.dir=logs", line)
        result = home.kq("sub", "-n", "j", "true")
        assert result.code == 5 and len(result.lines) == 1 and ".kubeque:4: " in result.err, result
        assert all(word in result.err for word in words), result
    config(home, "provider=daemon")
    result = home.kq("sub", "-n", "j", "true")
    assert result.code == 5 and "set provider.dir (where logs go)" in result.err, result
    assert home.kq("status", "j").code == 3, "refused means nothing happened"
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "true").code == 0


@test("options count where their file or a stronger source chooses the provider; the environment sets single ones")
def _(home):
    daemon(home, "provider.tags=a, b")
    shown = home.kq("config", "--jsonl")
    rows = {row["key"]: row for row in map(json.loads, shown.out.splitlines())}
    assert rows["provider.tags"]["value"] == "a,b" and rows["provider.tags"]["source"].endswith(".kubeque:4"), rows
    assert rows["provider.limit"]["value"] == "10" and rows["provider.limit"]["source"] == "default", rows
    rows = home.kq("config", "--jsonl", env={"KUBEQUE_PROVIDER_LIMIT": "7"}).out
    assert '"provider.limit","value":"7","source":"KUBEQUE_PROVIDER_LIMIT"' in rows, rows
    result = home.kq("sub", "true", env={"KUBEQUE_PROVIDER": "local"})
    assert result.code == 0, result  # the file's lines speak of another provider
    config(home, "provider.dir=logs")
    result = home.kq("sub", "true")
    assert result.code == 5 and ".kubeque:2: provider.dir is set, but no provider is chosen" in result.err, result
    config(home, "provider=deamon")
    result = home.kq("sub", "true")
    assert result.code == 5 and ".kubeque:2: " in result.err and "did you mean daemon?" in result.err, result
    home.file("mine/daemon.lua", DAEMON)
    os.unlink(home.top + "/.config/kubeque/lua/providers/daemon.lua")
    config(home, "provider=cwd/mine/daemon.lua", "provider.dir=logs")
    result = home.kq("addnodes", "LAST", "1", cwd=home.top + "/cwd/mine")
    assert result.code == 0 and "hello from add" in result.err, result


@test("a job may need more than this machine has where nodes are elsewhere; node_cpu says how much; validate asks the provider")
def _(home):
    provider(home, 'return kubeque.provider { name = "far", summary = "far away", requires = "shared queue",\n'
             'add = print, list = function() return { { id = "x-1" } } end }', "far")
    config(home, "provider=far")
    job = ("sub", "--no-nodes", "--no-wait", "-r", "cpu=4000,memory=900T")
    assert home.kq(*job, "true").code == 0
    assert home.kq(*job, "--local", "true").code == 2
    dry = home.kq("sub", "--dry-run", "true")
    assert dry.code == 0 and dry.has("one from far, if none is there"), dry
    checked = home.kq("validate")
    assert checked.code == 0 and "far: far away; it lists 1 node; it needs a queue that all its nodes reach" in checked.out, checked
    config(home, "provider=far", "node_cpu=64")
    result = home.kq(*job, "true")
    assert result.code == 2 and "64" in result.err, result
    config(home)
    assert home.kq(*job, "true").code == 2


@test("the providers that are built in and the one in the manual have nothing that `scripts check` finds; they can be ejected and run")
def _(home):
    with open(os.path.join(ROOT, "docs", "providers.md"), encoding="utf-8") as source:
        home.file("lsf.lua", re.search(r"```lua\n(.*?)```", source.read(), re.S).group(1))
    for name in ("local", "ssh", "slurm"):
        assert home.kq("scripts", "eject", "--kind", "provider", name).code == 0
    folder = home.top + "/.config/kubeque/lua/providers/"
    result = home.kq("scripts", "check", "--kind", "provider", "lsf.lua", *[folder + name + ".lua" for name in ("local", "ssh", "slurm")])
    assert result.code == 0, result
    assert home.kq("sub", "--nodes", "2", "true").code == 0  # by the ejected copy
    wait_for(lambda: len([row for row in nodes(home) if row["state"] == "RUNNING"]) == 2)
    config(home, "provider=local", "provider.timeout=30")
    node = nodes(home)[0]
    assert node["provider"] == "local" and node["provider_state"] == "RUNNING" and node["log"].startswith(home.path), node
    assert home.kq("nodes", "--stop", node["node"]).code == 0


@test("sub --local starts a node of this machine whatever the provider")
def _(home):
    bad(home, "error 'not asked'")
    assert home.kq("sub", "--local", "true").code == 0


@test("a provider that hangs is ended with all it started: a loop, a pipe, a program; one line, exit 6, the job is stored")
def _(home):
    for body, words in (("while true do end", "bad.lua:3"),
                        ("pcall(function() while true do end end) while true do end", "longer than"),
                        (f"io.popen('echo $$ >{home.top}/pid; exec sleep 100'):read('a')", "longer than"),
                        (f"os.execute('echo $$ >{home.top}/pid; sleep 100')", "longer than"),
                        ("kubeque.proc.run { 'sleep', '100' }", "longer than")):
        bad(home, body, "provider.timeout=0.3")
        begun = time.monotonic()
        result = home.kq("sub", "true")
        assert result.code == 6 and time.monotonic() - begun < 20, result
        last = result.lines[-1]
        assert last.startswith("kubeque sub: provider bad: add") and "longer than 0.3s" in last and words in last, result
        assert "the job is stored: mend it, then kubeque addnodes " in last, result
        if os.path.exists(home.top + "/pid"):
            pid = open(home.top + "/pid", encoding="ascii").read().strip()
            wait_for(lambda: not os.path.exists(f"/proc/{pid}") or "Z" in open(f"/proc/{pid}/stat", encoding="ascii").read())
            os.unlink(home.top + "/pid")


@test("an error in a provider is 7 with file and line; the job waits and runs once it is mended")
def _(home):
    for body, words in (("local x = nil\nreturn x.y", ("bad.lua:4:", "index")),
                        ("error { 1 }", ("bad:", "add")),
                        ("return 3", ("returned a number", "list of nodes")),
                        ("return { { state = 'x' } }", ("no node at place 1",)),
                        ("return { { id = 'x', stat = 'y' } }", ("unknown field stat",)),
                        ("return nil", ("it returned nothing",)),
                        ("os.exit(0)", ("ended without an answer",)),
                        ("return request.nodes[1].nope.x", ("bad.lua:3:",))):
        bad(home, body)
        result = home.kq("sub", "-n", "j", "--clean", "true")
        assert result.code == 7 and "provider bad: " in result.lines[-1] and "the job is stored" in result.lines[-1], result
        assert all(word in result.lines[-1] for word in words), result
        assert labels(home, "j") == "pending: 1"
    provider(home, 'return kubeque.provider { name = "bad", summary = "s", requires = "any queue", capabilities = { waits = true },\n'
             "add = print, list = function() return nil, 'the controller is down' end }", "bad")
    result = home.kq("sub", "-n", "j", "--clean", "true")
    assert result.code == 6 and "list: the controller is down; the job is stored" in result.lines[-1], result
    bad(home, "return nil, 'no quota left'")
    result = home.kq("sub", "-n", "j", "--clean", "true")
    assert result.code == 6 and "provider bad: add: no quota left" in result.lines[-1], result
    daemon(home)
    assert home.kq("addnodes", "j", "1").code == 0 and home.kq("watch", "j").code == 0


@test("a file that cannot be loaded is 7 with file and line before anything is stored")
def _(home):
    config(home, "provider=bad")
    head = 'name = "bad", summary = "s", requires = "any queue", add = print, list = print'
    for text, words in (("return kubeque.provider {\n name = ", ("bad.lua:2:",)),
                        ("\nerror 'no'", ("bad.lua:2: no",)),
                        ("return 5", ("bad.lua", "returns a number")),
                        ("return kubeque.provider {\n summry = 's' }", ("bad.lua:2", "summry", "summary")),
                        ("return kubeque.provider { name = 'bad' }", ("bad.lua:1", "is missing")),
                        (f"return kubeque.provider {{ {head}, capabilities = {{ waitz = true }} }}", ("waitz", "waits")),
                        (f"return kubeque.provider {{ {head}, options = {{ a = {{ type = 'lst', help = 'x' }} }} }}",
                         ("option a", "lst", "list")),
                        (f"return kubeque.provider {{ {head}, options = {{ a = {{ default = 1, help = 'x' }} }} }}",
                         ("option a", "default")),
                        (f"return kubeque.provider {{ {head}, options = {{ a = {{ }} }} }}", ("option a", "'help' is missing")),
                        (f"return kubeque.provider {{ {head.replace('any', 'a')} }}", ("requirement", "any queue")),
                        (f"return kubeque.provider {{ {head.replace('bad', 'other')} }}", ("must be that of the file",)),
                        ("while true do end", ("bad.lua:1:", "longer than 0.5 s"))):
        provider(home, text, "bad")
        result = home.kq("sub", "-n", "j", "true")
        assert result.code == 7 and len(result.lines) == 1, (text, result)
        assert all(word in result.err for word in words), (text, result)
    assert home.kq("status", "j").code == 3
    assert home.kq("config").code == 0, "the configuration can be looked at"


@test("fewer nodes than asked is a warning; without a store no provider is asked")
def _(home):
    daemon(home, "provider.limit=1")
    assert home.kq("nodes").code == 0
    result = home.kq("sub", "--nodes", "3", "true")
    assert result.code == 0 and "provider daemon: 1 of 3 nodes were started: the limit is 1" in result.err, result


@test("a provider that cannot list, or not be loaded, does not hide the queue's nodes, nor end who waits for a job")
def _(home):
    assert home.kq("sub", "true").code == 0
    provider(home, "x =", "bad")
    config(home, "provider=bad")
    result = home.kq("nodes", "--jsonl")
    assert result.code == 7 and "provider bad: " in result.err and '"RUNNING"' in result.out, result
    home.kq("sub", "-n", "j", "--no-wait", "--no-nodes", "sleep 0.3")
    assert home.kq("watch", "j").code == 0
    provider(home, 'return kubeque.provider { name = "bad", summary = "s", requires = "any queue",\n'
             "add = print, list = function() return nil, 'out of reach' end }", "bad")
    config(home, "provider=bad")
    result = home.kq("nodes", "--jsonl")
    assert result.code == 6 and "provider bad: list: out of reach" in result.err and '"RUNNING"' in result.out, result


main()
