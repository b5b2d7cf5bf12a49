"""A real Slurm of a test's own: munged, slurmctld and four slurmd on loopback.

    from slurm import finish, labels, nodes, running, slurm_test

    @slurm_test("a sentence")
    def _(home, slurm): ...

    finish()    # instead of kq.main()
"""
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from kq import Skip, main, test, wait_for

SBIN = "/usr/sbin:/usr/local/sbin:/sbin:" + os.environ.get("PATH", "")
PROGRAMS = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client"}
FOUND = {name: shutil.which(name, path=SBIN) for name in PROGRAMS}
MISSING = [package for name, package in PROGRAMS.items() if not FOUND[name]]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Slurm:
    """munged, slurmctld and four slurmd with their own keys, ports and directories; ended by their pids."""
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="slurm-")
        os.chmod(self.dir, 0o711)
        self.children = []
        for name, mode in (("munge", 0o755), ("state", 0o700), ("spool", 0o755)):
            os.mkdir(self.path(name), mode)
        with open(os.open(self.path("key"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
            out.write(os.urandom(128))
        user, host = getpass.getuser(), socket.gethostname().split(".")[0]
        nodes = "".join(f"NodeName=n{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs=2 RealMemory=2000 State=UNKNOWN\n"
                        for i in range(1, 5))
        with open(self.path("slurm.conf"), "w", encoding="ascii") as out:
            out.write(f"""ClusterName=kubeque
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={self.path("munge/socket")}
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=2
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
StateSaveLocation={self.path("state")}
SlurmdSpoolDir={self.path("spool")}/%n
SlurmctldPidFile={self.path("ctld.pid")}
SlurmdPidFile={self.path("%n.pid")}
SlurmctldLogFile={self.path("ctld.log")}
SlurmdLogFile={self.path("%n.log")}
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
{nodes}PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=one Nodes=n1 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=n1 PriorityTier=10 MaxTime=INFINITE State=UP
""")
        self.env = dict(os.environ, SLURM_CONF=self.path("slurm.conf"))
        try:
            self.start("munged", "--foreground", "--key-file", self.path("key"), "--socket", self.path("munge/socket"),
                       "--pid-file", self.path("munge/pid"), "--seed-file", self.path("munge/seed"), "--log-file",
                       self.path("munge/log"), "--num-threads", "2")
            wait_for(lambda: os.path.exists(self.path("munge/socket")))
            self.start("slurmctld", "-D", "-c", "-f", self.path("slurm.conf"))
            for i in range(1, 5):
                self.start("slurmd", "-D", "-N", f"n{i}", "-f", self.path("slurm.conf"))
            wait_for(lambda: self.run("sinfo", "-h", "-p", "all", "-o", "%t %D") == "idle 4", 30)
        except BaseException:
            self.end()
            raise

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, name, *words):
        with open(self.path(name + ".out"), "ab") as log:
            self.children.append(subprocess.Popen([FOUND[name], *words], env=self.env, stdin=subprocess.DEVNULL,
                                                  stdout=log, stderr=log, start_new_session=True))

    def run(self, *words, stdin=""):
        done = subprocess.run(words, env=self.env, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.strip()

    def jobs(self, field="%i"):
        return self.run("squeue", "-h", "-r", "-o", field).split()

    def end(self):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for child in reversed(self.children):
                if child.poll() is None:
                    child.send_signal(sig)
            wait_for(lambda: all(child.poll() is not None for child in self.children), 10, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


SLURM = []


def slurm_test(sentence):
    def register(function):
        @test(sentence)
        def _(home):
            if MISSING:
                raise Skip("Slurm is missing, install it with: apt-get install " + " ".join(sorted(set(MISSING))))
            if not SLURM:
                SLURM.append(Slurm())
            slurm = SLURM[0]
            home.env.update(SLURM_CONF=slurm.path("slurm.conf"))
            config(home)
            try:
                function(home, slurm)
            finally:
                for args in (("--batch", "--signal=TERM"), ("--batch", "--signal=INT"), ()):
                    slurm.run("scancel", *args, "--user=" + getpass.getuser())
                wait_for(lambda: not slurm.jobs(), 15)
        return function
    return register


def config(home, *lines):
    home.file("../.kubeque", "[config]\nprovider=slurm\nlinger=60\nlease=3\nheartbeat=0.5\n" + "".join(line + "\n" for line in lines))


def nodes(home):
    result = home.kq("nodes", "--jsonl")
    assert result.code == 0, result
    return [json.loads(line) for line in result.out.splitlines()]


def running(home, count):
    return [row for row in nodes(home) if row["state"] == "RUNNING"][count - 1:]


def labels(home, job):
    return home.kq("status", job).out.strip().split(": ", 1)[1].split("  ")[0]


def finish():
    try:
        main()
    finally:
        for instance in SLURM:
            instance.end()
