"""Running tasks: states, reasons, environment, outputs, result.json, limits, retries."""
import json
import os
import signal
import time

from kq import main, test, wait_for


def labels(home, job):
    result = home.kq("status", job)
    assert result.code == 0, result
    return result.out.strip().split(": ", 1)[1].split("  ")[0]


@test("one plain word runs; the printed lines come in the contract's order")
def _(home):
    home.file("in.txt", "x")
    result = home.kq("sub", "-n", "j", "-u", "in.txt", "true")
    assert result.code == 0 and result.out == "", result
    want = ["Uploading in.txt (1 bytes)", "Submitting job with id: j", "Saved task definition batch containing 1 tasks",
            "Saved job definition with 1 tasks", "Adding initial node for cluster", "Node's log will be written to: ",
            "Waiting for job to terminate", "Tasks: ", "Done waiting for job to complete, results written to ",
            "You can download results via 'kubeque fetch j'"]
    at = 0
    for text in want:
        while at < len(result.lines) and not result.lines[at].startswith(text):
            at += 1
        assert at < len(result.lines), (text, result)
    again = home.kq("sub", "-n", "k", "true")
    assert "Cluster already exists, not adding node. Cluster status: RUNNING: 1" in again.err, again


@test("labels: code, signal, missing program, not executable")
def _(home):
    home.file("plain", "data\n")
    for job, command, label, code in (
            ("c0", ["true"], "complete(code=0): 1", 0), ("c3", ["exit 3"], "complete(code=3): 1", 1),
            ("sig", ["kill -9 $$"], "complete(code=signaled(SIGKILL)): 1", 1),
            ("none", ["no-such-program-at-all"], "complete(code=127): 1", 1),
            ("none2", ["no-such-program-at-all", "x"], "complete(code=127): 1", 1),
            ("noexec", ["-u", "plain", "./plain"], "complete(code=126): 1", 1)):
        result = home.kq("sub", "-n", job, *command)
        assert result.code == code, result
        assert labels(home, job) == label, (job, labels(home, job))
    log = home.kq("logs", "none")
    assert log.code == 0 and len(log.out.splitlines()) == 1 and "no-such-program-at-all" in log.out, log


@test("stdout and stderr interleave in stdout.txt; stdin is empty; the directory is fresh")
def _(home):
    result = home.kq("sub", "-n", "j", "--fetch", "o", "sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done; cat; ls -A; pwd | grep -c ' '")
    assert home.read("o/1/stdout.txt") == "o1\ne1\no2\ne2\no3\ne3\n0\n", (home.read("o/1/stdout.txt"), result)


@test("result.json holds what the contract lists")
def _(home):
    home.file("p.csv", "a\n7\n")
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "--fetch", "o", "sh", "-c", "mkdir d; echo x > d/out; exit 4", "{a}")
    assert result.code == 1, result
    got = json.loads(home.read("o/1/result.json"))
    for key in ("job", "task", "attempt", "node", "command", "parameters", "return_code", "started", "ended", "files", "resource_usage"):
        assert key in got, key
    assert got["job"] == "j" and got["task"] == 1 and got["attempt"] == 1 and got["parameters"] == {"a": "7"}, got
    assert got["return_code"] == "4", got["return_code"]
    assert got["started"].endswith("Z") and len(got["started"]) == 24, got["started"]
    files = {entry["src"]: entry for entry in got["files"]}
    assert files["d/out"]["bytes"] == 2 and len(files["d/out"]["sha256"]) == 64, files
    for key in ("user_cpu_time", "system_cpu_time", "max_memory_size", "block_input_ops", "block_output_ops", "elapsed"):
        assert isinstance(got["resource_usage"][key], (int, float)), key
    assert got["resource_usage"]["max_memory_size"] > 100_000
    assert home.read("o/1/d/out") == "x\n"


@test("the submitter's environment arrives, less what is left out; --env wins")
def _(home):
    env = {"MY_OWN": "here", "UNSEEN": "whispered", "KUBEQUE_X": "1", "SSH_TTY": "1", "DISPLAY": ":0", "PASSED": "p"}
    result = home.kq("sub", "-n", "j", "--fetch", "o", "--env", "E=1", "--env", "E=2", "--env", "PASSED", "sh", "-c",
                     'echo "$MY_OWN $E $PASSED|$SSH_TTY$DISPLAY|$OLDPWD"; test "$PWD" = "$(pwd)" && env | grep -c ^KUBEQUE_', env=env)
    assert result.code in (0, 1), result
    assert home.read("o/1/stdout.txt") == "here 2 p||\n0\n", home.read("o/1/stdout.txt")
    result = home.kq("sub", "--no-wait", "--env", "NOT_SET_ANYWHERE", "true")
    assert result.code == 2 and "NOT_SET_ANYWHERE" in result.err, result
    result = home.kq("sub", "-n", "k", "--clean-env", "--fetch", "o2", "sh", "-c", "env | cut -d= -f1 | grep -v ^KQ_ | sort | tr '\\n' ' '", env=env)
    assert set(home.read("o2/1/stdout.txt").split()) <= {"PATH", "HOME", "USER", "LANG", "TZ", "PWD", "_", "SHLVL", "OLDPWD"}, home.read("o2/1/stdout.txt")
    assert "whispered" not in home.kq("dumpjob", "j").out, "the environment leaked into dumpjob"


@test("umask and limits are those of sub")
def _(home):
    import subprocess
    from kq import BINARY
    done = subprocess.run(["bash", "-c", f"umask 027; ulimit -S -n 321; '{BINARY}' sub -n j --fetch o 'umask; ulimit -n; touch f'"], env=home.env,
                          cwd=home.cwd, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done
    assert home.read("o/1/stdout.txt") == "0027\n321\n", home.read("o/1/stdout.txt")


@test("timeout: failed(timeout), TERM first, KILL after the grace period; leftovers die")
def _(home):
    home.file(".kubeque", "[config]\ngrace_period=1\n")
    result = home.kq("sub", "-n", "j", "--timeout", "1s", "--fetch", "o", "trap 'echo got term; exit 0' TERM; sleep 100 & wait")
    assert result.code == 1 and labels(home, "j") == "failed(timeout): 1", result
    assert "got term" in home.read("o/1/stdout.txt")
    assert json.loads(home.read("o/1/result.json"))["return_code"] == "0"
    started = time.monotonic()
    result = home.kq("sub", "-n", "k", "--timeout", "1s", "trap '' TERM; while :; do sleep 0.1; done")
    assert labels(home, "k") == "failed(timeout): 1" and time.monotonic() - started < 12, result


@test("what survives the first process is ended before outputs are collected")
def _(home):
    result = home.kq("sub", "-n", "j", "--fetch", "o", "sh -c 'echo $$ > pid; exec sleep 1000' & sleep 0.2; true")
    assert result.code == 0, result
    pid = int(home.read("o/1/pid"))
    wait_for(lambda: not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().split()[2] == "Z")


@test("outputs: globs, excludes, hidden files, symlinks, special files, modes")
def _(home):
    result = home.kq("sub", "-n", "j", "--fetch", "o", "--results", "**", "--exclude", "*.tmp", "sh", "-c",
                     "mkdir -p a/b __pycache__; echo 1 >a/b/f.txt; echo 2 >.hid; echo 3 >x.tmp; echo 4 >a/y.tmp; mkfifo pipe; "
                     "ln -s a/b/f.txt in; ln -s /etc/passwd out; ln -s a dir; echo 5 >__pycache__/c; echo 6 >run; chmod 4755 run; mkdir empty")
    assert result.code == 0, result
    found = sorted(os.path.relpath(os.path.join(folder, name), os.path.join(home.cwd, "o/1"))
                   for folder, _, names in os.walk(os.path.join(home.cwd, "o/1")) for name in names)
    assert found == sorted([".hid", "a/b/f.txt", "a/y.tmp", "in", "result.json", "run", "stdout.txt"]), found
    assert os.stat(os.path.join(home.cwd, "o/1/run")).st_mode & 0o7777 & ~0o022 in (0o755,), oct(os.stat(os.path.join(home.cwd, "o/1/run")).st_mode)
    skipped = {entry["src"] if isinstance(entry, dict) else entry for entry in json.loads(home.read("o/1/result.json"))["skipped"]}
    assert {"pipe", "out", "dir"} <= skipped, skipped
    result = home.kq("sub", "-n", "k", "--fetch", "o2", "--results", "*.txt", "sh", "-c", "mkdir d; echo 1 >a.txt; echo 2 >d/b.txt; echo 3 >c.csv")
    assert sorted(os.listdir(os.path.join(home.cwd, "o2/1"))) == ["a.txt", "result.json", "stdout.txt"], os.listdir(os.path.join(home.cwd, "o2/1"))


@test("a task's own result.json and stdout.txt are published as task.*")
def _(home):
    result = home.kq("sub", "-n", "j", "--fetch", "o", "sh", "-c", "echo mine >result.json; echo mine >stdout.txt; echo real")
    assert result.code == 0, result
    assert home.read("o/1/task.result.json") == "mine\n" and home.read("o/1/task.stdout.txt") == "mine\n"
    assert home.read("o/1/stdout.txt") == "real\n"
    assert json.loads(home.read("o/1/result.json"))["job"] == "j"


@test("retries: as many as asked, none for a missing program, outputs of the last")
def _(home):
    result = home.kq("sub", "-n", "j", "--retries", "2", "--fetch", "o", 'echo "$KQ_ATTEMPT" >n; test "$KQ_ATTEMPT" = 3', timeout=60)
    assert result.code == 0, result
    assert home.read("o/1/n") == "3\n" and json.loads(home.read("o/1/result.json"))["attempt"] == 3
    result = home.kq("sub", "-n", "k", "--retries", "2", "no-such-program-at-all")
    assert result.code == 1 and "1" in home.kq("status", "--tasks", "--jsonl", "k").out, result
    dump = json.loads(home.kq("dumpjob", "k").out)
    assert len(dump["tasks"][0]["attempts"]) == 1, dump
    why = home.kq("explain", "j.1")
    assert why.code == 0 and "attempt" in why.out.lower(), why


@test("kill: within a second, killed label, the waiting client returns 1")
def _(home):
    waiting = home.start("sub", "-n", "j", "--seq", "4", "sleep 100")
    wait_for(lambda: "claimed" in home.kq("status", "j").out)
    started = time.monotonic()
    result = home.kq("kill", "j")
    assert result.code == 0, result
    assert waiting.wait(10) == 1
    assert time.monotonic() - started < 5
    assert labels(home, "j") == "killed: 4", labels(home, "j")


@test("Ctrl-C of the client leaves the job running, with the contract's words")
def _(home):
    child = home.start("sub", "-n", "j", "sleep 1; echo done")
    wait_for(lambda: "claimed" in home.kq("status", "j").out)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=10)
    assert child.returncode == 130 and "Interrupted -- Exiting, but your job will continue to run unaffected." in err, err
    assert home.kq("watch", "j").code == 0


@test("max-running and -j bound what runs at once")
def _(home):
    for option in ("--max-running", "-j"):
        job = "m" + option.strip("-")
        result = home.kq("sub", "-n", job, option, "1", "--seq", "4", "--fetch", "o" + job, "date +%s%N; sleep 0.1; date +%s%N")
        assert result.code == 0, result
        spans = sorted(tuple(map(int, home.read(f"o{job}/{n}/stdout.txt").split())) for n in range(1, 5))
        assert all(spans[i][1] <= spans[i + 1][0] for i in range(3)), spans


@test("-j above the CPUs runs as many at once")
def _(home):
    count = 2 * len(os.sched_getaffinity(0)) + 1
    result = home.kq("sub", "-n", "j", "-j", str(count), "--seq", str(count), "--fetch", "o", "date +%s%N; sleep 1; date +%s%N")
    assert result.code == 0, result
    spans = [tuple(map(int, home.read(f"o/{n}/stdout.txt").split())) for n in range(1, count + 1)]
    assert max(span[0] for span in spans) < min(span[1] for span in spans), spans


@test("priority: higher first among waiting jobs")
def _(home):
    marks = os.path.join(home.top, "marks")
    home.kq("sub", "-n", "low", "--no-nodes", "--no-wait", "-r", "cpu=0.1", "--max-running", "1", f"echo low >> {marks}")
    home.kq("sub", "-n", "high", "--no-nodes", "--no-wait", "--priority", "5", f"sleep 0.3; echo high >> {marks}")
    home.file(".kubeque", "[config]\nnode_cpu=1\n")
    assert home.kq("sub", "-n", "last", "--priority", "-5", f"echo last >> {marks}").code == 0
    assert home.kq("status", "--wait", "*").code == 0
    with open(marks, encoding="ascii") as source:
        assert source.read().split()[-1] == "last"


@test("the node outlives tasks that wreck their work directory")
def _(home):
    for job, command in (("mv", 'mv "$KQ_WORK" "$KQ_WORK.moved"'), ("rm", 'rm -rf "$KQ_WORK"'), ("chmod", 'mkdir x; chmod 0 x "$KQ_WORK"'),
                         ("deep", "python3 -c \"import os\nfor i in range(3000): os.mkdir('d'); os.chdir('d')\"")):
        result = home.kq("sub", "-n", job, command, timeout=60)
        assert result.code in (0, 1), result
        assert "claimed" not in labels(home, job) and "pending" not in labels(home, job), labels(home, job)
    assert home.kq("sub", "-n", "after", "true").code == 0
    assert home.kq("nodes", "--jsonl").out.count("\n") == 1


@test("--outputs failed and none leave directories only where asked; tasks.csv knows all")
def _(home):
    home.file("p.csv", "c\n0\n5\n")
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "--outputs", "failed", "--fetch", "o", "exit {c}")
    assert result.code == 1, result
    assert not os.path.exists(os.path.join(home.cwd, "o/1")) and os.path.exists(os.path.join(home.cwd, "o/2/result.json"))
    assert home.read("o/tasks.csv").count("\n") == 3, home.read("o/tasks.csv")


@test("--show copies output to stdout in task order; -q prints the id; --json the sum")
def _(home):
    result = home.kq("sub", "-n", "j", "--seq", "3", "--show", "sleep 0.$((4-{index})) 2>/dev/null; echo t{index}".replace("$((4-{index}))", "1"))
    assert result.code == 0 and result.out == "t1\nt2\nt3\n", result
    result = home.kq("sub", "-q", "-n", "k", "true")
    assert result.code == 0 and result.out == "k\n", result
    result = home.kq("sub", "--json", "-n", "l", "--seq", "2", "true")
    got = json.loads(result.out)
    assert got["job"] == "l" and got["tasks"] == 2, result


@test("--wait-timeout ends with 4, the job goes on")
def _(home):
    result = home.kq("sub", "-n", "j", "--wait-timeout", "1s", "sleep 2")
    assert result.code == 4, result
    assert home.kq("watch", "j").code == 0


@test("--keep-work keeps the work directory; else it goes")
def _(home):
    result = home.kq("sub", "-n", "j", "--keep-work", "--fetch", "o", "pwd; echo x >f")
    assert result.code == 0, result
    kept = [os.path.join(folder, "f") for folder, _, names in os.walk(os.path.join(home.path, "work")) if "f" in names]
    assert len(kept) == 1, (kept, [path for path, _, _ in os.walk(home.path)])


@test("--max-stdout cuts with a notice")
def _(home):
    result = home.kq("sub", "-n", "j", "--max-stdout", "10K", "--fetch", "o", "head -c 1000000 /dev/zero | tr '\\0' x")
    size = os.stat(os.path.join(home.cwd, "o/1/stdout.txt")).st_size
    assert size < 50_000, (size, result)


main()
