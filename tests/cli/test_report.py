"""Looking back and looking on: report, diff, top."""
import csv
import io
import json
import os
import pty
import re
import select
import signal
import time

from kq import BINARY, main, test, wait_for


def sweep(home, job, rows, *options):
    """A job whose tasks do what their column `do` says."""
    home.file(job + ".csv", "lr,seed,do\n" + "".join(f"{lr},{seed},{do}\n" for lr, seed, do in rows))
    assert home.kq("sub", "-q", "-n", job, "-p", job + ".csv", *options, 'eval "$KQ_PARAM_do"').code in (0, 1)


ROWS = [("0.1", 1, "true"), ("0.1", 2, "sleep 0.3"), ("0.02", 1, "exit 3"), ("0.02", 2, "head -c 60000000 /dev/zero | sort >/dev/null"),
        ("3", 1, "true"), ("3", 2, "kill -9 $$")]


def sections(text):
    """{title: [line, ...]} of the tables of a report."""
    return {block.split("\n")[0]: block.split("\n")[1:] for block in text.strip().split("\n\n")}


@test("report: what took longest, needed most memory, failed most; tables by parameter, values in order")
def _(home):
    sweep(home, "j", ROWS, "--retries", "1")
    result = home.kq("report", "j")
    assert result.code == 0, result
    parts = sections(result.out)
    assert list(parts) == ["slowest", "most memory", "most failures", "by lr", "by seed", "by do"], result
    rows = [row for row in json.loads(home.kq("status", "--tasks", "--json", "j").out)]
    slowest = [f"j.{row['task']}" for row in sorted(rows, key=lambda row: -row["seconds"])]
    assert slowest[0] in ("j.2", "j.4") and [line.split()[0] for line in parts["slowest"][1:]] == slowest[:5], result
    assert parts["most memory"][1].startswith("j.4 "), result
    assert [line.split()[0] for line in parts["most failures"][1:]] == ["j.3", "j.6"], result
    assert [line.split()[:3] for line in parts["by lr"][1:]] == [["0.02", "2", "1"], ["0.1", "2", "0"], ["3", "2", "1"]], result
    assert home.kq("report").out == result.out  # the last job
    assert home.kq("report", "--top", "1", "-q").out.split() == [*dict.fromkeys([slowest[0], "j.4", "j.3"])]


@test("report: for machines all rows are in one table; --by chooses parameters, also of many values")
def _(home):
    rows = [(i, i % 2, "true") for i in range(1, 31)]
    sweep(home, "many", rows)
    assert "by lr" not in home.kq("report", "many").out
    table = list(csv.DictReader(io.StringIO(home.kq("report", "many", "--by", "lr", "--by", "seed", "--format", "csv").out)))
    groups = [row for row in table if row["section"] == "by"]
    assert [row["value"] for row in groups if row["parameter"] == "lr"] == [str(i) for i in range(1, 31)], groups
    assert [(row["value"], row["tasks"], row["failed"]) for row in groups if row["parameter"] == "seed"] == [
        ("0", "15", "0"), ("1", "15", "0")], groups
    row = groups[0]
    assert float(row["median"]) == float(row["mean"]) == float(row["max"]) > 0 and int(row["max_memory"]) > 0, row
    slowest = [float(row["seconds"]) for row in table if row["section"] == "slowest"]
    assert slowest == sorted(slowest, reverse=True) and len(slowest) == 5, slowest
    assert json.loads(home.kq("report", "many", "--json").out)[0]["section"] == "slowest"
    assert all(json.loads(line) for line in home.kq("report", "many.3-4", "--jsonl").out.splitlines())
    result = home.kq("report", "many", "--by", "sed")
    assert result.code == 2 and "did you mean seed?" in result.err, result
    assert home.kq("report", "nosuch").code == 3


@test("report: a job that has not ended, and one without parameters")
def _(home):
    home.kq("sub", "-q", "-n", "w", "--no-nodes", "--no-wait", "--seq", "3", "true")
    assert home.kq("report", "w", "--by", "index", "--json").code == 0
    assert home.kq("report", "w").out == "", home.kq("report", "w")
    home.kq("sub", "-q", "-n", "one", "true")
    assert sections(home.kq("report", "one").out).keys() == {"slowest", "most memory"}


@test("diff: the submission, parameters that only one has, outcomes; tasks are matched by parameters")
def _(home):
    sweep(home, "a", ROWS[:4])
    sweep(home, "b", [ROWS[3], ROWS[0], ("0.1", 2, "sleep 0.3"), ("7", 7, "true")], "-r", "memory=1G", "--env", "TOKEN=secret",
          "--priority", "4")
    result = home.kq("diff", "a", "b", "--jsonl", "--factor", "1000")
    rows = {(row["task"], row["change"]): row for row in map(json.loads, result.out.splitlines())}
    assert set(rows) == {(None, "env TOKEN"), (None, "priority"), (None, "resource memory"), ("a.3", "only in a"), ("b.4", "only in b")}, result
    assert "secret" not in result.out
    assert rows["b.4", "only in b"]["parameters"] == {"lr": "7", "seed": "7", "do": "true"}
    assert (rows[None, "resource memory"]["before"], rows[None, "resource memory"]["after"]) == ("0", "1000000000")
    assert home.kq("diff", "a", "b", "-q", "--factor", "1000").out.split() == ["a.3", "b.4"]
    assert home.kq("diff", "a", "b", "--format", "csv").out.startswith("task,change,parameters,before,after\n")
    same = home.kq("diff", "a", "a")
    assert same.code == 0 and same.out == "" and "do not differ" in same.err, same
    assert home.kq("diff", "a", "nosuch").code == 3


@test("diff: outcomes, and times and memory beyond a factor")
def _(home):
    script = 'case $KQ_PARAM_what in fail) exit $CODE;; slow) sleep $SLEEP;; fat) head -c $BYTES /dev/zero | sort >/dev/null;; esac'
    home.file("p.csv", "what\nfail\nslow\nfat\nsame\n")
    for job, code, sleep, size in (("x", 3, 0, 1000), ("y", 4, 1.2, 90000000)):
        home.kq("sub", "-q", "-n", job, "-p", "p.csv", "--env", f"CODE={code}", "--env", f"SLEEP={sleep}", "--env", f"BYTES={size}", script)
    rows = [json.loads(line) for line in home.kq("diff", "x", "y", "--jsonl").out.splitlines()]
    rows = [row for row in rows if (row["task"], row["change"]) != ("y.3", "time")]  # on a busy machine
    tasks = [(row["task"], row["change"]) for row in rows if row["task"]]
    assert tasks == [("y.1", "outcome"), ("y.2", "time"), ("y.3", "memory")], rows
    assert (rows[-3]["before"], rows[-3]["after"]) == ("complete(code=3)", "complete(code=4)"), rows
    assert rows[-2]["after"] > 1.1 and rows[-1]["after"] > 80000000, rows
    table = home.kq("diff", "x", "y").out
    assert re.search(r"y\.2 +time +what: slow +\S+s +1\.\d+s", table), table
    assert not [row for row in home.kq("diff", "x", "y", "--factor", "1000000", "--jsonl").out.splitlines() if '"time"' in row]
    assert home.kq("diff", "x", "y", "--factor", "0.5").code == 2


def running(home):
    home.file("go.csv", "name\nalpha\nbeta\n")
    home.kq("sub", "-q", "-n", "r", "--no-wait", "-p", "go.csv", "-j", "2", "echo first; echo at {name}; exec sleep 1000")
    wait_for(lambda: home.kq("logs", "r").out.count("at ") == 2)


@test("top: shown once where there is no terminal: jobs, nodes, tasks with the last line they printed")
def _(home):
    assert "jobs: 0 open  nodes: 0  tasks running: 0" in home.kq("top").out
    assert not os.path.exists(home.path)
    running(home)
    result = home.kq("top")
    assert "jobs: 1 open  nodes: 1  tasks running: 2" in result.out, result
    assert re.search(r"^r\.1 .* name: alpha +at alpha$", result.out, re.M), result
    rows = json.loads(home.kq("top", "--json").out)
    assert [row["kind"] for row in rows] == ["job", "node", "task", "task"], rows
    assert rows[0]["id"] == "r" and rows[0]["running"] == 2 and rows[0]["tasks"] == 2, rows
    assert {row["output"] for row in rows[2:]} == {"at alpha", "at beta"} and rows[2]["seconds"] >= 0, rows
    assert home.kq("top", "-q").out.split()[-2:] in (["r.1", "r.2"], ["r.2", "r.1"])
    home.kq("kill", "r")


class Terminal:
    def __init__(self, home, *argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home.cwd)
            os.execve(BINARY, [BINARY, *argv], dict(home.env, TERM="xterm"))
        self.raw = ""

    def until(self, *patterns, seconds=15):
        """Reads until each pattern has come since the last call."""
        end = time.monotonic() + seconds
        while not all(re.search(pattern, self.raw) for pattern in patterns):
            assert time.monotonic() < end, (patterns, self.raw[-3000:])
            if select.select([self.fd], [], [], 0.2)[0]:
                self.raw += os.read(self.fd, 65536).decode(errors="replace")
        text, self.raw = self.raw, ""
        return text

    def ended(self, seconds=15):
        end = time.monotonic() + seconds
        text = self.raw
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status), text
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError("it did not end")


@test("top: live on a terminal; it shows what comes and goes, q and Ctrl-C end it and give the screen back")
def _(home):
    shown = Terminal(home, "top")
    shown.until(r"\x1b\[\?1049h", "jobs: 0 open")
    running(home)
    shown.until("jobs: 1 open", "name: alpha", "at beta")
    home.kq("kill", "r")
    shown.until("jobs: 0 open")
    os.write(shown.fd, b"q")
    code, text = shown.ended()
    assert code == 0 and "\x1b[?1049l" in text, (code, text)
    shown = Terminal(home, "top")
    shown.until("jobs: 0 open")
    os.write(shown.fd, b"\x03")
    code, text = shown.ended()
    assert code == 130 and "\x1b[?1049l" in text, (code, text)


main()
