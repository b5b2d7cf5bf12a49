"""sub --rerun: which rows keep their result, which run, and what is said."""
import json
import os

from kq import main, test, wait_for


def attempts(home, job="j"):
    return [len(task["attempts"]) for task in json.loads(home.kq("dumpjob", job).out)["tasks"]]


def setup(home, rows="1\n2\n3\n", *options, env=None):
    home.file("p.csv", "n\n" + rows)
    home.file("s.sh", 'echo "$1 $X" >>"$2"; test "$1" != 2\n')
    return home.kq("sub", "-n", "j", *options, "-p", "p.csv", "sh", "^s.sh", "{n}", os.path.join(home.top, "log"), env=env)


def ran(home):
    """What ran since the last call."""
    path = os.path.join(home.top, "log")
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as source:
        lines = sorted(line.split()[0] for line in source)
    os.unlink(path)
    return lines


@test("rows that succeeded and did not change keep their result, by parameters and not by number; the count is said")
def _(home):
    assert setup(home).code == 1 and ran(home) == ["1", "2", "3"]
    result = setup(home, "4\n3\n2\n", "--rerun")
    assert result.code == 1 and "1 task keeps its result" in result.err and ran(home) == ["2", "4"], result
    place = os.path.join(home.path, "results/j")
    assert sorted(name for name in os.listdir(place) if name.isdigit()) == ["1", "2", "3"]
    got = json.loads(open(os.path.join(place, "2/result.json"), encoding="ascii").read())
    assert got["parameters"] == {"n": "3"} and got["task"] == 2, got
    result = setup(home, "4\n3\n", "--rerun")
    assert result.code == 0 and "2 tasks keep their results" in result.err and ran(home) == [], result


@test("a change of --env, of an input, of the command, of the image or the directory runs a row again; of the submitter's own environment not")
def _(home):
    setup(home, "1\n")
    ran(home)
    for options, again in (((), []), (("--env", "X=1"), ["1"]), (("--env", "X=1"), []), (("--cd", "d", "-u", "s.sh:d/s.sh"), ["1"]), (("-i", "none"), ["1"]),
                           (("-r", "cpu=0.5"), []), (("--timeout", "1h"), []), (("--priority", "3"), [])):
        result = setup(home, "1\n", "--rerun", *options)
        assert result.code == 0 and ran(home) == again, (options, result)
    assert setup(home, "1\n", "--rerun", env={"UNRELATED": "x"}).code == 0 and ran(home) == []
    home.file("s.sh", 'echo "$1 changed" >>"$2"\n')
    log = os.path.join(home.top, "log")
    assert home.kq("sub", "-n", "j", "--rerun", "-p", "p.csv", "sh", "^s.sh", "{n}", log).code == 0 and ran(home) == ["1"]
    os.utime(os.path.join(home.cwd, "s.sh"), (1, 1))
    assert home.kq("sub", "-n", "j", "--rerun", "-p", "p.csv", "sh", "^s.sh", "{n}", log).code == 0 and ran(home) == [], "the time of an input is no change"
    assert home.kq("sub", "-n", "j", "--rerun", "-p", "p.csv", "sh", "-e", "^s.sh", "{n}", log).code == 0 and ran(home) == ["1"]


@test("--rerun=any keeps results of another command and says how many; attempts start again")
def _(home):
    setup(home)
    ran(home)
    home.file("p.csv", "n\n1\n2\n3\n")
    result = home.kq("sub", "-n", "j", "--rerun=any", "-p", "p.csv", "echo other {n}")
    assert result.code == 0 and "2 tasks keep their results" in result.err and "2 of these results were made by another command" in result.err, result
    assert attempts(home) == [1, 1, 1]
    result = home.kq("sub", "-n", "j", "--rerun=some", "-p", "p.csv", "echo other {n}")
    assert result.code == 2 and "any" in result.err, result


@test("a job with running tasks is refused; one that is not there is submitted; ranges and --clean are refused")
def _(home):
    home.kq("sub", "-n", "r", "--no-wait", "sleep 100")
    wait_for(lambda: "claimed" in home.kq("status", "r").out)
    result = home.kq("sub", "-n", "r", "--rerun", "true")
    assert result.code == 2 and "running" in result.err and "claimed: 1" in home.kq("status", "r").out, result
    home.kq("kill", "r", "--keepcluster")
    assert home.kq("sub", "-n", "new", "--rerun", "true").code == 0
    for words in (("-n", "new.1", "--rerun"), ("--rerun",), ("-n", "new", "--rerun", "--clean")):
        assert home.kq("sub", *words, "true").code == 2, words


@test("--rerun starts a node as sub does, and waits")
def _(home):
    home.file(".kubeque", "[config]\nlinger=0\n")
    setup(home)
    wait_for(lambda: not home.node_pids())
    result = setup(home, "1\n5\n", "--rerun")
    assert result.code == 0 and "Adding initial node for cluster" in result.err, result


@test("--dry-run with --rerun says how many would keep their result, and changes nothing")
def _(home):
    setup(home)
    ran(home)
    before = home.kq("dumpjob", "j").out
    result = setup(home, "4\n3\n2\n", "--rerun", "--dry-run")
    assert result.code == 0 and "1 task keeps its result" in result.out + result.err, result
    assert home.kq("dumpjob", "j").out == before and ran(home) == []
    os.utime(os.path.join(home.cwd, "s.sh"), (1, 1))
    home.file("own1", "x")
    result = home.kq("sub", "-n", "j", "--rerun", "--dry-run", "-p", "p.csv", "-u", "own1", "sh", "^s.sh", "{n}", os.path.join(home.top, "log"))
    assert result.code == 0 and "0 tasks keep their results" in result.err, result
    for options, kept in ((("--rerun",), "1 task keeps its result"), (("--rerun=any", "--env", "X=1"), "1 of these results was made by another command")):
        result = setup(home, "4\n3\n2\n", "--dry-run", *options)
        assert result.code == 0 and kept in result.err, result


@test("a reset or retried task's published result stays until its next attempt is accepted")
def _(home):
    flag = os.path.join(home.top, "flag")
    home.kq("sub", "-n", "j", f"echo $KQ_ATTEMPT; if test -e {flag}; then while test -e {flag}; do sleep 0.02; done; else exit 1; fi")
    home.file("../flag")
    out = os.path.join(home.path, "results/j/1/stdout.txt")
    waiter = home.start("retry", "j")
    wait_for(lambda: "claimed" in home.kq("status", "j").out)
    assert open(out, encoding="ascii").read() == "1\n"
    os.unlink(flag)
    assert waiter.wait(10) == 0 and open(out, encoding="ascii").read() == "2\n"


main()
