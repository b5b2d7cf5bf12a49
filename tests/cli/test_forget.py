"""clean of jobs and results in every form, and du: what is said, what goes, what stays."""
import json
import os
import pty
import select
import signal
import time

from kq import BINARY, main, test, wait_for


def results(home, *parts):
    return os.path.join(home.path, "results", *parts)


def waits(home, job, tasks=1):
    home.kq("sub", "-n", job, "--no-nodes", "--no-wait", "--seq", tasks, "true")


def ended(home, *jobs):
    for job in jobs:
        home.kq("sub", "-n", job, "--no-nodes", "--no-wait", "true")
        home.kq("kill", job)


def known(home):
    return sorted(home.kq("list", "-q").out.split())


@test("clean without argument forgets what has ended, a line each and the count; what waits stays")
def _(home):
    ended(home, "a", "b")
    waits(home, "w", 3)
    result = home.kq("clean", "--dry-run")
    assert result.code == 0 and known(home) == ["a", "b", "w"], result
    assert sorted(result.lines)[-2:] == ["a: would be forgotten, 1 task, 0 files (0) of results stay", "b: would be forgotten, 1 task, 0 files (0) of results stay"], result
    assert "Would clean 2 jobs, kept 1 with tasks that have not ended" in result.err, result
    result = home.kq("clean")
    assert result.code == 0 and sorted(result.lines) == ["Cleaned 2 jobs, kept 1 with tasks that have not ended", "a: forgotten, 1 task", "b: forgotten, 1 task"], result
    assert known(home) == ["w"]
    assert home.kq("clean").lines == ["Cleaned 0 jobs, kept 1 with tasks that have not ended"]


@test("clean ID of a job that waits is refused, unless --force; the dry run says the same")
def _(home):
    for count, words in ((1, "has 1 task that still waits: --force forgets it nevertheless"), (3, "has 3 tasks that still wait: --force forgets")):
        waits(home, "w", count)
        for form in (("clean", "w"), ("clean", "--dry-run", "w")):
            result = home.kq(*form)
            assert result.code == 2 and len(result.lines) == 1 and words in result.err and known(home) == ["w"], result
        assert home.kq("clean", "--force", "--dry-run", "w").code == 0 and known(home) == ["w"]
        assert home.kq("clean", "--force", "w").code == 0 and not known(home)


@test("a job with running tasks is refused always, and goes on")
def _(home):
    home.kq("sub", "-n", "r", "--no-wait", "-r", "cpu=0.001", "--priority", "1", "sleep 100")
    wait_for(lambda: "claimed" in home.kq("status", "r").out)
    for words in (("r",), ("--force", "r"), ("--dry-run", "r"), ("--force", "--dry-run", "r"), ("--results", "--yes", "--force", "r")):
        result = home.kq("clean", *words)
        assert result.code == 2 and "job r has 1 running task: kill it first (kubeque kill r)" in result.err, result
    assert "claimed: 1" in home.kq("status", "r").out and os.path.exists(results(home, "r"))
    for job in ("w", "z"):
        home.kq("sub", "-n", job, "--no-nodes", "--no-wait", "-r", "cpu=1", "true")
    home.kq("kill", "w")
    home.kq("kill", "z")
    result = home.kq("clean", "--force")
    assert result.code == 0 and "Cleaned 2 jobs, kept 1" in result.err and "claimed: 1" in home.kq("status", "r").out, result
    home.kq("kill", "r")
    wait_for(lambda: home.kq("clean", "r").code == 0, 5)


@test("patterns, LAST, -q; no such job is 3, a glob without match 0; tasks of a job cannot be forgotten")
def _(home):
    ended(home, "a1", "a2", "b1", "b2")
    waits(home, "a3")
    assert home.kq("clean", "a*").code == 0 and known(home) == ["a3", "b1", "b2"]
    assert home.kq("clean", "nosuch").code == 3
    result = home.kq("clean", "zz*")
    assert result.code == 0 and "Cleaned 0 jobs" in result.err, result
    assert home.kq("clean", "b1.1").code == 2 and known(home) == ["a3", "b1", "b2"]
    assert home.kq("clean", "-q", "b1").out == "b1\n"
    assert home.kq("clean", "--force", "a*").code == 0 and known(home) == ["b2"]
    assert home.kq("clean", "LAST").code == 0 and not known(home)
    assert home.kq("clean", "LAST").code == 3


@test("--results deletes them, of forgotten jobs by their id; --yes is needed where nobody can be asked")
def _(home):
    for job in ("a", "b", "c"):
        home.kq("sub", "-n", job, "echo x >f")
    assert home.kq("clean", "b").code == 0 and os.path.exists(results(home, "b/1/f"))
    for words in (("a",), ("b",), ()):
        result = home.kq("clean", "--results", *words)
        assert result.code == 2 and "--yes" in result.err and len(result.lines) == 1, result
    result = home.kq("clean", "--results", "--dry-run", "a")
    assert result.code == 0 and "4 files" in result.err and os.path.exists(results(home, "a/1/f")), result
    result = home.kq("clean", "--results", "--dry-run", "b")
    assert result.code == 0 and "would delete results of a forgotten job, 4 files" in result.err and os.path.exists(results(home, "b/1/f")), result
    assert home.kq("clean", "--results", "--yes", "a").code == 0 and not os.path.exists(results(home, "a"))
    assert home.kq("clean", "--results", "--yes", "b").code == 0 and not os.path.exists(results(home, "b"))
    assert home.kq("clean", "--results", "--yes", "b").code == 3
    assert home.kq("clean", "--results", "--yes").code == 0 and os.listdir(results(home)) == []
    for words in (("--yes", "--older", "2h"), ("--cas", "x"), ("--cas", "--older", "10m"), ("--cas", "--older", "-1h"), ("--results", "--cas")):
        assert home.kq("clean", *words).code == 2, words


def on_terminal(home, answer, *words):
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(home.cwd)
        os.execve(BINARY, [BINARY, *words], home.env)
    text, end, told = b"", time.monotonic() + 10, False
    while True:
        assert time.monotonic() < end, text
        if select.select([fd], [], [], 0.05)[0]:
            try:
                text += os.read(fd, 4096)
            except OSError:
                break
        if b"[y/N]" in text and not told:
            os.write(fd, answer)
            told = True
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode()


@test("on a terminal --results asks; anything but y keeps them")
def _(home):
    home.kq("sub", "-n", "a", "true")
    for answer in (b"n\n", b"\n", b"\x04", b"\x03"):
        code, text = on_terminal(home, answer, "clean", "--results", "a")
        assert code in (2, 130) and "Delete the results of a for good?" in text and os.path.exists(results(home, "a/1")) and known(home) == ["a"], (code, text)
    code, text = on_terminal(home, b"y\n", "clean", "--results", "a")
    assert code == 0 and not os.path.exists(results(home, "a")), (code, text)


@test("clean in a machine without a store makes none")
def _(home):
    for words in (("clean",), ("clean", "--cas"), ("du",), ("nodes",), ("status",), ("list",), ("clean", "--force")):
        assert home.kq(*words).code == 0, words
    for words in (("clean", "x"), ("status", "x"), ("kill", "x"), ("reset", "x"), ("retry", "x"), ("du", "x"), ("explain", "x")):
        assert home.kq(*words).code == 3, words
    assert not os.path.exists(home.path), "looking made a store"


@test("du: every job, forgotten results, the CAS, work directories of dead nodes; patterns and --json")
def _(home):
    home.file(".kubeque", "[config]\nheartbeat=0.2\nlease=1\n")
    home.file("in", "x" * 10000)
    home.kq("sub", "-n", "a", "-u", "in", "head -c 5000 /dev/zero >f")
    home.kq("sub", "-n", "b", "head -c 3000 /dev/zero >f")
    home.kq("clean", "b")
    home.kq("sub", "-n", "c", "--no-wait", "head -c 100000 /dev/zero >big; echo ok; sleep 100")
    wait_for(lambda: "ok" in home.kq("logs", "c").out)
    for pid in home.node_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not home.node_pids())
    rows = {row["what"]: row for row in json.loads(home.kq("du", "--json").out)}
    assert rows["a"]["kind"] == "job" and 5000 < rows["a"]["bytes"] < 9000 and rows["a"]["files"] == 4, rows["a"]
    assert rows["b"]["kind"] == "forgotten" and rows["b"]["bytes"] > 3000, rows["b"]
    assert rows["CAS"]["bytes"] >= 10000 and rows["work"]["bytes"] >= 100000, rows
    assert [json.loads(line)["what"] for line in home.kq("du", "--jsonl", "b").out.splitlines()] == ["b"]
    assert home.kq("du", "nosuch").code == 3 and home.kq("du", "zz*").code == 0
    home.kq("kill", "c")
    assert home.kq("clean", "--cas").code == 0
    left = {row["what"]: row for row in json.loads(home.kq("du", "--json").out)}
    assert "work" not in left or left["work"]["bytes"] < 100000, left


main()
