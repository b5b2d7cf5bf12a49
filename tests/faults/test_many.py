"""Several clients and nodes on one queue; outages of the queue; a node stopped at a bad moment."""
import os
import re
import signal
import sqlite3
import subprocess
import time

from common import check_results, counts, rows
from kq import main, test, wait_for


def ran(path):
    with open(path, encoding="ascii") as source:
        return source.read().split()


@test("two clients and three consumers, 1,000 tasks: none runs twice while its owner lives")
def _(home):
    log = os.path.join(home.top, "log")
    children = [home.start("sub", "-n", f"j{i}", "--seq", "500", f"echo j{i}.{{index}} >>{log}") for i in range(2)]
    wait_for(lambda: home.kq("status", "j0").code == 0)
    assert home.kq("addnodes", "j0", "2").code == 0
    assert [child.wait(120) for child in children] == [0, 0]
    got = ran(log)
    assert len(got) == 1000 and len(set(got)) == 1000, (len(got), len(set(got)))
    for i in range(2):
        check_results(home, f"j{i}", 500)


@test("an outage of the queue of many leases loses no living node, and no task runs twice")
def _(home):
    home.file(".kubeque", "[config]\nlease=1\nheartbeat=0.25\n")
    log = os.path.join(home.top, "log")
    child = home.start("sub", "-n", "j", "--seq", "60", f"sleep 0.1; echo {{index}} >>{log}")
    wait_for(lambda: counts(home, "j") and counts(home, "j").get("complete(code=0)", 0) > 4)
    home.kq("addnodes", "j", "1")
    wait_for(lambda: len(home.node_pids()) == 2)
    before = set(home.node_pids())
    db = sqlite3.connect(os.path.join(home.path, "queue.db"), isolation_level=None, timeout=30)
    db.execute("begin immediate")
    time.sleep(5)
    db.execute("rollback")
    db.close()
    assert child.wait(90) == 0, child.stderr.read()
    assert before <= set(home.node_pids()), "a living node was lost"
    assert sorted(map(int, ran(log))) == list(range(1, 61)), sorted(ran(log))
    assert all(count == 1 for (count,) in rows(home, "select max(a) from attempt group by k")), "an attempt was repeated"


def stop_inside_transaction(home):
    """Stops the first node that is caught holding the queue's write lock; its pid."""
    db = sqlite3.connect(os.path.join(home.path, "queue.db"), isolation_level=None, timeout=0)

    def is_locked():
        try:
            db.execute("begin immediate")
            db.execute("rollback")
            return False
        except sqlite3.OperationalError:
            return True

    try:
        for i in range(4000):
            if i % 50 == 0:
                pids = home.node_pids()
            for pid in pids:
                try:  # what looks like a node may be its child that is about to become a task
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(0.001)
                    # another node may hold it for a moment; the stopped one holds it for good
                    if is_locked() and not wait_for(lambda: not is_locked(), 0.1, check=False):
                        return pid
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    continue
            time.sleep(0.002)
            if i % 500 == 499:  # it may have ended all it had
                home.kq("sub", "-n", f"more{i}", "--no-wait", "--no-nodes", "--seq", "1000", "/bin/true")
    finally:
        db.close()
    raise AssertionError("no node was ever caught inside a transaction")


@test("a node stopped inside a transaction does not stop the others: a client waits, ends it and goes on")
def _(home):
    home.file(".kubeque", "[config]\nlease=2\nheartbeat=0.5\nlinger=60\n")
    home.kq("sub", "-n", "warm", "true")
    assert home.kq("sub", "-n", "j", "--no-wait", "--seq", "4000", "/bin/true").code == 0
    stop_inside_transaction(home)
    started = time.monotonic()
    result = home.kq("sub", "-n", "other", "--seq", "3", "true", timeout=60)
    assert result.code == 0 and time.monotonic() - started < 30, result
    assert home.kq("watch", "j", timeout=60).code == 0
    assert counts(home, "j") == {"complete(code=0)": 4000}


@test("a node stopped inside a transaction does not stop the others: a node without any client does the same")
def _(home):
    home.file(".kubeque", "[config]\nlease=2\nheartbeat=0.5\nlinger=60\n")
    home.kq("sub", "-n", "warm", "true")
    home.kq("addnodes", "warm", "1")
    wait_for(lambda: len(home.node_pids()) == 2)
    assert home.kq("sub", "-n", "j", "--no-wait", "--seq", "4000", "/bin/true").code == 0
    stuck = stop_inside_transaction(home)
    wait_for(lambda: counts(home, "j") == {"complete(code=0)": 4000}, 60)
    wait_for(lambda: not os.path.exists(f"/proc/{stuck}"))


@test("a consumer stopped past its lease: reaped, completed by another; its late reports change nothing")
def _(home):
    home.file(".kubeque", "[config]\nlease=2\nheartbeat=0.5\nlinger=60\ngrace_period=1\n")
    go = os.path.join(home.top, "go")
    home.kq("sub", "-n", "j", "--no-wait", "--seq", "2", f'echo "$KQ_ATTEMPT" >who; while test ! -e {go}; do sleep 0.05; done; echo done $KQ_ATTEMPT')
    wait_for(lambda: (counts(home, "j") or {}).get("claimed") == 2)
    (first,) = home.node_pids()
    os.kill(first, signal.SIGSTOP)
    with open(go, "w", encoding="ascii"):
        pass
    home.kq("addnodes", "j", "1")
    result = home.kq("watch", "j", timeout=60)
    assert result.code == 0, result
    results = check_results(home, "j", 2)
    assert all(entry["attempt"] == 2 for entry in results), results
    before = subprocess.run(["sh", "-c", f"cd {home.path}/results && find . -type f | sort | xargs sha256sum"], capture_output=True, text=True, check=True).stdout
    os.kill(first, signal.SIGCONT)
    wait_for(lambda: not os.path.exists(f"/proc/{first}") or "lost" in open_log(home).lower(), 30, check=False)
    time.sleep(1)
    after = subprocess.run(["sh", "-c", f"cd {home.path}/results && find . -type f | sort | xargs sha256sum"], capture_output=True, text=True, check=True).stdout
    pick = re.compile(r"^.*\./j/\d+/.*$", re.M)
    assert pick.findall(before) == pick.findall(after), "published results changed"
    assert counts(home, "j") == {"complete(code=0)": 2}


def open_log(home):
    text = ""
    for name in os.listdir(os.path.join(home.path, "nodes")):
        if name.endswith(".log"):
            with open(os.path.join(home.path, "nodes", name), encoding="utf-8", errors="replace") as source:
                text += source.read()
    return text


@test("a node suspended for less than its lease goes on as if nothing had been")
def _(home):
    home.file(".kubeque", "[config]\nlease=6\nheartbeat=0.5\n")
    child = home.start("sub", "-n", "j", "--seq", "4", "sleep 1")
    wait_for(lambda: (counts(home, "j") or {}).get("claimed"))
    (pid,) = home.node_pids()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2)
    os.kill(pid, signal.SIGCONT)
    assert child.wait(30) == 0
    assert all(count == 1 for (count,) in rows(home, "select max(a) from attempt group by k"))


@test("the binary replaced under a node: the node and its tasks go on")
def _(home):
    import shutil
    from kq import BINARY
    own = os.path.join(home.top, "kubeque")
    shutil.copy(BINARY, own)
    home.kq("sub", "-n", "j", "--no-wait", "sleep 1; echo ok", binary=own)
    wait_for(lambda: (counts(home, "j") or {}).get("claimed"))
    os.unlink(own)
    shutil.copy("/bin/true", own)
    assert home.kq("watch", "j").code == 0
    assert home.kq("logs", "j").out == "ok\n"
    assert home.kq("sub", "-n", "k", "--fetch", "o", "echo again").code == 0


@test("what a dead node left running is ended by whoever reaps it")
def _(home):
    home.file(".kubeque", "[config]\nlinger=60\n")
    pidfile = os.path.join(home.top, "pid")
    home.kq("sub", "-n", "j", "--no-wait", f"test $KQ_ATTEMPT = 1 || exit 0; sleep 1000 & echo $! >{pidfile}; wait")
    wait_for(lambda: os.path.exists(pidfile) and open(pidfile, encoding="ascii").read().strip())
    left = int(open(pidfile, encoding="ascii").read())
    (node,) = home.node_pids()
    os.kill(node, signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{node}"))
    home.kq("addnodes", "j", "1")
    assert home.kq("watch", "j").code == 0
    wait_for(lambda: not os.path.exists(f"/proc/{left}") or open(f"/proc/{left}/stat", encoding="ascii").read().split()[2] == "Z")


@test("SIGTERM drains a node: what runs is finished or given back, nothing is lost")
def _(home):
    child = home.start("sub", "-n", "j", "--seq", "8", "sleep 0.3; echo {index}")
    wait_for(lambda: (counts(home, "j") or {}).get("claimed"))
    (pid,) = home.node_pids()
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    home.kq("addnodes", "j", "1")
    assert child.wait(60) == 0
    assert counts(home, "j") == {"complete(code=0)": 8}


main()
