"""clean and du: what goes, on which evidence, and what stays."""
import json
import os
import signal
import shutil

from kq import main, test, wait_for


def du(home):
    return [json.loads(line) for line in home.kq("du", "--jsonl").out.splitlines()]


def age_cas(home):
    for folder, _, files in os.walk(os.path.join(home.path, "CAS")):
        for name in files:
            os.utime(os.path.join(folder, name), (1, 1))


def objects(home):
    return [name for _, _, files in os.walk(os.path.join(home.path, "CAS")) for name in files if len(name) == 62]


@test("work directories, locks and stages of a node that was killed go with any clean; a living node's stay")
def _(home):
    home.kq("sub", "-n", "j", "--no-wait", "--retries", "0", "echo x >f; sleep 300")
    wait_for(lambda: "claimed" in home.kq("status", "j").out)
    work = os.path.join(home.path, "work")
    wait_for(lambda: any("f" in files for _, _, files in os.walk(work)))
    assert home.kq("clean").code == 0
    assert any("f" in files for _, _, files in os.walk(work)), "a running task lost its directory"
    for pid in home.node_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not home.node_pids())
    home.kq("kill", "j")
    result = home.kq("clean")
    assert result.code == 0, result
    assert not os.path.exists(work) or os.listdir(work) == [], os.listdir(work)
    assert not [name for name in os.listdir(os.path.join(home.path, "nodes")) if name.endswith((".lock", ".run"))]
    assert [name for folder, _, files in os.walk(os.path.join(home.path, "results")) if "/.attempts" in folder for name in files] == []


@test("temporary files of dead writers go, those of living ones stay")
def _(home):
    home.file("in", "content")
    home.kq("sub", "-n", "j", "-u", "in", "true")
    place = os.path.join(home.path, "CAS/.tmp")
    with open(os.path.join(place, "oalive"), "w", encoding="ascii") as alive:
        import fcntl
        fcntl.flock(alive, fcntl.LOCK_EX)
        open(os.path.join(place, "odead"), "w", encoding="ascii").close()
        assert home.kq("clean").code == 0
        assert os.listdir(place) == ["oalive"], os.listdir(place)


@test("directories that were prepared for a job that never came, or renamed to be removed, go; a user's own stay")
def _(home):
    home.kq("sub", "-n", "j", "true")
    results = os.path.join(home.path, "results")
    marker = json.loads(open(os.path.join(results, "j/.kubeque"), encoding="ascii").read())
    for name, born in ((".k.999999.abc.new", 999999), (".kubeque-0123456789abcdef.gone", 999999), ("forgotten", 999999), ("other", 1)):
        os.makedirs(os.path.join(results, name, ".attempts/1.1"))
        with open(os.path.join(results, name, ".kubeque"), "w", encoding="ascii") as out:
            json.dump(dict(marker, born=born, **({"queue": "someone-else"} if name == "other" else {})), out)
    os.makedirs(os.path.join(results, "mine/.attempts/1.1"))
    assert home.kq("clean", "--dry-run").code == 0 and os.path.exists(os.path.join(results, ".k.999999.abc.new"))
    assert home.kq("clean", "nothing*").code == 0
    assert sorted(os.listdir(results)) == ["forgotten", "j", "mine", "other"], os.listdir(results)
    assert not os.path.exists(os.path.join(results, "forgotten/.attempts"))
    assert os.path.exists(os.path.join(results, "other/.attempts/1.1")) and os.path.exists(os.path.join(results, "mine/.attempts/1.1"))
    kinds = {row["what"]: row["kind"] for row in du(home)}
    assert kinds["forgotten"] == "forgotten" and kinds["other"] == "other" and kinds["j"] == "job" and "mine" not in kinds, kinds
    assert home.kq("clean", "--results", "--yes", "forgotten").code == 0 and not os.path.exists(os.path.join(results, "forgotten"))
    for name in ("other", "mine"):
        result = home.kq("clean", "--results", "--yes", name)
        assert result.code != 0 and os.path.exists(os.path.join(results, name)), result


@test("clean --cas keeps inputs of single tasks, too")
def _(home):
    for i in (1, 2, 3):
        home.file(f"in{i}", f"content {i}")
    home.file("p.csv", "f\n1\n2\n")
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-p", "p.csv", "-u", "in{f}", "cat in{f}")
    home.kq("sub", "-n", "k", "--no-nodes", "--no-wait", "-u", "in3", "true")
    assert home.kq("clean", "--force", "k").code == 0
    age_cas(home)
    before = len(objects(home))
    result = home.kq("clean", "--cas", "--older", "1h", "--dry-run")
    assert result.code == 0 and "Would remove 4 objects" in result.err and len(objects(home)) == before, result
    assert home.kq("clean", "--cas", "--older", "1h").code == 0
    assert len(objects(home)) == before - 4, objects(home)
    assert home.kq("addnodes", "j", "1").code == 0 and home.kq("watch", "j").code == 0
    assert home.kq("fetch", "j").code == 0
    assert home.read("j/1/stdout.txt") == "content 1" and home.read("j/2/stdout.txt") == "content 2"


@test("content that was used lately stays, whatever refers to it; a re-submission renews it")
def _(home):
    home.file("in", "content")
    words = ("sub", "-n", "j", "--no-nodes", "--no-wait", "-u", "in", "true")
    home.kq(*words)
    home.kq("clean", "--force", "j")
    age_cas(home)
    home.kq(*words)
    home.kq("clean", "--force", "j")
    assert home.kq("clean", "--cas", "--older", "1h").code == 0
    result = home.kq(*words)
    assert "Already in CAS cache, skipping upload of in" in result.err, result


@test("a manifest that cannot be read stops clean --cas, and the job is named")
def _(home):
    home.file("in", "content")
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-u", "in", "true")
    home.kq("sub", "-n", "k", "--no-nodes", "--no-wait", "true")
    age_cas(home)
    root = json.loads(home.kq("dumpjob", "k").out)
    shutil.rmtree(os.path.join(home.path, "CAS", root["root"][:2])) if "root" in root else None
    if "root" not in root:
        return
    before = objects(home)
    result = home.kq("clean", "--cas", "--older", "1h")
    assert result.code == 6 and "job k" in result.err and objects(home) == before, result


@test("a CAS that another store uses as well is not collected")
def _(home):
    other = dict(KUBEQUE_HOME=os.path.join(home.top, "second"), KUBEQUE_CAS_URL_PREFIX=os.path.join(home.path, "CAS"))
    home.file("in", "content")
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-u", "in", "true")
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-u", "in", "true", env=other).code == 0
    home.kq("clean", "--force", "j")
    age_cas(home)
    before = objects(home)
    result = home.kq("clean", "--cas", "--older", "1h")
    assert result.code != 0 and "second" in result.err and objects(home) == before, result


@test("clean --cas with less than an hour is refused; on a fresh store there is nothing to do")
def _(home):
    assert home.kq("clean", "--cas").code == 0
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "true")
    assert home.kq("clean", "--cas", "--older", "30m").code == 2


main()
