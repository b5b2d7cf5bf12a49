"""Nodes over ssh: a real sshd of this test's own, on loopback."""
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from kq import BINARY, Skip, main, test, wait_for

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:" + os.environ.get("PATH", ""))
MISSING = [name for name, there in (("openssh-server", SSHD), ("openssh-client", shutil.which("ssh"))) if not there]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sshd:
    """An sshd with its own keys, port and account's home; ended by its pid."""
    def __init__(self, home):
        self.dir = os.path.join(home.top, "sshd")
        self.port = free_port()
        os.makedirs(self.dir, mode=0o700)
        os.makedirs(os.path.join(home.top, "remote home"))
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        shutil.copy(self.path("user_key.pub"), self.path("authorized_keys"))
        with open(self.path("host_key.pub"), encoding="ascii") as source:
            key = " ".join(source.read().split()[:2])
        self.write("known_hosts", f"[127.0.0.1]:{self.port} {key}\n")
        self.write("config", f"""ListenAddress 127.0.0.1:{self.port}
HostKey {self.path("host_key")}
AuthorizedKeysFile {self.path("authorized_keys")}
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
PasswordAuthentication no
SetEnv "HOME={home.top}/remote home"
MaxStartups 50
""")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        with open(self.path("log"), "wb") as log:
            self.child = subprocess.Popen([SSHD, "-D", "-e", "-f", self.path("config")], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, start_new_session=True)
        home.children.append(self.child)
        wait_for(self.answers, 10)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def answers(self):
        assert self.child.poll() is None, open(self.path("log"), encoding="utf-8").read()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def command(self):
        return (f"ssh -F none -p {self.port} -i {self.path('user_key')} -o IdentitiesOnly=yes "
                f"-o UserKnownHostsFile={self.path('known_hosts')} -o StrictHostKeyChecking=yes")


def config(home, *lines):
    home.file("../.kubeque", "[config]\nprovider=ssh\n" + "".join(line + "\n" for line in lines))


def start(home, *lines, hosts="127.0.0.1:3"):
    if MISSING:
        raise Skip("sshd is missing, install it with: apt-get install " + " ".join(MISSING))
    if os.path.basename(pwd.getpwuid(os.geteuid()).pw_shell) in ("nologin", "false"):
        raise Skip("this account may not log in: run the tests as a user with a shell")
    home.sshd = Sshd(home)
    config(home, f"provider.hosts={hosts}", f"provider.ssh={home.sshd.command}", *lines)
    return home.sshd


def remote_pids(home):
    """Processes of nodes of this home, whoever started them."""
    pids = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as source:
                    words = source.read().split(b"\0")
            except OSError:
                continue
            if b"consume" in words[:3] and home.path.encode() in words:
                pids.append(int(entry))
    return pids


def end(home):
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        for pid in remote_pids(home):
            try:
                os.kill(pid, sig)
            except OSError:
                pass
        if wait_for(lambda: not remote_pids(home), 3, check=False):
            return


def nodes(home):
    result = home.kq("nodes", "--jsonl")
    assert result.code == 0, result
    return [json.loads(line) for line in result.out.splitlines()]


def ssh_test(sentence):
    def register(function):
        @test(sentence)
        def _(home):
            try:
                function(home)
            finally:
                end(home)
        return function
    return register


@ssh_test("a job runs on nodes that were started over ssh; nodes shows host, pid and log; the session is over, they live on")
def _(home):
    start(home, "linger=60")
    result = home.kq("sub", "-n", "j", "--nodes", "2", "--seq", "6", "sleep 0.1; pwd; echo $HOME >here")
    assert result.code == 0, result
    log_line = f"Node's log will be written to: 127.0.0.1:{home.top}/remote home/.local/state/kubeque/nodes/"
    assert result.err.count(log_line) == 2, result
    rows = nodes(home)
    assert len(rows) == 2 and {row["state"] for row in rows} == {"RUNNING"}, rows
    for row in rows:
        assert row["provider"] == "ssh" and row["provider_state"] == "RUNNING", row
        assert row["provider_name"] == f"127.0.0.1 pid {row['pid']}" and row["pid"] in remote_pids(home), row
        assert os.getsid(row["pid"]) == row["pid"], "it leads a session"
    log = home.kq("nodes", "--log", rows[0]["node"])
    assert log.code == 0 and f"Node {rows[0]['node']} is ready" in log.out, log


@ssh_test("hosts have room for as many nodes as they say; what does not fit is told; addnodes fills up")
def _(home):
    start(home, "linger=60", hosts="127.0.0.1:2")
    result = home.kq("sub", "-n", "j", "--nodes", "3", "true")
    assert result.code == 0 and "provider ssh: 2 of 3 nodes were started: " in result.err and "HOST:N" in result.err, result
    wait_for(lambda: len(nodes(home)) == 2)
    result = home.kq("addnodes", "j", "1")
    assert result.code == 6 and "as many nodes as they may" in result.err, result


@ssh_test("nodes --stop drains, twice ends the process; a node that dies loses no task")
def _(home):
    start(home, "lease=2", "heartbeat=0.5", "linger=60")
    home.kq("sub", "-n", "j", "--no-wait", f"touch {home.top}/in; test -e {home.top}/go || sleep 60")
    wait_for(lambda: os.path.exists(home.top + "/in"))
    row = nodes(home)[0]
    assert home.kq("nodes", "--stop", row["node"]).code == 0
    wait_for(lambda: nodes(home)[0]["state"] == "DRAINING")
    result = home.kq("nodes", "--stop", row["node"])
    assert result.code == 0 and "its tasks go to other nodes" in result.err, result
    wait_for(lambda: not remote_pids(home))
    os.unlink(home.top + "/in")
    assert home.kq("addnodes", "j", "1").code == 0
    wait_for(lambda: os.path.exists(home.top + "/in"))
    os.kill(remote_pids(home)[0], signal.SIGKILL)
    home.file("../go")
    assert home.kq("addnodes", "j", "1").code == 0
    assert home.kq("watch", "j", timeout=30).code == 0


@ssh_test("blanks, quotes, dollars and semicolons in paths reach the host as they are")
def _(home):
    odd = os.path.join(home.top, "a 'b' $HOME `id` \"c\";touch x")
    os.makedirs(odd)
    home.env["KUBEQUE_HOME"] = home.path = os.path.join(odd, "kq")
    os.symlink(BINARY, os.path.join(odd, "kube que"))
    start(home, f"provider.kubeque={odd}/kube que", f"provider.dir={odd}/n $x", f"work_dir={home.top}/work")
    result = home.kq("sub", "-n", "j", "echo hi")
    assert result.code == 0, result
    assert os.path.isdir(odd + "/n $x") and not os.path.exists(home.top + "/remote home/x"), os.listdir(odd)


@ssh_test("what is wrong on a host is one line: no such program, a queue of another machine, no connection, a wrong key")
def _(home):
    sshd = start(home, "provider.kubeque=/nosuch/kubeque")
    result = home.kq("sub", "-n", "j", "true")
    assert result.code == 6 and "provider ssh: add: 127.0.0.1:3: there is no /nosuch/kubeque here" in result.lines[-1], result
    assert "the job is stored" in result.lines[-1] and "kubeque addnodes j 1" in result.lines[-1], result
    base = [f"provider.ssh={sshd.command}"]
    elsewhere = home.file("elsewhere", '#!/bin/sh\n# the same program on a machine with another id\nfor word; do\n'
                          '  shift\n  case $last in --machine) word="0123 here" ;; esac\n  set -- "$@" "$word"\n  last=$word\ndone\n'
                          f'exec {BINARY} "$@"\n', 0o755)
    config(home, *base, "provider.hosts=127.0.0.1", f"provider.kubeque={elsewhere}")
    result = home.kq("addnodes", "j", "1")
    assert result.code == 6 and len(result.lines) == 1 and "the queue is a file of here" in result.err, result
    assert "need a queue that all of them reach" in result.err, result
    config(home, *base, "provider.hosts=127.0.0.1", "provider.ssh=ssh -F none -p 1")
    result = home.kq("addnodes", "j", "1")
    assert result.code == 6 and "Connection refused" in result.err and len(result.lines) == 1, result
    config(home, "provider.hosts=127.0.0.1", f"provider.ssh={sshd.command.replace('known_hosts', 'nothing')}")
    result = home.kq("addnodes", "j", "1")
    assert result.code == 6 and "Host key verification failed" in result.err and len(result.lines) == 1, result
    config(home, *base, "provider.hosts=-oProxyCommand=touch x")
    result = home.kq("addnodes", "j", "1")
    assert result.code == 5 and "is no host" in result.err, result
    assert home.kq("status", "j").out.startswith("j: pending: 1")


@ssh_test("a host that is down does not keep the others from working")
def _(home):
    sshd = start(home, "linger=60", hosts="127.0.0.1:2, nosuch.invalid")
    assert sshd
    result = home.kq("sub", "-n", "j", "--nodes", "2", "true")
    assert result.code == 0, result
    listed = home.kq("nodes", "--jsonl")
    assert listed.code == 0 and "nosuch.invalid" in listed.err and len(listed.out.splitlines()) == 2, listed


@ssh_test("a host that does not answer is given up when the time is up")
def _(home):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(5)
        start(home)
        config(home, "provider.hosts=127.0.0.1", "provider.timeout=1", f"provider.ssh=ssh -F none -p {deaf.getsockname()[1]}")
        begun = time.monotonic()
        result = home.kq("sub", "-n", "j", "true")
        assert result.code == 6 and time.monotonic() - begun < 15 and "add took longer than 1s" in result.lines[-1], result


main()
