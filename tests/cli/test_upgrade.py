"""A queue of another schema: what an older or a newer kubeque does with it, and with the nodes of it."""
import os
import signal
import sqlite3

from kq import main, test, wait_for


def change(home, *statements):
    with sqlite3.connect(os.path.join(home.path, "queue.db"), timeout=20, isolation_level=None) as db:
        for sql in statements:
            db.execute(sql)
        return db.execute("PRAGMA user_version").fetchone()[0]


def schema(home):
    return change(home)


def make_older(home):
    """As the first schema was: what came later is taken away."""
    change(home, "DROP TABLE name", "DROP TABLE asked", "DROP INDEX job_submitting", "PRAGMA user_version=1")


def running(home, command):
    home.file(".kubeque", "[config]\nheartbeat=0.1\nlease=2\n")
    home.kq("sub", "-n", "old", "--no-wait", command)
    wait_for(lambda: "claimed" in home.kq("status", "old").out)


@test("a queue without nodes is upgraded by the first command that writes")
def _(home):
    home.kq("sub", "-n", "a", "--no-nodes", "--no-wait", "true")
    newest = schema(home)
    make_older(home)
    assert home.kq("status", "a").out.startswith("a: pending: 1") and home.kq("list", "-q").out == "a\n" and schema(home) == 1
    assert home.kq("sub", "-n", "b", "true").code == 0 and schema(home) == newest > 1
    assert home.kq("watch", "a").code == 0


@test("while a node of the other schema lives it is told to drain and waited for; reading works meanwhile; its tasks are finished")
def _(home):
    gate = os.path.join(home.top, "gate")
    running(home, f"while ! test -e {gate}; do sleep 0.02; done")
    newest = schema(home)
    make_older(home)
    child = home.start("sub", "-n", "new", "true", stderr=open(os.path.join(home.top, "err"), "w", encoding="utf-8"))
    said = lambda: open(os.path.join(home.top, "err"), encoding="utf-8").read()
    wait_for(lambda: "waiting for node " in said())
    assert "(kubeque 0" in said() and " to finish 1 task before upgrading the queue" in said(), said()
    for words in (("status", "old"), ("list",), ("nodes",), ("explain", "old"), ("logs", "old"), ("dumpjob", "old"), ("du",)):
        result = home.kq(*words)
        assert result.code == 0 and schema(home) == 1, result
    assert "DRAINING" in home.kq("nodes").out
    open(gate, "w", encoding="ascii").close()
    assert child.wait(20) == 0, said()
    assert schema(home) == newest and "complete(code=0): 1" in home.kq("status", "old").out, said()
    assert said().count("waiting for node") == 1, said()


@test("Ctrl-C while it waits changes nothing")
def _(home):
    running(home, "sleep 100")
    make_older(home)
    with open(os.path.join(home.top, "err"), "w", encoding="utf-8") as err:
        child = home.start("sub", "-n", "new", "true", stderr=err)
    wait_for(lambda: "waiting for node " in open(os.path.join(home.top, "err"), encoding="utf-8").read())
    child.send_signal(signal.SIGINT)
    for pid in home.node_pids():
        os.kill(pid, signal.SIGKILL)
    assert child.wait(10) == 130 and schema(home) == 1 and home.kq("list", "-q").out == "old\n"


@test("a dead node of the other schema is no reason to wait")
def _(home):
    running(home, "sleep 100")
    make_older(home)
    for pid in home.node_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not home.node_pids())
    assert home.kq("kill", "old").code == 0
    result = home.kq("sub", "-n", "new", "-r", "cpu=0.1", "true", timeout=30)
    assert result.code == 0 and "waiting for node" not in result.err and schema(home) > 1, result


@test("a kubeque older than the queue is refused, naming both versions, and changes nothing")
def _(home):
    home.kq("sub", "-n", "a", "--no-nodes", "--no-wait", "true")
    newest = schema(home)
    change(home, "PRAGMA user_version=99")
    for words in (("status",), ("sub", "true"), ("kill", "a"), ("nodes",), ("clean",), ("consume", "--linger", "0")):
        result = home.kq(*words)
        assert result.code == 5 and "99" in result.err and str(newest) in result.err and "newer kubeque" in result.err and len(result.lines) == 1, result
    change(home, f"PRAGMA user_version={newest}")
    assert home.kq("status", "a").out.startswith("a: pending: 1")


@test("a queue that others make at this moment: eight first submissions at once all stand, in each of ten stores")
def _(home):
    for i in range(10):
        env = {"KUBEQUE_HOME": os.path.join(home.top, f"store{i}")}
        home.env.update(env)
        children = [home.start("sub", "-n", f"j{k}", "--no-wait", "--no-nodes", "true") for k in range(8)]
        ended = [(child.wait(30), child.stderr.read()) for child in children]
        assert all(code == 0 and "upgrading" not in err for code, err in ended), ended
        assert len(home.kq("list", "-q").out.split()) == 8


main()
