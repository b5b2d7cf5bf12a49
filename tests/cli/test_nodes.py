"""Nodes: what they have, how tasks are packed onto them, how they are started, told to leave, and leave."""
import json
import os
import pty
import select
import signal
import time

from kq import BINARY, main, test, wait_for


def labels(home, job):
    result = home.kq("status", job)
    assert result.code == 0, result
    return result.out.strip().split(": ", 1)[1].split("  ")[0]


def config(home, **keys):
    home.file(".kubeque", "[config]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()))


def nodes(home):
    return [json.loads(line) for line in home.kq("nodes", "--jsonl").out.splitlines()]


class Gate:
    """Tasks that report and wait until they are let go: counts what runs together, without clocks."""
    def __init__(self, home):
        self.home, self.top = home, os.path.join(home.top, "gate")
        os.mkdir(self.top)
        self.command = f"touch {self.top}/$KQ_JOB.$KQ_TASK; while ! test -e {self.top}/open; do sleep 0.05; done"

    def inside(self):
        return len([name for name in os.listdir(self.top) if name != "open"])

    def open(self):
        with open(os.path.join(self.top, "open"), "w", encoding="ascii"):
            pass


def most(home, gate, expected):
    """`expected` tasks come in, and a probe job of no needs that is claimed afterwards proves that no other will."""
    wait_for(lambda: gate.inside() >= expected)
    assert home.kq("sub", "-q", "-r", "cpu=0.001", "--priority", "9", "true").code == 0
    assert gate.inside() == expected, (gate.inside(), home.kq("status").out)


@test("CPUs are packed: node_cpu bounds, fractions fit")
def _(home):
    config(home, node_cpu="1.01")
    gate = Gate(home)
    home.kq("sub", "-n", "j", "--no-wait", "-r", "cpu=0.25", "--seq", "6", gate.command)
    most(home, gate, 4)
    gate.open()
    assert home.kq("watch", "j").code == 0 and gate.inside() == 6


@test("memory is packed, and counted once over several nodes of this machine")
def _(home):
    config(home, node_cpu="2.01", node_memory="1G")
    gate = Gate(home)
    home.kq("sub", "-n", "j", "--no-wait", "-r", "cpu=0.1,memory=400M", "--seq", "5", gate.command)
    wait_for(lambda: gate.inside() == 2)
    assert home.kq("addnodes", "j", "2").code == 0
    wait_for(lambda: sum(node["state"] == "RUNNING" for node in nodes(home)) == 3)
    most(home, gate, 2)
    assert [node["memory"] for node in nodes(home)] == [10 ** 9] * 3, nodes(home)
    gate.open()
    assert home.kq("watch", "j").code == 0 and gate.inside() == 5


@test("--nodes N adds CPU slots")
def _(home):
    config(home, node_cpu="1")
    gate = Gate(home)
    home.kq("sub", "-n", "j", "--no-wait", "--nodes", "3", "--seq", "5", gate.command)
    wait_for(lambda: gate.inside() >= 3)
    assert len([node for node in nodes(home) if node["state"] == "RUNNING"]) == 3 and gate.inside() == 3
    assert home.kq("sub", "-n", "none", "--no-wait", "--nodes", "0", "true").code == 0
    gate.open()
    assert home.kq("watch", "j").code == 0


@test("named resources: declared by nodes, packed, a typo is refused with the nearest name")
def _(home):
    config(home, node_resources="licence=2,scratch=10", node_cpu="3.01")
    gate = Gate(home)
    result = home.kq("sub", "-n", "k", "-r", "licnce=1", "true")
    assert result.code == 2 and "licnce" in result.err and "licence" in result.err and home.kq("status", "k").code == 3, result
    result = home.kq("sub", "-n", "k", "-r", "licence=3", "true")
    assert result.code == 2 and "licence" in result.err and "2" in result.err, result
    home.kq("sub", "-n", "j", "--no-wait", "-r", "cpu=0.1,licence=1", "--seq", "4", gate.command)
    most(home, gate, 2)
    gate.open()
    assert home.kq("watch", "j").code == 0


@test("a node's own resources by consume -r; explain names the one that is missing")
def _(home):
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "true")
    child = home.start("consume", "-r", "licence=1", "--linger", "60", "--cpu", "1")
    assert home.kq("watch", "j").code == 0
    assert home.kq("sub", "-n", "k", "-r", "licence=1", "true").code == 0
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0
    home.kq("sub", "-n", "l", "--no-nodes", "--no-wait", "-r", "cpu=1", "true")
    second = home.start("consume", "--linger", "60", "--cpu", "0.5")
    wait_for(lambda: nodes(home))
    wait_for(lambda: "it needs cpu=1, and the largest node has 0.5" in home.kq("explain", "l").out)
    second.send_signal(signal.SIGTERM)
    assert second.wait(10) == 0


@test("-j above the CPUs: as many as N at once, also beside another job's limits")
def _(home):
    config(home, node_cpu="2")
    gate = Gate(home)
    home.kq("sub", "-n", "j", "--no-wait", "-j", "7", "--seq", "9", gate.command)
    most(home, gate, 7)
    gate.open()
    assert home.kq("watch", "j").code == 0
    for bad in ("0", "-1", "x", "1.5"):
        assert home.kq("sub", "-n", "k", "-j", bad, "true").code == 2
        assert home.kq("sub", "-n", "k", "--max-running", bad, "true").code == 2


@test("priority: higher first among all jobs, equal ones in order of submission, nothing running is stopped")
def _(home):
    config(home, node_cpu="1")
    marks = os.path.join(home.top, "marks")
    gate = Gate(home)
    home.kq("sub", "-n", "first", "--no-wait", "--no-nodes", "--priority", "-100", gate.command)
    home.kq("addnodes", "first", "1")
    wait_for(lambda: gate.inside() == 1)
    for job, priority in (("low", "-1"), ("a", "0"), ("b", "0"), ("high", "10")):
        home.kq("sub", "-n", job, "--no-wait", "--priority", priority, f"echo {job} >>{marks}")
    assert labels(home, "first") == "claimed: 1"
    gate.open()
    assert home.kq("status", "--wait", "*").code == 0
    assert open(marks, encoding="ascii").read().split() == ["high", "a", "b", "low"]


@test("a job that does not fit now does not stop a smaller one behind it")
def _(home):
    config(home, node_cpu="2")
    gate = Gate(home)
    home.kq("sub", "-n", "half", "--no-wait", "-r", "cpu=1.5", gate.command)
    wait_for(lambda: gate.inside() == 1)
    home.kq("sub", "-n", "big", "--no-wait", "-r", "cpu=2", "true")
    assert home.kq("sub", "-n", "small", "-r", "cpu=0.5", "--wait-timeout", "10s", "true").code == 0
    gate.open()
    assert home.kq("watch", "big").code == 0


@test("two, four, eight first submissions at once start one node")
def _(home):
    children = [home.start("sub", "-n", f"j{i}", "--no-wait", "sleep 0.2") for i in range(8)]
    assert [child.wait(30) for child in children] == [0] * 8
    assert home.kq("status", "--wait", "*").code == 0
    assert len([node for node in nodes(home) if node["state"] == "RUNNING"]) == 1 and len(home.node_pids()) == 1, nodes(home)


@test("nodes --stop drains, twice ends at once; what ran goes back; an unknown id is 3 and stops none")
def _(home):
    gate = Gate(home)
    home.kq("sub", "-n", "j", "--no-wait", gate.command)
    wait_for(lambda: gate.inside() == 1)
    node = nodes(home)[0]["node"]
    result = home.kq("nodes", "--stop", node, "nosuchnode")
    assert result.code == 3 and "nosuchnode" in result.err and nodes(home)[0]["state"] == "RUNNING", result
    result = home.kq("nodes", "--stop", node)
    assert result.code == 0 and "finishes what it runs" in result.err and nodes(home)[0]["state"] == "DRAINING", result
    assert labels(home, "j") == "claimed: 1"
    assert home.kq("nodes", "--stop", node).code == 0
    wait_for(lambda: not home.node_pids())
    assert labels(home, "j") == "pending: 1" and not nodes(home), home.kq("nodes")
    assert home.kq("nodes", "--stop").code == 2
    gate.open()


@test("a waiting command that sees pending tasks and no node starts one; reset does not")
def _(home):
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "true")
    result = home.kq("watch", "j", timeout=30)
    assert result.code == 0 and "node" in result.err, result


class Terminal:
    """kubeque in the foreground of a terminal of its own."""
    def __init__(self, home, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home.cwd)
            os.execve(BINARY, [BINARY, *words], dict(home.env, TERM="xterm"))
        self.text = ""

    def read(self, until, seconds=15):
        end = time.monotonic() + seconds
        while until not in self.text:
            ready, _, _ = select.select([self.fd], [], [], 0.05)
            assert time.monotonic() < end, f"no {until!r} in {self.text!r}"
            if ready:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    break
        return self.text

    def interrupt(self):
        os.write(self.fd, b"\x03")

    def wait(self):
        while True:
            ready, _, _ = select.select([self.fd], [], [], 0.05)
            if ready:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)


@test("consume in a terminal logs there; Ctrl-C drains and reaches no task, twice gives the claims back")
def _(home):
    gate = Gate(home)
    home.kq("sub", "-n", "j", "--no-wait", "--no-nodes", gate.command)
    terminal = Terminal(home, "consume", "--linger", "60")
    wait_for(lambda: gate.inside() == 1)
    terminal.interrupt()
    terminal.read("drains")
    assert labels(home, "j") == "claimed: 1"
    gate.open()
    code = terminal.wait()
    assert labels(home, "j") == "complete(code=0): 1", (code, terminal.text)
    os.unlink(os.path.join(gate.top, "open"))
    home.kq("sub", "-n", "k", "--no-wait", "--no-nodes", gate.command)
    terminal = Terminal(home, "consume", "--linger", "60")
    wait_for(lambda: gate.inside() == 2)
    terminal.interrupt()
    terminal.read("drains")
    terminal.interrupt()
    code = terminal.wait()
    assert labels(home, "k") == "pending: 1", (code, terminal.text)
    assert not nodes(home), home.kq("nodes")
    gate.open()


@test("a SIGTERM for everybody is no fault of the tasks: they go to other nodes; one that a task gets alone is its own")
def _(home):
    config(home, node_cpu="4")
    gate = Gate(home)
    home.kq("sub", "-n", "j", "--no-wait", "--seq", "2", f"echo $$ >{home.top}/pid.{{index}}; {gate.command}")
    home.kq("sub", "-n", "sh", "--no-wait", f"trap 'exit 143' TERM; echo $$ >{home.top}/pid.3; {gate.command}")
    wait_for(lambda: gate.inside() == 3)
    node = home.node_pids()[0]
    for i in (1, 2, 3):
        os.kill(int(open(f"{home.top}/pid.{i}", encoding="ascii").read()), signal.SIGTERM)
    os.kill(node, signal.SIGTERM)
    wait_for(lambda: not home.node_pids())
    assert labels(home, "j") == "pending: 2" and labels(home, "sh") == "pending: 1", home.kq("status").out
    gate.open()
    home.kq("addnodes", "j", "1")
    assert home.kq("watch", "j").code == 0 and home.kq("watch", "sh").code == 0
    result = home.kq("sub", "-n", "alone", "kill -TERM $$")
    assert result.code == 1 and "signaled(SIGTERM)" in home.kq("status", "alone").out, home.kq("status", "alone").out


@test("consume refuses bad options; where nothing was ever submitted it has nothing to do")
def _(home):
    for words in (("--cpu", "0"), ("--cpu", "x"), ("--memory", "5Q"), ("--linger", "-1"), ("--lease", "1s", "--heartbeat", "1s")):
        result = home.kq("consume", *words, "--linger", "0") if "--linger" not in words else home.kq("consume", *words)
        assert result.code == 2 and len(result.lines) == 1, result
    result = home.kq("consume", "--linger", "0")
    assert result.code == 0, result


main()
