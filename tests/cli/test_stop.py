"""A policy stops its job: what runs is ended, what waits does not run, and the user is told why."""
import os
import sqlite3
import time

from kq import main, test, wait_for

FAILFAST = """
return kubeque.policy {
  name = "mine", summary = "test", same = true, options = { k = 2 },
  on_task_failed = function(task, attempt, job, options)
    if attempt.same >= options.k then
      return { "fail", stop = true, note = attempt.same .. " of them said: no licence" }
    end
  end,
}
"""


def label_counts(result):
    return result.out.split("  ")[0]


@test("the second failure of its kind stops the job: running tasks get TERM, waiting ones never start, and everybody says why")
def _(home):
    policy = home.file("mine.lua", FAILFAST)
    home.file("p.csv", "what\n" + "stay\n" + "fail\nother\nfail\n" + "wait\n" * 500)
    home.file("t.sh", """#!/bin/sh
case $1 in
stay) trap 'echo got TERM; exit 9' TERM; : >$2/stays; while :; do sleep 0.02; done ;;
fail) while ! test -e $2/stays; do sleep 0.02; done; echo no licence; exit 3 ;;
other) echo something else; exit 3 ;;
wait) while ! test -e $2/never; do sleep 0.02; done ;;
esac
""", mode=0o755)
    began = time.monotonic()
    result = home.kq("sub", "-n", "j", "--policy", policy, "-p", "p.csv", "-r", "cpu=0.4", "-u", "t.sh", f"./t.sh {{what}} {home.top}")
    assert result.code == 1 and time.monotonic() - began < 15, result
    assert "Job j was stopped by its policy: 2 of them said: no licence" in result.lines, result
    assert label_counts(home.kq("status", "j")) == "j: complete(code=3): 3, killed: 501", result
    wait_for(lambda: home.kq("logs", "j.1").out.endswith("got TERM\n"))
    said = home.kq("explain", "j").out
    assert "j was stopped by its policy: 2 of them said: no licence" in said, said
    said = home.kq("explain", "j.300").out
    assert "j.300 was killed when its policy stopped the job: 2 of them said: no licence" in said, said
    assert "stopped:   2 of them said: no licence" in home.kq("status", "j", "--detailed").out


@test("a node that dies right after such a verdict has not lost the stop: whoever comes next ends the job")
def _(home):
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-p", home.file("p.csv", "i\n" + "1\n" * 300), "true")
    with sqlite3.connect(os.path.join(home.path, "queue.db"), timeout=20) as db:  # as its commit leaves it
        db.execute("UPDATE job SET state=2, rev=rev+1, v=v+1, stopped='no licence'")
    said = home.kq("explain", "j").out
    assert "its policy stops the job: no licence" in said, said
    assert home.kq("consume", "--linger", "2").code == 0
    wait_for(lambda: label_counts(home.kq("status", "j")) == "j: killed: 300")
    assert "j was stopped by its policy: no licence" in home.kq("explain", "j").out


@test("a user's kill wins over any verdict: no stop is noted, the task that was being judged is killed")
def _(home):
    policy = home.file("slow.lua", """
return kubeque.policy { name = "slow", summary = "test", on_task_failed = function() return { "fail", stop = true, note = "never seen" } end }
""")
    home.kq("sub", "-n", "j", "--no-wait", "--policy", policy, "-p", home.file("p.csv", "i\n1\n2\n"),
            f"while ! test -e {home.top}/go; do sleep 0.01; done; exit 3")
    wait_for(lambda: "claimed" in home.kq("status", "j").out)
    assert home.kq("kill", "j").code == 0
    open(os.path.join(home.top, "go"), "w", encoding="ascii").close()
    assert home.kq("watch", "j").code == 1
    assert label_counts(home.kq("status", "j")) == "j: killed: 2"
    assert "was killed by the user" in home.kq("explain", "j").out and "never seen" not in home.kq("explain", "j.1").out


main()
