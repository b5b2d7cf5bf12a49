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


@test("a node stopped inside a transaction does not stop the others")
def _(home):
    home.file(".kubeque", "[config]\nlease=2\nheartbeat=0.5\nlinger=60\n")
    home.kq("sub", "-n", "warm", "true")
    child = home.start("sub", "-n", "j", "--seq", "4000", "/bin/true")
    wait_for(lambda: counts(home, "j"))
    db = sqlite3.connect(os.path.join(home.path, "queue.db"), isolation_level=None, timeout=0)
    stuck = None
    for _ in range(3000):
        pids = home.node_pids()
        if not pids:
            break
        os.kill(pids[0], signal.SIGSTOP)
        time.sleep(0.001)
        try:
            db.execute("begin immediate")
            db.execute("rollback")
        except sqlite3.OperationalError:
            stuck = pids[0]
            break
        os.kill(pids[0], signal.SIGCONT)
        time.sleep(0.002)
    db.close()
    assert stuck, "the node was never caught inside a transaction"
    started = time.monotonic()
    result = home.kq("sub", "-n", "other", "--no-nodes", "--no-wait", "true", timeout=60)
    assert result.code == 0 and time.monotonic() - started < 30, result
    assert child.wait(120) == 0, child.stderr.read()
    assert counts(home, "j") == {"complete(code=0)": 4000}


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
