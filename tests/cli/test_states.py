"""retry, reset, kill, explain: which tasks they take, what they change, what they say."""
import json
import os
import signal
import time

from kq import main, test, wait_for


def labels(home, job):
    result = home.kq("status", job)
    assert result.code == 0, result
    return result.out.strip().split(": ", 1)[1].split("  ")[0]


def tasks(home, job):
    return json.loads(home.kq("dumpjob", job).out)["tasks"]


def claimed(home, job, count=1):
    # a job whose submission is still under way is not there yet
    wait_for(lambda: home.kq("status", job).code == 0 and f"claimed: {count}" in labels(home, job))


def one_node(home, **keys):
    """Configuration with short waits: what a node's death costs is a heartbeat, not minutes."""
    keys = {"heartbeat": "0.2", "lease": "1", "grace_period": "1", **keys}
    home.file(".kubeque", "[config]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()))


@test("retry changes resources, timeout and retries for the tasks that run again, only for these")
def _(home):
    flag = os.path.join(home.top, "flag")
    home.kq("sub", "-n", "j", "--seq", "3", "test {index} = 1 || test -e %s || exit 3" % flag)
    assert labels(home, "j") == "complete(code=0): 1, complete(code=3): 2"
    result = home.kq("retry", "j.2", "-r", "cpu=0.5", "--timeout", "7s", "--retries", "2", "-i", "none", "--no-wait")
    assert result.code == 0 and "j: 1 task will run again" in result.err, result
    home.file("../flag")
    assert home.kq("watch", "j").code == 1
    assert labels(home, "j") == "complete(code=0): 2, complete(code=3): 1"
    dump = json.loads(home.kq("dumpjob", "j").out)
    text = json.dumps(dump)
    assert '"timeout_ms": 7000' in text or '"timeout_ms":7000' in text, text
    result = home.kq("retry", "j")
    assert result.code == 0 and labels(home, "j") == "complete(code=0): 3", result
    result = home.kq("retry", "j")
    assert result.code == 0 and "j: no task to run again: all succeeded" in result.err, result


@test("retry --timeout strikes; --retries starts to count again; killed and failed tasks are retried, too")
def _(home):
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "sleep 100")
    home.kq("kill", "j")
    result = home.kq("retry", "j", "--timeout", "0.1s", "--retries", "1")
    assert result.code == 1 and labels(home, "j") == "failed(timeout): 1", result
    assert len(tasks(home, "j")[0]["attempts"]) == 2, tasks(home, "j")
    result = home.kq("retry", "j", "--retries", "0")
    assert result.code == 1 and len(tasks(home, "j")[0]["attempts"]) == 3, tasks(home, "j")


@test("retry refuses what sub would refuse, and changes nothing then")
def _(home):
    home.kq("sub", "-n", "j", "false")
    for words in (("-r", "cpu=4000"), ("-r", "cpu=x"), ("-r", "lizence=1"), ("--timeout", "-3"), ("--retries", "-1"), ("-i", "ubuntu")):
        result = home.kq("retry", "j", *words)
        assert result.code in (2,) and len(result.lines) == 1, result
        assert labels(home, "j") == "complete(code=1): 1"
    assert home.kq("retry", "nosuch").code == 3
    assert home.kq("retry", "LAST.1", "--no-wait").code == 0


@test("retry and reset of a task that is not there: exit 3, naming the tasks there are")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "3", "false")
    for words in (("retry", "j.4"), ("reset", "j.7"), ("kill", "j.4-5"), ("logs", "j.4"), ("explain", "j.4"), ("fetch", "j.4")):
        result = home.kq(*words)
        assert result.code == 3 and "1 to 3" in result.err, result
    assert "updated 0 tasks" in home.kq("reset", "j.2-").err and home.kq("reset", "j.4-").code == 3


@test("reset takes ranges and globs, counts attempts anew, says that it starts no node")
def _(home):
    home.kq("sub", "-n", "j1", "--no-nodes", "--no-wait", "--seq", "4", "true")
    home.kq("sub", "-n", "j2", "--no-nodes", "--no-wait", "--seq", "2", "true")
    home.kq("kill", "j*")
    result = home.kq("reset", "j1.2-3")
    assert result.code == 0 and "updated 2 tasks" in result.err and "no node" in result.err, result
    assert labels(home, "j1") == "killed: 2, pending: 2" and not home.node_pids()
    result = home.kq("reset", "j*")
    assert "updated 4 tasks" in result.err, result
    result = home.kq("reset", "x*")
    assert result.code == 0 and 'no job matches "x*"' in result.err, result


@test("reset leaves complete tasks alone, --all takes them; the old result stays until the next one is accepted")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "2", "test {index} = 1; x=$?; echo $KQ_ATTEMPT; exit $x")
    home.end_nodes()
    published = os.path.join(home.path, "results/j/1/stdout.txt")
    assert "updated 0 tasks" in home.kq("reset", "j").err
    assert "updated 2 tasks" in home.kq("reset", "--all", "j").err
    assert labels(home, "j") == "pending: 2" and open(published, encoding="ascii").read() == "1\n"
    home.kq("addnodes", "j", "1")
    home.kq("watch", "j")
    assert open(published, encoding="ascii").read() == "2\n"


@test("reset gives back what a dead node had, at once; of a living one only with --owner")
def _(home):
    one_node(home)
    started = os.path.join(home.top, "started")
    home.kq("sub", "-n", "j", "--no-wait", "-r", "cpu=0.5", f"echo $KQ_NODE >>{started}; sleep 100")
    claimed(home, "j")
    assert "updated 0 tasks" in home.kq("reset", "j").err and labels(home, "j") == "claimed: 1"
    result = home.kq("reset", "j", "--owner", "nosuchnode")
    assert result.code == 3 and "nosuchnode" in result.err, result
    node = json.loads(home.kq("nodes", "--jsonl").out)["node"]
    wait_for(lambda: os.path.exists(started))
    result = home.kq("reset", "j", "--owner", node)
    assert result.code == 0 and "updated 1 tasks" in result.err, result
    wait_for(lambda: len(open(started, encoding="ascii").readlines()) == 2)
    claimed(home, "j")
    for pid in home.node_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not home.node_pids())
    result = home.kq("reset", "j")
    assert result.code == 0 and "updated 1 tasks" in result.err, result
    assert labels(home, "j") == "pending: 1", labels(home, "j")


@test("attempts lost with a node or released by one that leaves do not count as retries")
def _(home):
    one_node(home, grace_period="0.3")
    home.kq("sub", "-n", "j", "--no-wait", "--retries", "0", "echo x; sleep 100")
    claimed(home, "j")
    for pid in home.node_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not home.node_pids())
    assert home.kq("addnodes", "j", "1").code == 0
    wait_for(lambda: "(attempt 2)" in home.kq("explain", "j").out)
    explained = home.kq("explain", "j").out
    assert "lost" in explained and "j.1 is running on " in explained, explained
    node = [json.loads(line) for line in home.kq("nodes", "--jsonl").out.splitlines()]
    node = [row["node"] for row in node if row["state"] == "RUNNING"]
    home.kq("nodes", "--stop", *node)
    home.kq("nodes", "--stop", *node)
    wait_for(lambda: not home.node_pids())
    assert labels(home, "j") == "pending: 1"
    explained = home.kq("explain", "j").out
    assert "released" in explained and "kubeque addnodes j 1" in explained, explained
    home.kq("kill", "j")


@test("kill: TERM to the group, KILL after the grace period; stdout.txt and result.json are published, outputs not")
def _(home):
    one_node(home)
    home.kq("sub", "-n", "j", "--no-wait", "trap '' TERM; echo out >f; echo here; sleep 100 & wait; sleep 100")
    claimed(home, "j")
    wait_for(lambda: "here" in home.kq("logs", "j").out)
    result = home.kq("kill", "j")
    assert result.code == 0 and "j: killed 1 task" in result.err, result
    assert labels(home, "j") == "killed: 1"
    place = os.path.join(home.path, "results/j/1")
    wait_for(lambda: os.path.exists(os.path.join(place, "result.json")), 5)
    assert sorted(os.listdir(place)) == ["result.json", "stdout.txt"], os.listdir(place)
    result = home.kq("explain", "j")
    assert result.code == 0 and "j.1 was killed by the user" in result.out, result
    again = home.kq("kill", "j")
    assert again.code == 0 and "nothing to kill" in again.err, again


@test("kill: an id that does not exist is 3, a glob without match a line and 0; the waiting client returns 1")
def _(home):
    assert home.kq("kill", "nosuch").code == 3 and home.kq("kill", "LAST").code == 3
    waiter = home.start("sub", "-n", "j1", "sleep 100")
    home.kq("sub", "-n", "k", "--no-wait", "--no-nodes", "sleep 0")
    claimed(home, "j1")
    result = home.kq("kill", "x*")
    assert result.code == 0 and 'no job matches "x*"' in result.err, result
    assert home.kq("kill", "j*").code == 0
    assert waiter.wait(10) == 1
    assert "killed" not in labels(home, "k")


@test("nodes that kill leaves without work end at once; with --keepcluster they linger")
def _(home):
    for words, stays in (((), False), (("--keepcluster",), True)):
        home.kq("sub", "-q", "-n", "j" + "k" * stays, "--no-wait", "sleep 100")
        claimed(home, "j" + "k" * stays)
        before = home.node_pids()
        home.kq("kill", "j" + "k" * stays, *words)
        if stays:
            assert home.kq("sub", "-n", "after", "true").code == 0
            assert home.node_pids() == before, "another node was started"
        else:
            wait_for(lambda: not home.node_pids(), 5)


@test("explain says what holds in every state")
def _(home):
    home.file(".kubeque", "[config]\nnode_cpu=1\n")

    def why(job):
        result = home.kq("explain", job)
        assert result.code == 0 and "\n" in result.out, result
        return result.out.splitlines()[0]
    home.kq("sub", "-n", "p", "--no-nodes", "--no-wait", "true")
    assert why("p") == "p.1 is waiting: no node is running: kubeque addnodes p 1", why("p")
    home.kq("kill", "p")
    assert why("p") == "p.1 was killed by the user"
    home.kq("sub", "-n", "run", "--no-wait", "--priority", "1", "sleep 100")
    claimed(home, "run")
    assert "run.1 is running on " in why("run")
    home.kq("sub", "-n", "busy", "--no-wait", "true")
    assert why("busy") == "busy.1 is waiting: the nodes are busy: it starts when there is room", why("busy")
    home.kq("sub", "-n", "low", "--no-wait", "--priority", "-1", "true")
    assert "1 task of other jobs go" in why("low") and "busy" in why("low"), why("low")
    home.kq("kill", "run", "--keepcluster")
    home.kq("status", "--wait", "*")
    assert why("busy") == "busy.1 succeeded: complete(code=0)", why("busy")
    home.kq("sub", "-n", "mr", "--no-wait", "-r", "cpu=0.1", "--max-running", "1", "--seq", "2", "sleep 100")
    claimed(home, "mr")
    assert "--max-running" in why("mr.2"), why("mr.2")
    home.kq("kill", "mr", "--keepcluster")
    home.kq("sub", "-n", "again", "--no-wait", "--retries", "3", "exit 9")
    wait_for(lambda: "pending" in labels(home, "again"))
    wait_for(lambda: "after a pause" in why("again") or "code=9" in labels(home, "again"))
    home.kq("kill", "again", "--keepcluster")
    home.kq("sub", "-n", "t", "--timeout", "0.1s", "sleep 9")
    assert why("t") == "t.1 did not succeed: it ran longer than its --timeout", why("t")
    home.kq("sub", "-n", "none", "nosuchprogram")
    assert why("none") == "none.1 did not succeed: its program was not found (exit code 127)", why("none")
    home.kq("sub", "-n", "sig", "kill -SEGV $$")
    assert "SIGSEGV" in why("sig"), why("sig")
    home.kq("sub", "-n", "many", "--seq", "3", "exit $(({index} - 1))".replace("$(({index} - 1))", "$((KQ_TASK - 1))"))
    assert "many has ended, not every task succeeded" in why("many"), why("many")
    for task, text in (("many.1", "succeeded"), ("many.3", "exit code 2")):
        assert text in why(task)
    rows = [json.loads(line) for line in home.kq("explain", "many.1-2", "--json").out.splitlines()]
    assert [row["what"] for row in rows] == ["many.1", "many.2"], rows


@test("explain shows the last lines of the output, whole ones")
def _(home):
    home.kq("sub", "-n", "j", "seq 1000000 1010000; exit 1")
    lines = [line.strip() for line in home.kq("explain", "j").out.splitlines()]
    lines = lines[lines.index("end of its output:") + 1:]
    assert lines[-1] == "1010000" and 1 < len(lines) <= 40 and all(len(line) == 7 for line in lines), lines


main()
