"""Nodes that a policy wants are added without a client, by the nodes themselves."""
import os

from kq import main, test, wait_for


def policy(home, body, name="s.lua"):
    return home.file(name, 'return kubeque.policy { name = "s", summary = "test", scale = function(state)\n' + body + "\nend }\n")


def waiting_tasks(home, count, p, *options):
    home.file("p.csv", "i\n" + "1\n" * count)
    return home.kq("sub", "-n", "j", "--no-wait", "--policy", p, "-p", "p.csv", *options, f"while ! test -e {home.top}/go; do sleep 0.05; done")


def live(home):
    return home.kq("nodes").out.count("RUNNING") - 1  # its header


def let_go(home):
    open(os.path.join(home.top, "go"), "w", encoding="ascii").close()


def log(home):
    text = ""
    for name in os.listdir(os.path.join(home.path, "nodes")):
        if name.endswith(".log"):
            with open(os.path.join(home.path, "nodes", name), encoding="utf-8") as source:
                text += source.read()
    return text


@test("tasks that wait too long get more nodes, no client being there; once, however long they go on waiting")
def _(home):
    result = waiting_tasks(home, 60, policy(home, "return state.oldest_pending > 3 and 3 or 1"))
    assert result.code == 0 and live(home) <= 1, result
    wait_for(lambda: live(home) == 3)
    assert "The policy of job j wants 3 nodes: adding 2" in log(home), log(home)
    wait_for(lambda: "claimed: 6" in home.kq("status", "j").out)
    home.kq("sub", "-n", "k", "--no-wait", "--no-nodes", "--policy", policy(home, "return state.nodes > 3 and 9 or 0", "k.lua"), "true")
    assert live(home) == 3
    let_go(home)
    assert home.kq("watch", "j").code == 0 and log(home).count("wants 3 nodes") == 1, log(home)


@test("what a policy wants is bounded by the tasks there are; node_hours and the number of nodes are told")
def _(home):
    waiting_tasks(home, 6, policy(home, """
if state.wanted ~= 0 or state.job.id ~= "j" or state.pending + state.running ~= 6 then error "unexpected" end
return state.node_hours * 3600 > state.nodes and 1000000 or 1"""))
    wait_for(lambda: live(home) == 6)
    let_go(home)
    assert home.kq("watch", "j").code == 0
    assert log(home).count("adding") == 1 and "adding 5" in log(home), log(home)


@test("a policy that wants no node gets none, and the user is told")
def _(home):
    result = waiting_tasks(home, 1, policy(home, "return 0"))
    assert result.code == 0 and "The policy of job j wants no node now" in result.lines, result
    assert home.kq("watch", "j", "--wait-timeout", "1").code == 4 and live(home) == -1


@test("a hook that breaks changes nothing: the history says so, the nodes stay, the tasks are done")
def _(home):
    waiting_tasks(home, 6, policy(home, "if state.oldest_pending > 2 then error('no idea') end return 1"))
    wait_for(lambda: "s.lua:2: no idea" in home.kq("explain", "j").out)
    assert live(home) == 1
    let_go(home)
    assert home.kq("watch", "j").code == 0


PROVIDER = """
return kubeque.provider {
  name = "mine", summary = "test", requires = "any queue", options = { say = { type = "string", default = "?", help = "test" } },
  add = function(request, options)
    local started = {}
    for i, node in ipairs(request.nodes) do
      local words = {}
      for k, word in ipairs(node.command) do
        words[k] = "'" .. word .. "'"
      end
      local log = request.log_dir .. "/" .. node.id .. ".log"
      assert(os.execute("setsid " .. table.concat(words, " ") .. " >>" .. log .. " 2>&1 </dev/null &"))
      started[i] = { id = node.id, log = log, state = options.say }
    end
    local file <close> = assert(io.open(request.home .. "/added", "a"))
    file:write(options.say, " ", request.count, " ", request.job, " ", request.cluster, "\\n")
    return started
  end,
  list = function() return {} end,
}
"""


@test("they come from the provider that was configured where the job was submitted")
def _(home):
    home.file("../.config/kubeque/lua/providers/mine.lua", PROVIDER)
    home.file("../.kubeque", "[config]\nprovider=mine\nprovider.say=hello\ncluster_name=heap\nlinger=5\n")
    result = waiting_tasks(home, 60, policy(home, "return state.oldest_pending > 3 and 2 or 1"))
    assert result.code == 0, result
    wait_for(lambda: live(home) == 2)
    with open(os.path.join(home.path, "added"), encoding="utf-8") as source:
        assert source.read() == "hello 1 j heap\n" * 2
    let_go(home)
    assert home.kq("watch", "j").code == 0


main()
