"""Slurm ends nodes by itself: their time is over, or others are more urgent. No task is lost."""
import time

from kq import wait_for
from slurm import config, finish, labels, nodes, running, slurm_test


@slurm_test("before its time limit a node claims no more and ends what it runs; a preempted one gives its tasks back")
def _(home, slurm):
    task = "touch {home}/{name}.{{index}}; while ! test -e {home}/go.{name}; do sleep 0.1; done"
    config(home, "provider.time=1", "provider.notice=55", "provider.partition=all", "provider.extra=--nodelist=n2")
    home.kq("sub", "-n", "limit", "--no-wait", "--seq", "2", task.format(home=home.top, name="limit"))
    wait_for(lambda: labels(home, "limit") == "claimed: 1, pending: 1")
    limited = running(home, 1)[0]

    config(home, "cluster_name=other", "provider.partition=one")
    home.kq("sub", "-n", "preempt", "--no-wait", task.format(home=home.top, name="preempt"))
    wait_for(lambda: labels(home, "preempt") == "claimed: 1")
    slurm.run("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", stdin="#!/bin/sh\nexec sleep 600\n")
    wait_for(lambda: labels(home, "preempt") == "pending: 1")
    wait_for(lambda: not [row for row in nodes(home) if row["cluster"] == "other"])

    begun = time.monotonic()
    wait_for(lambda: "nodes: DRAINING: 1" in home.kq("status", "limit").out, 70)
    assert time.monotonic() - begun > 1 and labels(home, "limit") == "claimed: 1, pending: 1", labels(home, "limit")
    home.file("../go.limit")
    wait_for(lambda: labels(home, "limit") == "complete(code=0): 1, pending: 1")
    wait_for(lambda: limited["provider_name"] not in slurm.jobs())

    config(home, "cluster_name=other")
    home.file("../go.preempt")
    assert home.kq("addnodes", "preempt", "1").code == 0 and home.kq("watch", "preempt").code == 0


finish()
