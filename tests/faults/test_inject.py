"""System calls of a node that fail for a moment: strace is attached to its threads, not to what it runs."""
import concurrent.futures
import os
import re
import shutil
import subprocess

from common import check_results, counts, results_dir, rows
from kq import Home, Skip, main, test, wait_for

TASKS = 40
SUCCEEDED = 7


def threads(pid):
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))


def tracer(tid):
    with open(f"/proc/{tid}/status", encoding="ascii") as source:
        return int(re.search(r"^TracerPid:\s*(\d+)", source.read(), re.M).group(1))


class Node:
    """A node in the foreground, and what goes wrong in it."""

    def __init__(self, home):
        if not shutil.which("strace"):
            raise Skip("strace is missing, install it with: apt-get install strace")
        if subprocess.run(["strace", "-qq", "-e", "trace=none", "-o", os.devnull, "true"], check=False, capture_output=True).returncode:
            raise Skip("tracing a process is not permitted here")
        self.home = home
        self.trace = os.path.join(home.top, "trace")
        self.strace = None
        self.log = open(os.path.join(home.top, "node.log"), "wb")
        self.node = home.start("consume", "--cpu", "2", "--linger", "60", stdout=self.log, stderr=self.log)
        wait_for(lambda: "\n" in home.kq("nodes", "--jsonl").out and len(threads(self.node.pid)) > 1)

    def inject(self, what):
        """From now on, as often as `what` says: an expression of strace's option inject=."""
        words = ["strace", "-qq", "-o", self.trace, "-e", "trace=" + what.split(":")[0], "-e", "inject=" + what]
        tids = threads(self.node.pid)
        for tid in tids:
            words += ["-p", str(tid)]
        self.strace = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_for(lambda: self.strace.poll() is not None or all(tracer(tid) == self.strace.pid for tid in tids))
        if self.strace.poll() is not None:
            why = self.strace.stderr.read().decode()
            if "not permitted" in why:
                raise Skip("tracing a running process is not permitted here")
            raise AssertionError(why)

    def injected(self):
        with open(self.trace, encoding="utf-8", errors="replace") as source:
            return source.read().count("(INJECTED)")

    def calm(self):
        if self.strace:
            self.strace.terminate()
            self.strace.wait()
            self.strace.stderr.close()
            self.strace = None

    def said(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as source:
            return source.read()

    def close(self):
        self.calm()
        self.log.close()


@test("results that cannot be put in their place are accepted, and put there by the node itself when that is possible again")
def _(home):
    count = 8
    go = os.path.join(home.top, "go")
    node = Node(home)
    try:
        script = f"touch {home.top}/begun; while test ! -e {go}; do sleep 0.02; done; echo {{index}} | tee out"
        assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--seq", count, script).code == 0
        wait_for(lambda: os.path.exists(os.path.join(home.top, "begun")))
        node.inject("renameat2,?renameat,?rename:error=EIO:when=1+")
        with open(go, "w", encoding="ascii"):
            pass
        # from here on no command of ours looks at the job: it might be that which puts them in place
        wait_for(lambda: len(rows(home, "select k from task where state=?", SUCCEEDED)) == count)
        wait_for(lambda: node.injected() > count)
        places = [os.path.join(results_dir(home, "j"), str(n)) for n in range(1, count + 1)]
        assert not any(os.path.exists(place) for place in places), os.listdir(results_dir(home, "j"))
        node.calm()
        wait_for(lambda: all(os.path.exists(os.path.join(place, "out")) for place in places), 10)
        assert counts(home, "j") == {"complete(code=0)": count}
        results = check_results(home, "j", count, lambda n: f"{n}\n")
        assert all(result["attempt"] == 1 for result in results), results
        assert os.listdir(os.path.join(results_dir(home, "j"), ".attempts")) == []
        assert "cannot publish" in node.said(), node.said()
    finally:
        node.close()


FAILURES = (
    "openat:error=EMFILE:when=20..24", "openat:error=ENOSPC:when=9", "openat:error=EIO:when=31",
    "mkdirat:error=ENOSPC:when=5", "mkdirat:error=EIO:when=2",
    "write:error=ENOSPC:when=3", "write:error=EIO:when=12",
    "pwrite64:error=ENOSPC:when=3..4", "pwrite64:error=EIO:when=5",
    "fdatasync:error=EIO:when=1..2",
    "renameat2:error=EIO:when=2+3", "renameat2:error=ENOSPC:when=1..4",
    "?vfork,clone:error=EAGAIN:when=3..6",
    "unlinkat:error=EIO:when=2+5",
)


def one_failure(what, number):
    """A job on a node of its own to which that happens."""
    home = Home()
    node = None
    job = f"f{number}"
    try:
        node = Node(home)
        node.inject(what)
        sub = home.kq("sub", "-n", job, "--no-nodes", "--no-wait", "--seq", TASKS, 'echo "data {index}" >out; echo {index}')
        assert sub.code == 0, sub
        watched = home.kq("watch", job)
        assert watched.code == 0, watched
        assert node.injected(), "it never failed"
        node.calm()
        assert node.node.poll() is None, "the node did not live on"
        assert counts(home, job) == {"complete(code=0)": TASKS}, counts(home, job)
        check_results(home, job, TASKS, lambda n: f"{n}\n")
        names = [name for name in os.listdir(results_dir(home, job)) if name.isdigit()]
        assert len(names) == TASKS, names
        for name in names:
            with open(os.path.join(results_dir(home, job), name, "out"), encoding="ascii") as source:
                assert source.read() == f"data {name}\n", name
    except Skip:
        raise
    except Exception as why:
        raise AssertionError(f"{what}: {why}\n{node.said()[-3000:] if node else ''}") from why
    finally:
        if node:
            node.close()
        home.close()


@test("system calls of a node fail for a moment (no space, no descriptors, broken disk): each task complete exactly once, and whole")
def _(home):
    del home  # each has its own
    with concurrent.futures.ThreadPoolExecutor(len(FAILURES)) as pool:
        for done in [pool.submit(one_failure, what, i) for i, what in enumerate(FAILURES)]:
            done.result()


main()
