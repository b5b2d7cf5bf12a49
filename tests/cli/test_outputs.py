"""What a task leaves behind: which files are outputs, under which names, and of which attempts."""
import json
import os
import shutil
import subprocess

from kq import BINARY, Skip, main, test, wait_for


def run(home, *words, job="j", code=0):
    """Submits, fetches into out-JOB; returns the outputs of task 1, sorted, and its result.json."""
    result = home.kq("sub", "-n", job, "--fetch", "out-" + job, *words)
    assert result.code == code, result
    top = os.path.join(home.cwd, "out-" + job, "1")
    names = []
    for folder, _, files in os.walk(top):
        for name in files:
            names.append(os.path.relpath(os.path.join(folder, name), top))
    return sorted(set(names) - {"stdout.txt", "result.json"}), json.loads(home.read(f"out-{job}/1/result.json"))


def dsts(result):
    return {f["src"]: f["dst_url"].split("/1/", 1)[1] for f in result["files"]}


TREE = ("mkdir -p d/e x/__pycache__; echo 1 >a.txt; echo 2 >b.log; echo 3 >d/c.txt; echo 4 >d/b.log; echo 5 >d/e/f.txt; "
        "echo 6 >x/__pycache__/m.pyc; echo 7 >.nfs12; echo 8 >d/.nfs3")


@test("a pattern without / matches at the top only; ** crosses directories; what is never kept must be named")
def _(home):
    everything = ["a.txt", "b.log", "d/b.log", "d/c.txt", "d/e/f.txt"]
    cases = (
        ((), everything),
        (("--results", "*.txt"), ["a.txt"]),
        (("--results", "**/*.txt"), ["a.txt", "d/c.txt", "d/e/f.txt"]),
        (("--results", "d/*"), ["d/b.log", "d/c.txt"]),
        (("--results", "d/**"), ["d/b.log", "d/c.txt", "d/e/f.txt"]),
        (("--results", "d/"), ["d/b.log", "d/c.txt", "d/e/f.txt"]),
        (("--results", "./a.txt"), ["a.txt"]),
        (("--results", "[ab].*"), ["a.txt", "b.log"]),
        (("--results", "?.txt", "--results", "d/e/*"), ["a.txt", "d/e/f.txt"]),
        (("--exclude", "*.log"), ["a.txt", "d/b.log", "d/c.txt", "d/e/f.txt"]),
        (("--exclude", "**/*.log"), ["a.txt", "d/c.txt", "d/e/f.txt"]),
        (("--exclude", "d/"), ["a.txt", "b.log"]),
        (("--exclude", "**"), []),
        (("--results", "**", "--results", "**/.nfs*"), [".nfs12", "a.txt", "b.log", "d/.nfs3", "d/b.log", "d/c.txt", "d/e/f.txt"]),
        (("--results", "**/__pycache__/**"), ["x/__pycache__/m.pyc"]),
    )
    for i, (words, want) in enumerate(cases):
        got, _ = run(home, *words, TREE, job=f"j{i}")
        assert got == want, (words, got)


@test("a pattern that can match nothing is refused")
def _(home):
    for option in ("--results", "--exclude"):
        for glob in ("", "/a.txt", "../x", "a/../../x"):
            result = home.kq("sub", "--no-nodes", "--no-wait", option, glob, "true")
            assert result.code == 2 and option in result.err, (glob, result)
    assert home.kq("list", "-q").out == ""


@test("files and directories of kubeque's own two names are published with task. in front")
def _(home):
    got, result = run(home, "echo a >result.json; echo b >task.result.json; mkdir stdout.txt; echo c >stdout.txt/result.json; "
                      "mkdir s; echo d >s/stdout.txt; echo shown")
    assert got == ["s/stdout.txt", "task.result.json", "task.stdout.txt/result.json", "task.task.result.json"], got
    assert dsts(result) == {"result.json": "task.task.result.json", "task.result.json": "task.result.json",
                            "stdout.txt/result.json": "task.stdout.txt/result.json", "s/stdout.txt": "s/stdout.txt"}, result
    assert home.read("out-j/1/task.task.result.json") == "a\n" and home.read("out-j/1/stdout.txt") == "shown\n"
    got, result = run(home, "mkdir result.json; echo x >result.json/y; ln -s b.txt task.result.json; echo b >b.txt", job="k")
    assert dsts(result)["result.json/y"] == "task.task.result.json/y" and home.read("out-k/1/task.result.json") == "b\n", result


@test("names that are no UTF-8 are published as they are, and written with \\xNN; fetching again follows them")
def _(home):
    run(home, 'echo 1 > "$(printf "b\\377,x")"; mkdir "$(printf "d\\376")"; echo 2 > "$(printf "d\\376/x")"; echo 3 > "b\\\\xFF"; echo 4 > "$(printf "n\\nl")"')
    top = os.fsencode(os.path.join(home.cwd, "out-j", "1"))
    names = set(os.listdir(top))
    assert names == {b"stdout.txt", b"result.json", b"b\xff,x", b"d\xfe", b"b\\xFF", b"n\nl"}, names
    with open(os.path.join(top, b"result.json"), encoding="ascii") as source:
        result = json.load(source)
    assert {f["src"] for f in result["files"]} == {"b\\xFF,x", "d\\xFE/x", "b\\xFF", "n\nl"}, result
    home.kq("sub", "-n", "j", "--clean", "true")
    assert home.kq("fetch", "j", "--dest", "out-j").code == 0
    assert set(os.listdir(top)) == {b"stdout.txt", b"result.json"}, os.listdir(top)


@test("only what is new or changed counts: touched inputs, moved inputs, links, special files")
def _(home):
    for name in ("same", "moved", "changed", "gone", "linked"):
        home.file(name, name)
    got, result = run(home, *[word for name in ("same", "moved", "changed", "gone", "linked") for word in ("-u", name)],
                      "touch same; mv moved there; echo more >>changed; rm gone; ln -s linked l1; ln -s l1 l2; ln -s loop loop; "
                      "ln -s /etc/passwd out; ln -s . dir; ln -s nothing dang; mkfifo ff; mkdir empty; ln there hard")
    assert got == ["changed", "hard", "l1", "l2", "there"], got
    assert {s["src"] for s in result["skipped"]} == {"loop", "out", "dir", "dang", "ff"}, result
    assert home.read("out-j/1/l2") == "linked" and not os.path.islink(os.path.join(home.cwd, "out-j/1/l2"))
    modes, _ = run(home, "touch a b; chmod 7755 a; chmod 600 b", job="m")
    assert [os.stat(os.path.join(home.cwd, "out-m/1", name)).st_mode & 0o7777 for name in modes] == [0o755, 0o600]


@test("an output that cannot be stored is named with the reason; the node lives on")
def _(home):
    deep = "python3 -c \"import os\nfor i in range(60): os.mkdir('d' * 100); os.chdir('d' * 100)\nopen('f', 'w').close()\""
    result = home.kq("sub", "-n", "j", "--fetch", "o", deep)
    assert result.code == 1 and "failed(output dd" in result.err and "File name too long" in result.err, result
    got, _ = run(home, "mkdir ro; echo x >ro/f; chmod 555 ro; touch " + "n" * 255, job="k")
    assert got == ["n" * 255, "ro/f"], got
    assert home.kq("nodes", "--jsonl").out.count("\n") == 1


@test("directories of inputs and results follow the umask of sub")
def _(home):
    home.file("d/e/f", "x")
    old = os.umask(0o027)
    try:
        run(home, "-u", "d", "stat -c %a d d/e; mkdir n; touch n/g")
    finally:
        os.umask(old)
    assert home.read("out-j/1/stdout.txt") == "750\n750\n", home.read("out-j/1/stdout.txt")
    modes = [os.stat(os.path.join(home.cwd, "out-j/1", name)).st_mode & 0o777 for name in ("", "n", "n/g", "stdout.txt")]
    assert modes == [0o750, 0o750, 0o640, 0o640], [oct(mode) for mode in modes]


@test("a killed task leaves stdout.txt and result.json; one that timed out, its outputs as well")
def _(home):
    home.kq("sub", "-n", "k", "--no-wait", "echo made >f; echo out; sleep 100")
    wait_for(lambda: "out" in home.kq("logs", "k.1").out)
    assert home.kq("kill", "k").code == 0
    wait_for(lambda: "Fetched 1 task" in home.kq("fetch", "k").err)
    wait_for(lambda: home.kq("fetch", "k") and os.path.exists(os.path.join(home.cwd, "k/1/result.json")))
    assert home.read("k/tasks.csv").splitlines()[1].endswith("Z,,,,"), home.read("k/tasks.csv")
    assert sorted(os.listdir(os.path.join(home.cwd, "k/1"))) == ["result.json", "stdout.txt"]
    assert home.read("k/1/stdout.txt") == "out\n" and json.loads(home.read("k/1/result.json"))["state"] == "killed"
    got, result = run(home, "--timeout", "1", "echo evidence >f; echo out; sleep 100", job="t", code=1)
    assert got == ["f"] and result["state"] == "failed(timeout)" and result["return_code"] == "signaled(SIGTERM)", result


@test("of attempts that were followed by another the last 64 KiB of output stay")
def _(home):
    got, _ = run(home, "--retries", "1", "echo attempt $KQ_ATTEMPT; touch f$KQ_ATTEMPT; head -c 100000 /dev/zero | tr '\\0' $KQ_ATTEMPT; exit $((2-KQ_ATTEMPT))")
    assert got == ["f2"], got
    assert home.kq("logs", "j.1", "--attempt", "1").out == "1" * 65536
    assert home.kq("logs", "j.1").out == "attempt 2\n" + "2" * 100000
    assert home.kq("logs", "j.1", "--attempt", "2").out == home.kq("logs", "j.1").out
    result = home.kq("logs", "j.1", "--attempt", "3")
    assert result.code == 3 and "attempt 3" in result.err, result


def as_user(home):
    """A binary that runs as a user other than root, for whom the test's directories are."""
    if os.getuid():
        return BINARY
    if not shutil.which("setpriv"):
        raise Skip("needs setpriv (apt install util-linux) or another user than root")
    subprocess.run(["chown", "-R", "65534:65534", home.top], check=True)
    shutil.copy(BINARY, os.path.join(home.top, "kubeque"))
    script = home.file("../as-user", f"#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups '{home.top}/kubeque' \"$@\"\n", mode=0o755)
    return script


@test("--link-inputs: read-only links; a task that changes one fails and spoils nothing for others")
def _(home):
    home.file("in", "data\n")
    user = as_user(home)
    if os.getuid() == 0:
        assert home.kq("sub", "--no-wait", "--link-inputs", "-u", "in", "true").code == 2
        shutil.rmtree(home.path, ignore_errors=True)

    def sub(job, line, *words):
        result = home.kq("sub", "-n", job, "-u", "in", *words, "--fetch", job, line, binary=user)
        return result, home.read(f"{job}/1/stdout.txt")
    result, out = sub("a", "stat -c '%h %a' in; cat in; (echo x >in) 2>&1 | grep -c denied", "--link-inputs")
    assert result.code == 0 and out == "2 400\ndata\n1\n", (result, out)
    for job, line in (("b", "chmod u+w in; echo evil >in"), ("c", "mv in q; chmod u+w q; echo evil >q; rm q")):
        result, out = sub(job, line, "--link-inputs")
        assert result.code == 1 and "failed(changed a linked input in)" in result.err, result
        result, out = sub(job + "2", "cat in", "--link-inputs")
        assert result.code == 0 and out == "data\n", (result, out)
    result, out = sub("d", "chmod u+w in; echo mine >in; cat in")
    assert result.code == 0 and out == "mine\n" and home.read("in") == "data\n", (result, out)


main()
