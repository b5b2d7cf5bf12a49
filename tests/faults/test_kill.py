"""kill -9 at random instants: nothing is lost, nothing is published twice, nothing is left behind."""
import os
import random
import subprocess
import time

from common import ROUNDS, check_results, counts, kill9, leftovers
from kq import BINARY, main, test, wait_for

SEED = int(os.environ.get("KUBEQUE_SEED", "20170915"))


@test("the consumer killed at 200 random instants of jobs of 500 tasks: each task complete exactly once")
def _(home):
    rng = random.Random(SEED)
    home.file(".kubeque", "[config]\nlinger=60\n")
    kills = 0
    rounds = 0
    while kills < 200 * ROUNDS:
        rounds += 1
        job = f"j{rounds}"
        assert home.kq("sub", "-n", job, "--no-nodes", "--no-wait", "--seq", "500", 'echo "{index} $KQ_ATTEMPT" >out; echo {index}').code == 0
        budget = 12
        while True:
            got = counts(home, job)
            if not set(got) & {"pending", "claimed"}:
                break
            if not home.node_pids():
                assert home.kq("addnodes", job, "1").code == 0
            if budget:
                # A task that is lost five times fails, as it should: three kills come whenever they
                # like, the others after the node has ended something.
                if budget <= 9:
                    ended = got.get("complete(code=0)", 0)
                    wait_for(lambda: (counts(home, job) or {}).get("complete(code=0)", 0) > min(ended + 2, 499), 60)
                time.sleep(rng.uniform(0.0, 0.09))
                pids = home.node_pids()
                kill9(pids)
                wait_for(lambda: not set(pids) & set(home.node_pids()))
                kills += len(pids)
                budget -= 1
            else:
                assert home.kq("watch", job, timeout=120).code in (0, 1)
        assert counts(home, job) == {"complete(code=0)": 500}, (job, counts(home, job))
        check_results(home, job, 500, lambda n: f"{n}\n")
    assert home.kq("clean").code == 0
    for pid in home.node_pids():
        os.kill(pid, 15)
    wait_for(lambda: not home.node_pids())
    assert home.kq("clean").code == 0
    assert not leftovers(home), leftovers(home)[:20]
    print(f"# {kills} kills over {rounds} jobs, seed {SEED}")


@test("the client killed at 200 random instants: the job is there whole, or not at all")
def _(home):
    rng = random.Random(SEED)
    home.file("in.txt", "input\n")
    there = 0
    for i in range(200 * ROUNDS):
        job = f"c{i}"
        home.file("in.txt", f"input {i}\n")
        child = subprocess.Popen([BINARY, "sub", "-n", job, "--no-nodes", "--no-wait", "-u", "in.txt", "--seq", "500", "cat in.txt"], env=home.env,
                                 cwd=home.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.001, 0.03))
        child.kill()
        child.wait()
        got = counts(home, job)
        assert got in (None, {"pending": 500}), (job, got)
        there += got is not None
    assert 0 < there < 200 * ROUNDS, f"{there} were submitted: the instants do not cover both sides"
    assert home.kq("kill", "c*").code == 0
    assert home.kq("clean").code == 0
    assert home.kq("list", "-q").out == ""
    assert not leftovers(home), leftovers(home)[:20]


@test("the client killed while it replaces a job (--clean, --rerun): the old one or the new one, whole")
def _(home):
    rng = random.Random(SEED + 1)
    assert home.kq("sub", "-n", "j", "--seq", "60", "echo old").code == 0
    for i in range(30):
        option = ("--clean", "--rerun")[i % 2]
        child = subprocess.Popen([BINARY, "sub", "-n", "j", option, "--no-nodes", "--no-wait", "--seq", "60", f"echo new{i}"], env=home.env,
                                 cwd=home.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.001, 0.02))
        child.kill()
        child.wait()
        got = counts(home, "j")
        assert got is not None and sum(got.values()) == 60, got
    home.kq("watch", "j")
    last = home.kq("sub", "-n", "j", "--clean", "--seq", "60", "echo last")
    assert last.code == 0, last
    assert counts(home, "j") == {"complete(code=0)": 60}
    check_results(home, "j", 60, lambda n: "last\n")


main()
