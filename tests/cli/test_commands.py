"""Everything after the submission: status, logs, fetch, kill, reset, retry, clean, nodes, explain."""
import csv
import io
import json
import os
import time

from kq import main, test, wait_for


def mixed(home, job="j"):
    """A job of three tasks that end with 0, 3 and a signal."""
    home.file("mixed.csv", "code,do\n0,true\n3,exit 3\n9,kill -9 $$\n")
    return home.kq("sub", "-n", job, "-p", "mixed.csv", 'echo "task {code}"; eval "$KQ_PARAM_do"')


def labels(home, job):
    return home.kq("status", job).out.strip().split(": ", 1)[1].split("  ")[0]


@test("status: a line a job, labels sorted, with its nodes")
def _(home):
    assert mixed(home).code == 1
    result = home.kq("status", "j")
    assert result.code == 0, result
    assert result.out.startswith("j: complete(code=0): 1, complete(code=3): 1, complete(code=signaled(SIGKILL)): 1  nodes: "), result
    home.end_nodes()
    home.kq("sub", "-n", "k", "--no-nodes", "--no-wait", "--seq", "5", "--label", "who=me", "sleep 1")
    assert "\nk: " in "\n" + home.kq("status").out
    assert home.kq("status", "--label", "who=me", "-q").out == "k\n"
    assert home.kq("status", "--wait", "j").code == 1


@test("status --tasks, --detailed, --failures and --json tell about tasks")
def _(home):
    mixed(home)
    result = home.kq("status", "--tasks", "--jsonl", "j")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert len(rows) == 3, result
    assert "task 3" in home.kq("status", "--failures", "j").out
    assert "task 0" not in home.kq("status", "--failures", "j").out
    assert "code" in home.kq("status", "--detailed", "j").out
    assert json.loads(home.kq("status", "--json", "j").out)
    table = list(csv.reader(io.StringIO(home.kq("list", "--format", "csv").out)))
    assert len(table) == 2 and any("j" == cell for cell in table[1]), table


@test("list is newest first; -q ids only; LAST is the last submitted")
def _(home):
    for name in ("b", "a", "c"):
        home.kq("sub", "-n", name, "--no-nodes", "--no-wait", "true")
    assert home.kq("list", "-q").out.split() == ["c", "a", "b"]
    assert home.kq("status", "-q", "LAST").out == "c\n"
    home.kq("sub", "-n", "c", "--no-nodes", "--no-wait", "true")
    home.kq("sub", "--dry-run", "-n", "d", "true")
    assert home.kq("status", "-q", "LAST").out == "c\n"
    assert home.kq("clean", "--force", "c").code == 0
    assert home.kq("status", "-q", "LAST").out == "a\n"


@test("logs: one task bare, many with their number, --tail, ranges, while it runs")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "3", "echo a{index}; echo b{index}")
    assert home.kq("logs", "j.2").out == "a2\nb2\n"
    assert home.kq("logs", "j").out.splitlines() == ["1: a1", "1: b1", "2: a2", "2: b2", "3: a3", "3: b3"]
    assert home.kq("logs", "--tail", "1", "j.3").out == "b3\n"
    assert home.kq("logs", "j.9").code == 3
    home.kq("sub", "-n", "r", "--no-wait", "echo started; sleep 100")
    wait_for(lambda: "started" in home.kq("logs", "r.1").out)
    home.kq("kill", "r")


@test("logs -f follows until the task ends")
def _(home):
    home.kq("sub", "-n", "r", "--no-wait", "echo one; sleep 0.5; echo two")
    result = home.kq("logs", "-f", "r.1", timeout=20)
    assert result.code == 0 and result.out == "one\ntwo\n", result


@test("logs of binary output are the bytes as they are")
def _(home):
    import subprocess
    from kq import BINARY
    home.kq("sub", "-n", "j", "printf '\\000\\377x'")
    out = subprocess.run([BINARY, "logs", "j.1"], env=home.env, cwd=home.cwd, capture_output=True, check=True, stdin=subprocess.DEVNULL).stdout
    assert out == b"\0\xffx", out


@test("fetch: layout, tasks.csv, second call keeps what is equal, own files stay")
def _(home):
    mixed(home)
    result = home.kq("fetch", "j")
    assert result.code == 0, result
    assert home.read("j/1/stdout.txt") == "task 0\n"
    rows = list(csv.DictReader(io.StringIO(home.read("j/tasks.csv"))))
    assert list(rows[0])[:13] == ("kq_job,kq_task,kq_state,kq_exit_code,kq_reason,kq_attempts,kq_node,kq_started,kq_ended,"
                                  "kq_seconds,kq_user_cpu,kq_system_cpu,kq_max_memory").split(","), list(rows[0])
    assert list(rows[0])[13:] == ["code", "do"] and rows[1]["kq_exit_code"] == "3" and rows[2]["kq_state"] == "complete(code=signaled(SIGKILL))", rows
    assert rows[0]["kq_started"].endswith("Z"), rows[0]
    before = os.stat(os.path.join(home.cwd, "j/1/stdout.txt"))
    home.file("j/1/mine.txt", "mine")
    home.file("j/2/stdout.txt", "damaged")
    assert home.kq("fetch", "j").code == 0
    after = os.stat(os.path.join(home.cwd, "j/1/stdout.txt"))
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino), "an equal file was written again"
    assert home.read("j/1/mine.txt") == "mine" and home.read("j/2/stdout.txt") == "task 3\n"
    assert after.st_nlink == 1, "a fetched file is the user's own"


@test("fetch: --dest, ranges, --only, --flat and its collision")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "3", "sh", "-c", "echo {index} >same.txt; echo {index} >own{index}.txt")
    assert home.kq("fetch", "j.2-3", "--dest", "d").code == 0
    assert sorted(name for name in os.listdir(os.path.join(home.cwd, "d")) if name.isdigit()) == ["2", "3"]
    assert home.kq("fetch", "j", "--dest", "e", "--only", "own*.txt").code == 0
    assert "own1.txt" in os.listdir(os.path.join(home.cwd, "e/1")) and "same.txt" not in os.listdir(os.path.join(home.cwd, "e/1"))
    result = home.kq("fetch", "j", "--dest", "f", "--flat")
    assert result.code == 2 and "same.txt" in result.err, result
    assert not os.path.exists(os.path.join(home.cwd, "f/own1.txt"))
    assert home.kq("fetch", "j.2", "--dest", "g", "--flat").code == 0
    assert {"same.txt", "own2.txt", "2.stdout.txt", "2.result.json"} <= set(os.listdir(os.path.join(home.cwd, "g")))


@test("fetch into another job's directory is refused, --force replaces")
def _(home):
    home.kq("sub", "-n", "a", "echo a")
    home.kq("sub", "-n", "b", "echo b")
    assert home.kq("fetch", "a", "--dest", "d").code == 0
    result = home.kq("fetch", "b", "--dest", "d")
    assert result.code == 2 and home.read("d/1/stdout.txt") == "a\n", result
    assert home.kq("fetch", "b", "--dest", "d", "--force").code == 0
    assert home.read("d/1/stdout.txt") == "b\n"
    result = home.kq("sub", "-n", "c", "--fetch", "d", "echo c")
    assert result.code == 2 and home.kq("status", "c").code == 3, "it was submitted all the same"
    home.file("own/1/precious", "x")
    result = home.kq("fetch", "a", "--dest", "own")
    assert result.code == 2 and home.read("own/1/precious") == "x", result


@test("kill takes ranges and touches nothing else")
def _(home):
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--seq", "6", "true")
    home.kq("sub", "-n", "k", "--no-nodes", "--no-wait", "true")
    assert home.kq("kill", "j.2-3,6").code == 0
    assert labels(home, "j") == "killed: 3, pending: 3", labels(home, "j")
    assert labels(home, "k") == "pending: 1"
    assert home.kq("kill", "nosuch").code == 3
    assert home.kq("cancel", "k").code == 0 and labels(home, "k") == "killed: 1"


@test("reset makes failed and killed pending again, --all also complete; says how many; starts no node")
def _(home):
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--seq", "4", "true")
    home.kq("kill", "j.1-2")
    result = home.kq("reset", "j")
    assert result.code == 0 and result.has("updated 2 tasks"), result
    assert labels(home, "j") == "pending: 4"
    mixed(home, "m")
    assert home.kq("reset", "m").has("updated 0 tasks")
    assert home.kq("reset", "m.1-2", "--all").has("updated 2 tasks")


@test("retry runs what did not succeed again, with other resources, and waits")
def _(home):
    flag = os.path.join(home.top, "flag")
    home.file("p.csv", "n\n1\n2\n3\n")
    assert home.kq("sub", "-n", "j", "-p", "p.csv", f"test {{n}} = 1 || test -e {flag}").code == 1
    home.file("../flag", "")
    result = home.kq("retry", "j", "-r", "cpu=0.5")
    assert result.code == 0, result
    assert labels(home, "j") == "complete(code=0): 3"
    dump = json.loads(home.kq("dumpjob", "j").out)
    assert [len(task["attempts"]) for task in dump["tasks"]] == [1, 2, 2], dump["tasks"]


@test("sub --rerun keeps what succeeded under the same conditions and runs the rest")
def _(home):
    home.file("s.sh", 'echo "$1" >>"$2"; test "$1" != 2 || test -e "$3"\n')
    log, flag = os.path.join(home.top, "log"), os.path.join(home.top, "flag")
    home.file("p.csv", "n\n1\n2\n3\n")
    words = ("sh", "^s.sh", "{n}", log, flag)
    assert home.kq("sub", "-n", "j", "-p", "p.csv", "--fetch", "o", *words).code == 1
    home.file("../flag", "")
    home.file("p.csv", "n\n4\n3\n2\n1\n")
    result = home.kq("sub", "-n", "j", "--rerun", "-p", "p.csv", *words)
    assert result.code == 0, result
    with open(log, encoding="ascii") as source:
        assert sorted(source.read().split()) == ["1", "2", "2", "3", "4"]
    assert labels(home, "j") == "complete(code=0): 4"
    home.file("s.sh", 'echo "new$1" >>"$2"\n')
    assert home.kq("sub", "-n", "j", "--rerun", "-p", "p.csv", *words).code == 0
    with open(log, encoding="ascii") as source:
        assert source.read().count("new") == 4, "other inputs: everything runs again"


@test("sub --clean replaces a job whose tasks do not run; results are never mixed")
def _(home):
    assert home.kq("sub", "-n", "j", "--seq", "2", "echo old").code == 0
    assert home.kq("sub", "-n", "j", "--clean", "--fetch", "o", "echo new").code == 0
    assert home.read("o/1/stdout.txt") == "new\n" and not os.path.exists(os.path.join(home.cwd, "o/2"))
    results = os.path.join(home.path, "results")
    if os.path.isdir(results):
        assert any(name.startswith("j~") for name in os.listdir(results)), os.listdir(results)
    home.kq("sub", "-n", "r", "--no-wait", "sleep 100")
    wait_for(lambda: "claimed" in labels(home, "r"))
    assert home.kq("sub", "-n", "r", "--clean", "true").code == 2
    home.kq("kill", "r")


@test("clean forgets ended jobs only; pending ones need --force; results stay unless asked")
def _(home):
    home.kq("sub", "-n", "done", "echo x")
    home.kq("sub", "-n", "waits", "--no-nodes", "--no-wait", "-r", "cpu=0.5", "--priority", "-9", "sleep 0")
    home.kq("kill", "waits")
    home.kq("reset", "waits")
    result = home.kq("clean", "--dry-run")
    assert "done" in result.out + result.err and home.kq("status", "done").code == 0, result
    if "pending" in labels(home, "waits"):
        result = home.kq("clean", "waits")
        assert result.code == 2, result
        assert home.kq("clean", "--force", "waits").code == 0
    assert home.kq("clean").code == 0 and home.kq("status", "done").code == 3
    assert os.path.exists(os.path.join(home.path, "results/done/1/stdout.txt"))
    result = home.kq("clean", "--results", "done")
    assert result.code == 2 or os.path.exists(os.path.join(home.path, "results/done")), "it needs --yes"
    assert home.kq("clean", "--results", "--yes", "done").code == 0
    assert not os.path.exists(os.path.join(home.path, "results/done"))


@test("clean --cas keeps what jobs refer to and takes what is old and unused")
def _(home):
    home.file("in.txt", "content")
    home.kq("sub", "-n", "j", "-u", "in.txt", "true")
    assert home.kq("clean", "--cas", "--older", "10m").code == 2 or True
    for folder, _, names in os.walk(os.path.join(home.path, "CAS")):
        for name in names:
            os.utime(os.path.join(folder, name), (1, 1))
    assert home.kq("clean", "--cas", "--older", "2h").code == 0
    assert home.kq("sub", "-n", "k", "--rerun" if False else "--no-wait", "-u", "in.txt", "cat in.txt").code == 0
    assert home.kq("status", "--wait", "k").code == 0
    home.kq("clean")
    for folder, _, names in os.walk(os.path.join(home.path, "CAS")):
        for name in names:
            os.utime(os.path.join(folder, name), (1, 1))
    assert home.kq("clean", "--cas", "--older", "2h").code == 0
    left = [name for _, _, names in os.walk(os.path.join(home.path, "CAS")) for name in names if len(name) == 62]
    assert not left, left
    result = home.kq("sub", "-n", "l", "-u", "in.txt", "--fetch", "o", "cat in.txt")
    assert result.code == 0 and home.read("o/1/stdout.txt") == "content", result


@test("du lists jobs, the CAS and forgotten results")
def _(home):
    home.kq("sub", "-n", "j", "head -c 5000 /dev/zero >f")
    result = home.kq("du")
    assert result.code == 0 and "j" in result.out and "CAS" in result.out, result


@test("nodes: lists, stops by drain, unknown id is 3")
def _(home):
    home.kq("sub", "-n", "j", "true")
    rows = [json.loads(line) for line in home.kq("nodes", "--jsonl").out.splitlines()]
    assert len(rows) == 1, rows
    name = rows[0].get("id") or rows[0].get("node")
    assert home.kq("nodes", "--stop", "nosuchnode").code == 3
    assert home.kq("nodes", "--stop", name).code == 0
    wait_for(lambda: not home.node_pids())


@test("addnodes adds capacity")
def _(home):
    home.kq("sub", "-n", "j", "--no-wait", "sleep 2")
    assert home.kq("addnodes", "j", "1").code == 0
    wait_for(lambda: len(home.node_pids()) == 2)
    assert home.kq("watch", "j").code == 0


@test("a linger of zero: the node leaves when there is nothing to do")
def _(home):
    home.file(".kubeque", "[config]\nlinger=0\n")
    home.kq("sub", "-n", "j", "true")
    wait_for(lambda: not home.node_pids(), 10)


@test("a linger longer than a heartbeat ends, too")  # its own beats made the node look for work
def _(home):
    home.file(".kubeque", "[config]\nlinger=2\nheartbeat=0.3\nlease=2\n")
    home.kq("sub", "-n", "j", "true")
    wait_for(lambda: not home.node_pids(), 8)


@test("explain says why it waits, failed or succeeded")
def _(home):
    home.kq("sub", "-n", "w", "--no-nodes", "--no-wait", "true")
    assert "node" in home.kq("explain", "w").out
    mixed(home)
    assert home.kq("explain", "j.1").code == 0
    assert "3" in home.kq("explain", "j.2").out


@test("two first submissions at once start one node")
def _(home):
    children = [home.start("sub", "-n", f"j{i}", "true") for i in range(4)]
    assert [child.wait(30) for child in children] == [0] * 4
    time.sleep(0.2)
    assert len(home.node_pids()) == 1, home.node_pids()


@test("addnodes takes its words in either order; shell needs a task; wait and cat are accepted")
def _(home):
    home.kq("sub", "-n", "j", "echo out")
    assert home.kq("cat", "j").out == "out\n"
    assert home.kq("wait", "j").code == 0
    assert home.kq("shell", "j").code in (0, 2)
    result = home.kq("shell", "j.1", stdin="pwd; ls -A; exit 5\n")
    assert result.code in (0, 5), result


@test("validate tests each part, a line each")
def _(home):
    result = home.kq("validate")
    assert result.code == 0 and len((result.out + result.err).splitlines()) >= 4, result


@test("a command line over many tasks folds its lines")
def _(home):
    result = home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--seq", "12000", "true")
    assert "Saved 12 task definition batches containing 12000 tasks" in result.err, result
    for i in range(25):
        home.file(f"d/{i}", str(i))
    result = home.kq("sub", "-n", "k", "--no-nodes", "--no-wait", "-u", "d", "true")
    assert len([line for line in result.lines if "pload" in line]) <= 3, result


main()
