"""Submission end to end: corners of rows and inputs, --rerun, interruption, full disks."""
import os
import signal
import subprocess
import time

from kq import BINARY, Skip, main, test, wait_for


def stored(home):
    return home.kq("list", "-q").out.split()


@test("rows from a pipe are read once and checked all the same")
def _(home):
    script = f"'{BINARY}' sub -q --no-nodes --no-wait -n j -p <(printf 'x,y\\n1,2\\n3,4\\n') echo '{{x}}'"
    done = subprocess.run(["bash", "-c", script], env=home.env, cwd=home.cwd, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and done.stdout == "j\n", done
    assert home.kq("listparams", "j", "-").out == "x,y\n1,2\n3,4\n"


@test("words that look like a shell's are pointed out, and passed on")
def _(home):
    result = home.kq("sub", "-n", "j", "--fetch", "o", "echo", "a", "|", "b")
    assert result.code == 0 and "no shell reads |" in result.err and "kubeque sub 'echo a | b'" in result.err, result
    assert home.read("o/1/stdout.txt") == "a | b\n"


@test("a value taken from here by --env NAME is never a template")
def _(home):
    home.file("p.csv", "x\n1\n")
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "--fetch", "o", "--env", "TAKEN", "--env", "MADE=<{x}>", "echo $TAKEN $MADE",
                     env={"TAKEN": "{x}{{x}}"})
    assert result.code == 0 and home.read("o/1/stdout.txt") == "{x}{{x}} <1>\n", (result, home.read("o/1/stdout.txt"))


@test("--each takes patterns, --rows of what is not there is refused")
def _(home):
    for name in ("a.txt", "b.txt"):
        home.file(name)
    result = home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--each", "*.txt", "plain", "--", "echo", "{item}")
    assert result.code == 0, result
    assert home.kq("listparams", "j", "-").out.split() == ["item", "a.txt", "b.txt", "plain"]
    assert home.kq("sub", "--no-wait", "--each", "*.nope", "--", "true").code == 2
    result = home.kq("sub", "--no-wait", "--seq", "5", "--rows", "9", "true")
    assert result.code == 2 and "9" in result.err, result


@test("a task's download replaces the common one of its destination")
def _(home):
    for name in ("a", "b", "c"):
        home.file(name, name)
    home.file("run.sh", "#!/bin/sh\ncat in c\n")
    home.file("job.json", """{"common": {"downloads": [{"src": "a", "dst": "in"}, {"src": "c"}, {"src": "run.sh", "executable": true}]},
        "tasks": [{"command": "./run.sh", "downloads": [{"src": "b", "dst": "in"}]}, {"command": ["./run.sh"]}, {"command": "./run.sh"}]}""")
    result = home.kq("sub", "-n", "j", "-f", "job.json", "--fetch", "o")
    assert result.code == 0, result
    assert [home.read(f"o/{n}/stdout.txt") for n in (1, 2, 3)] == ["bc", "ac", "ac"]
    home.file("bad.json", '{"tasks": [{"command": "true"}, {"command": ["bin/x", "y"]}]}')
    result = home.kq("sub", "--no-wait", "-f", "bad.json")
    assert result.code == 2 and "tasks[1].command" in result.err, result
    assert home.kq("sub", "--no-wait", "-f", "job.json", "echo").code == 2


@test("resources of single tasks of a job file, and -r over the common ones")
def _(home):
    home.file("job.json", '{"resources": {"cpu": 0.25}, "tasks": [{"command": "true"}, {"command": "true", "resources": {"cpu": 0.5}}]}')
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-f", "job.json").code == 0
    out = home.kq("dumpjob", "j").out
    assert '"cpu":0.25' in out and '"cpu":0.5' in out, out
    assert home.kq("sub", "-n", "k", "--no-nodes", "--no-wait", "-r", "cpu=0.125,memory=1M", "-f", "job.json").code == 0
    out = home.kq("dumpjob", "k").out
    assert '"cpu":0.125' in out and '"cpu":0.5' in out and '"cpu":0.25' not in out and '"memory":1000000' in out, out
    result = home.kq("sub", "--no-wait", "-r", "cpu=4000", "-f", "job.json")
    assert result.code == 2 and "cpu=4000" in result.err, result


@test("--rerun=any keeps results of another command and says how many; rows that are gone are forgotten")
def _(home):
    home.file("p.csv", "n\n1\n2\n3\n")
    assert home.kq("sub", "-n", "j", "-p", "p.csv", "echo one {n}").code == 0
    home.file("p.csv", "n\n3\n1\n")
    result = home.kq("sub", "-n", "j", "--rerun=any", "-p", "p.csv", "--fetch", "o", "echo two {n}")
    assert result.code == 0 and "2 tasks keep their results" in result.err, result
    assert "2 of these results were made by another command" in result.err, result
    assert home.read("o/1/stdout.txt") == "one 3\n" and home.read("o/2/stdout.txt") == "one 1\n"
    result = home.kq("sub", "-n", "j", "--rerun", "-p", "p.csv", "--fetch", "o", "echo two {n}")
    assert result.code == 0 and home.read("o/1/stdout.txt") == "two 3\n", (result, home.read("o/1/stdout.txt"))
    assert home.kq("sub", "--rerun", "true").code == 2, "--rerun needs a name"
    assert home.kq("sub", "-n", "new", "--rerun", "true").code == 0, "the first time there is nothing to keep"


@test("--dry-run takes rows from stdin, gives the code it would give, and makes no store")
def _(home):
    result = home.kq("sub", "--dry-run", "-p", "-", "echo", "{a}", stdin="a\n1\n2\n")
    assert result.code == 0 and "tasks:   2" in result.out, result
    assert home.kq("sub", "--dry-run", "-p", "-", "echo", "{b}", stdin="a\n1\n").code == 2
    assert not os.path.exists(os.path.join(home.path, "queue.db")), os.listdir(home.path)
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "true")
    assert home.kq("sub", "--dry-run", "-n", "j", "true").code == 2


@test("an interruption before the job is visible undoes everything")
def _(home):
    for sig, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        child = home.start("sub", "-n", "big", "--no-nodes", "--no-wait", "--seq", "20000000", "echo {index}")
        time.sleep(0.3)
        child.send_signal(sig)
        _, err = child.communicate(timeout=30)
        assert child.returncode == code and "Interrupted, nothing was submitted" in err, (sig, child.returncode, err)
        assert stored(home) == [], stored(home)
    result = home.kq("sub", "-n", "big", "--no-nodes", "--no-wait", "true")
    assert result.code == 0, result


@test("an interrupted wait for rows on stdin ends at once")
def _(home):
    child = subprocess.Popen([BINARY, "sub", "--no-nodes", "--no-wait", "-p", "-", "echo"], env=home.env, cwd=home.cwd, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == 130
    child.communicate()
    assert stored(home) == []


@test("a full disk: exit 6, nothing is submitted, and there is room again")
def _(home):
    os.mkdir(home.path)
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3M", "tmpfs", home.path], check=False, capture_output=True).returncode:
        raise Skip("mounting a small tmpfs needs root")
    try:
        home.file("big.bin", os.urandom(6_000_000))
        result = home.kq("sub", "-n", "a", "--no-nodes", "--no-wait", "-u", "big.bin", "true")
        assert result.code == 6 and "no space" in result.err.lower(), result
        result = home.kq("sub", "-n", "b", "--no-nodes", "--no-wait", "--seq", "300000", "echo {index}")
        assert result.code == 6, result
        assert stored(home) == [], stored(home)
        temporary = os.path.join(home.path, "CAS", ".tmp")
        assert not os.path.isdir(temporary) or os.listdir(temporary) == [], os.listdir(temporary)
    finally:
        subprocess.run(["umount", "-l", home.path], check=False)


@test("a params file that changes while it is read is refused")
def _(home):
    path = home.file("p.csv", "x\n" + "".join(f"{i}\n" for i in range(2_000_000)))
    child = home.start("sub", "-n", "j", "--no-nodes", "--no-wait", "-p", "p.csv", "echo {x}")
    wait_for(lambda: os.path.exists(os.path.join(home.path, "queue.db")), 10)
    with open(path, "ab") as out:
        out.write(b"more\n")
    _, err = child.communicate(timeout=60)
    if child.returncode == 0:
        raise Skip("it was read before it changed")
    assert child.returncode == 2 and "p.csv changed while it was read" in err, (child.returncode, err)
    assert stored(home) == []


@test("a name used again: what an earlier job left is moved away before anything runs")
def _(home):
    assert home.kq("sub", "-n", "j", "echo old").code == 0
    assert home.kq("clean", "j").code == 0
    results = os.path.join(home.path, "results")
    assert os.path.exists(os.path.join(results, "j", "1", "stdout.txt"))
    home.end_nodes()
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "echo new").code == 0
    moved = [name for name in os.listdir(results) if name.startswith("j~")]
    assert len(moved) == 1 and os.path.exists(os.path.join(results, moved[0], "1", "stdout.txt")), os.listdir(results)
    assert not os.path.exists(os.path.join(results, "j", "1")), "results of two jobs are mixed"


@test("inputs in Cloud Storage are refused for now with a sentence")
def _(home):
    result = home.kq("sub", "--no-wait", "-u", "gs://bucket/key", "true")
    assert result.code == 2 and "gs://bucket/key" in result.err, result
    home.file("p.csv", "k\nx\n")
    result = home.kq("sub", "--no-wait", "-p", "p.csv", "-u", "gs://bucket/{k}", "true")
    assert result.code == 2 and "gs://bucket/x" in result.err, result
    assert stored(home) == []


@test("--nodes N has N nodes, --no-nodes none")
def _(home):
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "true").code == 0
    assert home.node_pids() == [], home.node_pids()
    result = home.kq("sub", "-n", "k", "--nodes", "2", "true")
    assert result.code == 0, result
    assert len(home.node_pids()) == 2, home.node_pids()


main()
