"""Big jobs: what is printed stays short, and memory does not grow with the number of tasks."""
import json
import os
import re
import subprocess
from datetime import datetime

from kq import BINARY, Skip, main, test


def peak(home, *words):
    """Runs a command with its output thrown away; its peak memory in KiB, at least our own (the
    kernel counts what a process was before exec)."""
    with open("/dev/null", "r+b") as null:
        child = subprocess.Popen([BINARY, *words], stdin=null, stdout=null, stderr=null, env=home.env, cwd=home.cwd)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, (words, child.returncode)
    return usage.ru_maxrss


@test("memory of listings does not grow: 10,000 and 100,000 tasks; status costs the same")
def _(home):
    if "asan" in BINARY:
        raise Skip("a sanitizer keeps freed memory: it is measured without one")
    sizes = (10000, 100000)
    submitted = []
    for n in sizes:
        with open(f"{home.cwd}/r{n}.csv", "w", encoding="ascii") as out:
            out.write("a,b,c\n")
            for i in range(n):
                out.write(f"{i},value {i},{i * i}\n")
        submitted.append(peak(home, "sub", "-n", f"j{n}", "-p", f"r{n}.csv", "--no-nodes", "--no-wait", "echo {a}"))
    assert submitted[1] < 65536 and submitted[1] < submitted[0] + 4096, submitted
    for words in (("status", "J"), ("status", "J", "--detailed"), ("status", "J", "--json"), ("status", "J", "--tasks", "--json"),
                  ("status", "J", "--tasks"), ("dumpjob", "J"), ("dumpjob", "J", "--spec"), ("listparams", "J", "-"),
                  ("listparams", "J", "-", "-i"), ("fetch", "J", "--dest", "f"), ("logs", "J"), ("explain", "J")):
        small, large = (peak(home, *[f"j{n}" if word == "J" else f"f{n}" if word == "f" else word for word in words]) for n in sizes)
        assert large < 32768 and large < small + 4096, (words, small, large)


@test("above 10 batches one line; --dry-run prints what a big job needs")
def _(home):
    result = home.kq("sub", "-n", "big", "--no-nodes", "--no-wait", "--seq", "20000", "true")
    assert [line for line in result.lines if "batch" in line] == ["Saved 20 task definition batches containing 20000 tasks"], result
    result = home.kq("sub", "-n", "ten", "--no-nodes", "--no-wait", "--seq", "10000", "true")
    assert len([line for line in result.lines if line == "Saved task definition batch containing 1000 tasks"]) == 10, result
    out = home.kq("sub", "--dry-run", "--seq", "3", "true").out
    assert re.search(r"\d+ bytes and (\d+|unlimited) inodes free", out), out


@test("failures of a job above 1,000 tasks are grouped, the first 20 with counts; --failures lists all")
def _(home):
    result = home.kq("sub", "-n", "j", "--outputs", "failed", "--seq", "1200",
                     "test $((KQ_TASK % 40)) -ne 7 || { echo boom $((KQ_TASK % 3)); exit 4; }", timeout=120)
    assert result.code == 1, result
    out = home.kq("status", "j", "--detailed").out
    groups = re.findall(r"^  (\d+) x complete\(code=4\), first j\.(\d+): boom (\d)$", out, re.M)
    assert sum(int(group[0]) for group in groups) == 20 and len(groups) == 3, out
    assert len(home.kq("status", "j", "--failures", "-q").out.split()) == 30
    assert len(out.splitlines()) < 15, out
    result = home.kq("fetch", "j", "--dest", "d")
    assert result.code == 0 and len(os.listdir(home.cwd + "/d")) == 31, result
    assert len(home.read("d/tasks.csv").splitlines()) == 1201


@test("Tasks: and Nodes: lines: at most one a second, and always the last")
def _(home):
    result = home.kq("sub", "-n", "j", "--seq", "40", "sleep 0.1", timeout=60)
    times = [datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f") for line in result.err.splitlines() if " Tasks: " in line]
    assert len(times) >= 2, result
    for before, after in zip(times[:-2], times[1:-1]):
        assert (after - before).total_seconds() > 0.9, result
    tasks = [line for line in result.lines if line.startswith("Tasks: ")]
    assert tasks[-1] == "Tasks: complete(code=0): 40", result
    labels = [part.split(": ")[0] for part in tasks[1][len("Tasks: "):].split(", ")]
    assert labels == sorted(labels), tasks
    answer = json.loads(home.kq("status", "j", "--json").out)
    assert answer[0]["counts"] == {"complete(code=0)": 40}


main()
