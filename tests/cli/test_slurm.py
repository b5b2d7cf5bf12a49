"""Nodes as Slurm's jobs: a real Slurm of this test's own (slurm.py)."""
import os
import re

from kq import BINARY, wait_for
from slurm import config, finish, labels, nodes, running, slurm_test


@slurm_test("sub --nodes 4 of 40 tasks runs on several of Slurm's nodes; the table joins both sides; each has the CPUs that Slurm gave")
def _(home, slurm):
    result = home.kq("sub", "-n", "j", "--nodes", "4", "--seq", "40", "echo $KQ_NODE >node; sleep 0.3")
    assert result.code == 0 and result.err.count("Node's log will be written to: " + home.path + "/nodes/slurm-") == 4, result
    assert len(set(slurm.run("squeue", "-h", "-r", "-o", "%N").split())) >= 2, slurm.run("squeue")
    used = {open(f"{home.path}/results/j/{n}/node", encoding="ascii").read().strip() for n in range(1, 41)}
    assert len(used) >= 3 and all(re.fullmatch(r"slurm-[0-9a-f]{8}-[1-4]", node) for node in used), used
    rows = nodes(home)
    assert {row["node"] for row in rows} >= used and {row["provider_name"] for row in rows} == set(slurm.jobs()), rows
    assert all(row["provider_state"] == "RUNNING" and row["cpu"] == 1 for row in rows), rows
    again = home.kq("sub", "true")
    assert again.code == 0 and "Cluster already exists" in again.err, again
    log = home.kq("nodes", "--log", rows[0]["node"])
    assert log.code == 0 and f"Node {rows[0]['node']} is ready" in log.out, log


@slurm_test("scancel, which also reaches the tasks, loses none of them: they are given back and run elsewhere")
def _(home, slurm):
    home.kq("sub", "-n", "j", "--no-wait", "--nodes", "2", "--seq", "4", f"touch {home.top}/in.{{index}}; while ! test -e {home.top}/go; do sleep 0.1; done")
    wait_for(lambda: labels(home, "j") == "claimed: 2, pending: 2")
    slurm.run("scancel", running(home, 1)[0]["provider_name"])
    wait_for(lambda: len(slurm.jobs()) == 1)
    assert labels(home, "j") == "claimed: 1, pending: 3", labels(home, "j")
    home.file("../go")
    assert home.kq("watch", "j", timeout=50).code == 0


@slurm_test("a job that waits in Slurm counts as a node to come, is listed with Slurm's reason, and can be stopped")
def _(home, slurm):
    config(home, "provider.partition=one")
    slurm.run("sbatch", "--partition=one", "--exclusive", "--output=/dev/null", stdin="#!/bin/sh\nexec sleep 600\n")
    wait_for(lambda: slurm.jobs("%T") == ["RUNNING"])
    assert home.kq("sub", "-n", "j", "--no-wait", "true").code == 0
    again = home.kq("sub", "-n", "k", "--no-wait", "true")
    assert again.code == 0 and "not adding node. Cluster status: STARTING: 1" in again.err, again
    more = home.kq("sub", "-n", "l", "--no-wait", "--nodes", "2", "true")
    assert more.code == 0 and more.err.count("Node's log") == 1, more
    wait_for(lambda: "Priority" not in str(nodes(home)))
    rows = nodes(home)
    assert len(rows) == 2 and rows[0]["state"].startswith("PENDING ("), rows
    assert "PENDING (" in home.kq("nodes").out
    result = home.kq("nodes", "--stop", *[row["node"] for row in rows])
    assert result.code == 0 and result.err.count("stopped before it began") == 2 and not nodes(home), result
    assert len(slurm.jobs()) == 1 and labels(home, "j") == "pending: 1"


@slurm_test("nodes --stop drains, twice gives back what runs and ends Slurm's job")
def _(home, slurm):
    home.kq("sub", "-n", "j", "--no-wait", f"touch {home.top}/in; sleep 60")
    wait_for(lambda: os.path.exists(home.top + "/in"))
    node = running(home, 1)[0]["node"]
    assert home.kq("nodes", "--stop", node).code == 0
    assert nodes(home)[0]["state"] == "DRAINING" and labels(home, "j") == "claimed: 1"
    result = home.kq("nodes", "--stop", node)
    assert result.code == 0 and "its tasks go to other nodes" in result.err, result
    wait_for(lambda: not slurm.jobs() and labels(home, "j") == "pending: 1")


@slurm_test("options become sbatch's; what Slurm refuses is said in its words, and the job is stored")
def _(home, slurm):
    config(home, "provider.partition=one", "provider.time=1:00:00", "provider.cpus=2", "provider.memory=1G", "provider.extra=--nice=7 --comment=hello")
    assert home.kq("sub", "-n", "j", "true").code == 0
    row = running(home, 1)[0]
    assert row["cpu"] == 2 and row["memory"] == 954 << 20, row  # whole MiB, upwards
    shown = slurm.run("scontrol", "show", "job", row["provider_name"])
    for text in ("Partition=one", "TimeLimit=01:00:00", "NumCPUs=2", "MinMemoryNode=954M", "Nice=7", "Comment=hello", "Requeue=0"):
        assert text in shown, shown
    config(home, "provider.partition=nosuch", "cluster_name=other")
    result = home.kq("sub", "-n", "k", "true")
    assert result.code == 6 and "provider slurm: add: " in result.lines[-1] and "partition" in result.lines[-1], result
    assert "the job is stored" in result.lines[-1] and labels(home, "k") == "pending: 1", result
    config(home, "provider.partitoin=all")
    assert home.kq("sub", "true").code == 5
    config(home)
    assert [row["node"] for row in nodes(home)] == [row["node"]], "another cluster has nodes of its own"


@slurm_test("blanks, quotes, dollars and percent signs in paths arrive as they are")
def _(home, slurm):
    odd = os.path.join(home.top, "a 'b' $HOME `id` \"c\" %j;d")
    os.makedirs(odd)
    home.env["KUBEQUE_HOME"] = home.path = os.path.join(odd, "kq")
    os.symlink(BINARY, os.path.join(odd, "kube que"))
    config(home, f"provider.kubeque={odd}/kube que", f"work_dir={home.top}/work")
    result = home.kq("sub", "-n", "j", "echo hi")
    assert result.code == 0, result
    log = home.kq("nodes", "--log", running(home, 1)[0]["node"])
    assert log.code == 0 and "is ready" in log.out, log


@slurm_test("a node that cannot work there says why, to who waits for it; so does one without Slurm")
def _(home, slurm):
    elsewhere = home.file("elsewhere", '#!/bin/sh\n# the same program on a machine with another id\nfor word; do\n'
                          '  shift\n  case $last in --machine) word="0123 here" ;; esac\n  set -- "$@" "$word"\n  last=$word\ndone\n'
                          f'exec {BINARY} "$@"\n', 0o755)
    config(home, f"provider.kubeque={elsewhere}")
    result = home.kq("sub", "-n", "j", "--wait-timeout", "11", "true")
    assert result.code == 4 and "No node is running for this job (slurm-" in result.err, result
    assert "said: the queue is a file of here (" in result.err and ": kubeque addnodes j 1" in result.err, result
    bare = home.top + "/bin"
    os.mkdir(bare)
    result = home.kq("addnodes", "j", "1", env={"PATH": bare})
    assert result.code == 6 and len(result.lines) == 1 and "there is no sbatch here" in result.err and "slurm-client" in result.err, result


finish()
