"""A queue of another schema: what an older or a newer kubeque does with it, and with the nodes of it."""
import fcntl
import json
import os
import signal
import sqlite3
import subprocess

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
    change(home, "DROP TABLE name", "DROP INDEX job_submitting", "DROP TABLE asked", "DROP TABLE spent", "DROP INDEX failure",
           "ALTER TABLE attempt DROP COLUMN sig", "ALTER TABLE job DROP COLUMN stopped", "ALTER TABLE job DROP COLUMN spent",
           "PRAGMA user_version=1")


class OlderNode:
    """What a node of the first schema leaves in the queue: it has claimed the only task of job `old`; a process of its own
    stands for it. A node of this kubeque would write columns that the older queue does not have."""

    def __init__(self, home):
        self.home, self.id = home, "older-0123456789ab"
        home.kq("sub", "-n", "old", "--no-nodes", "--no-wait", "true")
        make_older(home)
        self.process = subprocess.Popen(["sleep", "1000"])
        home.children.append(self.process)
        os.makedirs(os.path.join(home.path, "nodes"), exist_ok=True)
        self.lock = open(os.path.join(home.path, "nodes", self.id + ".lock"), "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat, open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            info = {"pid": self.process.pid, "start": int(stat.read().rsplit(")", 1)[1].split()[19]), "boot": boot.read().strip(), "version": "0.1"}
        self.write(f"INSERT INTO node VALUES('{self.id}', 2, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1000, 'local', '{{\"cpu\":1}}', '{json.dumps(info)}')",
                   f"UPDATE task SET state=2, v=2, op=1, attempt=1, node='{self.id}'", "DELETE FROM span", "UPDATE tally SET label='claimed'")

    def write(self, *statements):
        change(self.home, "BEGIN IMMEDIATE", *statements, "COMMIT")

    def state(self):
        with sqlite3.connect(os.path.join(self.home.path, "queue.db"), timeout=20) as db:
            return db.execute("SELECT state FROM node").fetchone()[0]

    def leave(self):
        """It ends its task and goes."""
        self.write("UPDATE task SET state=7, v=3, op=2, acc=1, label='complete(code=0)'",
                   f"INSERT INTO attempt SELECT k, 1, 2, 0, '{self.id}', label, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, NULL, 0, NULL, NULL, NULL FROM task",
                   "UPDATE tally SET label='complete(code=0)'", "UPDATE job SET state=3, v=v+1, ended=3", "DELETE FROM node")
        self.end()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.lock.close()


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
    home.kq("sub", "-n", "first", "--no-nodes", "--no-wait", "true")
    newest = schema(home)
    home.kq("kill", "first")
    home.kq("clean", "first")
    node = OlderNode(home)
    child = home.start("sub", "-n", "new", "true", stderr=open(os.path.join(home.top, "err"), "w", encoding="utf-8"))
    said = lambda: open(os.path.join(home.top, "err"), encoding="utf-8").read()
    wait_for(lambda: "waiting for node " in said())
    assert "(kubeque 0" in said() and " to finish 1 task before upgrading the queue" in said(), said()
    for words in (("status", "old"), ("list",), ("nodes",), ("explain", "old"), ("logs", "old"), ("dumpjob", "old"), ("du",)):
        result = home.kq(*words)
        assert result.code == 0 and schema(home) == 1, result
    assert "DRAINING" in home.kq("nodes").out
    assert node.state() == 1
    node.leave()
    assert child.wait(20) == 0, said()
    assert schema(home) == newest and "complete(code=0): 1" in home.kq("status", "old").out, said()
    assert said().count("waiting for node") == 1, said()


@test("Ctrl-C while it waits changes nothing")
def _(home):
    node = OlderNode(home)
    with open(os.path.join(home.top, "err"), "w", encoding="utf-8") as err:
        child = home.start("sub", "-n", "new", "true", stderr=err)
    wait_for(lambda: "waiting for node " in open(os.path.join(home.top, "err"), encoding="utf-8").read())
    child.send_signal(signal.SIGINT)
    node.end()
    assert child.wait(10) == 130 and schema(home) == 1 and home.kq("list", "-q").out == "old\n"


@test("a dead node of the other schema is no reason to wait")
def _(home):
    OlderNode(home).end()
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
