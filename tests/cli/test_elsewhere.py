"""Attempts that a policy wants made by another node than the one that failed."""
import json
import os

from kq import main, test, wait_for


def task(home, job="j", n=1):
    return json.loads(home.kq("dumpjob", job).out)["tasks"][n - 1]


def makers(home, job="j"):
    return [attempt["node"] for attempt in task(home, job)["attempts"]]


def label(home, job="j"):
    return home.kq("status", job).out.split(": ", 1)[1].split("  ")[0]


def over(home, job="j"):
    wait_for(lambda: json.loads(home.kq("status", job, "--json").out)[0]["state"] == "over", 40)
    return label(home, job)


def live(home):
    return [row["node"] for row in (json.loads(line) for line in home.kq("nodes", "--jsonl").out.splitlines()) if row["state"] == "RUNNING"]


def started(home, count):
    """Idle nodes, added to the cluster of a job that needs none any more."""
    assert home.kq("sub", "-q", "-n", "first", "--no-nodes", "--no-wait", "true").code == 0
    result = home.kq("addnodes", "first", count)
    assert result.code == 0, result
    wait_for(lambda: len(live(home)) == count and label(home, "first") == "complete(code=0): 1")
    return live(home)


def busy(home):
    """One more node, which runs a task until home.top/gate is there."""
    assert home.kq("sub", "-q", "-n", "hold", "--no-nodes", "--no-wait",
                   f"touch {home.top}/held; while ! test -e {home.top}/gate; do sleep 0.02; done").code == 0
    home.start("consume", "--cpu", "1")
    wait_for(lambda: os.path.exists(f"{home.top}/held"))
    return live(home)[0]


@test("two nodes: the second attempt is made by the other one, the third by the first again; asked again the policy says the same")
def _(home):
    nodes = started(home, 2)
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", "backoff:elsewhere=true,after=0.01,times=3", "exit 75").code == 0
    assert over(home) == "complete(code=75): 1"
    made = makers(home)
    assert len(made) == 4 and set(made) == set(nodes) and all(a != b for a, b in zip(made, made[1:])), (made, nodes)
    rows = json.loads(home.kq("policy", "test", "j.1", "--json").out)["attempts"]
    assert [row["then"].get("elsewhere") for row in rows] == [True, True, True, None] and all(row["same"] for row in rows), rows
    assert "then: retry after 0.01s on another node: again in 0.01 s" in home.kq("policy", "test", "j.1@1").out
    rows = json.loads(home.kq("policy", "test", "backoff:after=0.01,times=3", "j.1", "--json").out)["attempts"]
    assert [row["same"] for row in rows] == [False] * 3 + [True], "it is another verdict without"


@test("one node: the next attempts are its own, without delay")
def _(home):
    result = home.kq("sub", "-n", "j", "--policy", "backoff:elsewhere=true,after=0,times=3", "exit 75")
    assert result.code == 1, result
    attempts = task(home)["attempts"]
    assert len(attempts) == 4 and len(set(makers(home))) == 1, attempts
    ms = [json.loads(line) for line in home.kq("lua", home.file("times.lua", """kubeque.open {}
for _, a in ipairs(kubeque.queue.attempts(kubeque.queue.job("j").born, 1)) do
  print(a.started, a.ended)
end
""")).out.split()]
    waits = [began - ended for ended, began in zip(ms[1::2], ms[2::2])]
    assert len(waits) == 3 and max(waits) < 5000, waits


@test("where the other node has no room yet the task waits for it, which explain says; when that drains it is run where it failed, by a node that did not leave")
def _(home):
    other = busy(home)
    home.file("own.lua", """return kubeque.policy { on_task_failed = function(task)
  return task.tries == 0 and { "retry", elsewhere = true, note = "not here" } or nil
end }
""")
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", "own.lua", "test $KQ_ATTEMPT != 1").code == 0
    node = home.start("consume", "--cpu", "2", "--linger", "0")
    wait_for(lambda: task(home)["attempts"] and label(home) == "pending: 1")
    failed = makers(home)[0]
    assert failed != other
    said = home.kq("explain", "j.1").out
    assert f"j.1 is waiting: it waits for room on another node than {failed}, where it failed" in said and "then: not here" in said, said
    assert home.kq("sub", "-n", "later", "-q", "true").code == 0 and makers(home, "later") == [failed], "it has room for others"
    assert makers(home) == [failed] and label(home) == "pending: 1"
    assert home.kq("nodes", "--stop", other).code == 0
    assert over(home) == "complete(code=0): 1" and makers(home) == [failed, failed]
    assert node.wait(20) == 0, "with nothing left to do it leaves"
    open(f"{home.top}/gate", "w", encoding="ascii").close()
    assert over(home, "hold") == "complete(code=0): 1"


@test("a reset forgets where it failed; a job of many classes of resources tries again on any node, and its history says so")
def _(home):
    other = busy(home)
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", "backoff:elsewhere=true,after=0,times=1", "test $KQ_ATTEMPT = 3 || exit 75").code == 0
    many = [{"command": ["sh", "-c", "exit 75"], "resources": {"cpu": 0.01}}]
    many += [{"command": ["true"], "resources": {"cpu": 0.001 * i}} for i in range(1, 24)]
    home.file("many.json", json.dumps({"tasks": many}))
    assert home.kq("sub", "-n", "many", "--no-nodes", "--no-wait", "--policy", "backoff:elsewhere=true,after=0,times=1", "-f", "many.json").code == 0
    home.start("consume", "--cpu", "2")
    wait_for(lambda: label(home) == "pending: 1" and label(home, "many") == "complete(code=0): 23, complete(code=75): 1")
    made = makers(home, "many")
    assert len(made) == 2 and made[0] == made[1] != other, made
    assert task(home, "many")["attempts"][0]["verdict"].endswith(", but on any node: the job has 24 classes of resources already"), task(home, "many")
    assert home.kq("kill", "j").code == 0
    assert home.kq("reset", "j").code == 0
    wait_for(lambda: len(makers(home)) == 2)
    assert makers(home) == [made[0]] * 2, "it does not wait for the other node"
    open(f"{home.top}/gate", "w", encoding="ascii").close()
    home.kq("kill", "j")


main()
