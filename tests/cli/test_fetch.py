"""fetch: what is replaced, kept, removed, refused; going on where it was stopped."""
import csv
import io
import json
import os
import signal
import subprocess
import time

from kq import main, test, wait_for


def names(home, path):
    """All files below a directory of the working directory."""
    top = os.path.join(home.cwd, path)
    return sorted(os.path.relpath(os.path.join(folder, name), top) for folder, _, files in os.walk(top) for name in files)


@test("after a retry DIR/<n> is the new attempt: what it lacks goes, what was never ours stays")
def _(home):
    marks = os.path.join(home.top, "second")
    command = f"if test -e {marks}; then echo new >b; mkdir -p c; echo x >c/x; else mkdir -p a; echo old >a/old; echo old >b; exit 1; fi"
    assert home.kq("sub", "-n", "j", "--fetch", "d", command).code == 1
    assert names(home, "d/1") == ["a/old", "b", "result.json", "stdout.txt"], names(home, "d/1")
    home.file("d/1/mine", "mine")
    home.file("d/1/deep/mine", "mine")
    open(marks, "w", encoding="ascii").close()
    assert home.kq("retry", "j").code == 0
    assert home.kq("fetch", "j", "--dest", "d").code == 0
    assert names(home, "d/1") == ["b", "c/x", "deep/mine", "mine", "result.json", "stdout.txt"], names(home, "d/1")
    assert home.read("d/1/b") == "new\n" and not os.path.exists(os.path.join(home.cwd, "d/1/a"))
    assert json.loads(home.read("d/1/result.json"))["attempt"] == 2


@test("a directory of an earlier attempt where the new one has a file, and the other way round")
def _(home):
    marks = os.path.join(home.top, "second")
    assert home.kq("sub", "-n", "j", "--fetch", "d", f"if test -e {marks}; then echo f >x; mkdir y; echo f >y/z; else mkdir x; echo f >x/z; echo f >y; exit 1; fi").code == 1
    open(marks, "w", encoding="ascii").close()
    assert home.kq("retry", "j").code == 0
    result = home.kq("fetch", "j", "--dest", "d")
    assert result.code == 0, result
    assert names(home, "d/1") == ["result.json", "stdout.txt", "x", "y/z"], names(home, "d/1")


@test("a job that runs: what has ended is fetched, the rest is counted, the next call brings the rest only")
def _(home):
    gate = os.path.join(home.top, "gate")
    home.kq("sub", "-n", "j", "-j", "3", "--seq", "3", "--no-wait", f"test {{index}} = 2 || exit 0; while ! test -e {gate}; do sleep 0.05; done")
    wait_for(lambda: "complete(code=0): 2" in home.kq("status", "j").out)
    result = home.kq("fetch", "j")
    assert result.code == 0 and "1 task has not ended yet" in result.err, result
    rows = list(csv.DictReader(io.StringIO(home.read("j/tasks.csv"))))
    assert [row["kq_state"] for row in rows] == ["complete(code=0)", "claimed", "complete(code=0)"], rows
    assert sorted(os.listdir(os.path.join(home.cwd, "j"))) == ["1", "3", "tasks.csv"], os.listdir(os.path.join(home.cwd, "j"))
    open(gate, "w", encoding="ascii").close()
    assert home.kq("watch", "j").code == 0
    result = home.kq("fetch", "j")
    assert result.code == 0 and "2 files" in result.err and "4 were there already" in result.err, result


@test("killed while it copies: nothing partial under a final name, the next fetch goes on and leaves no hidden file")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "6", "for i in 1 2 3 4; do head -c 3000000 /dev/urandom >f$i; done")
    for delay in (0.004, 0.008, 0.012, 0.02, 0.03):
        child = home.start("fetch", "j", "--dest", "d")
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        place = os.path.join(home.cwd, "d")
        for n in os.listdir(place) if os.path.isdir(place) else []:
            if n.isdigit():
                assert len(os.listdir(os.path.join(place, n))) == 6, os.listdir(os.path.join(place, n))
    result = home.kq("fetch", "j", "--dest", "d")
    assert result.code == 0, result
    assert sorted(os.listdir(os.path.join(home.cwd, "d"))) == ["1", "2", "3", "4", "5", "6", "tasks.csv"], os.listdir(os.path.join(home.cwd, "d"))
    for n in range(1, 7):
        for entry in json.loads(home.read(f"d/{n}/result.json"))["files"]:
            assert os.stat(os.path.join(home.cwd, "d", str(n), entry["src"])).st_size == entry["bytes"]


@test("a file damaged in place is replaced, whatever its size; a changed mode is mended; mtime of equal files stays")
def _(home):
    home.kq("sub", "-n", "j", "--fetch", "d", "echo 12345 >f; echo '#!/bin/sh' >x; chmod 755 x")
    home.file("d/1/f", "54321\n")
    os.chmod(os.path.join(home.cwd, "d/1/x"), 0o644)
    os.utime(os.path.join(home.cwd, "d/1/stdout.txt"), (5, 5))
    result = home.kq("fetch", "j", "--dest", "d")
    assert result.code == 0 and "1 file " in result.err, result
    assert home.read("d/1/f") == "12345\n"
    assert os.stat(os.path.join(home.cwd, "d/1/x")).st_mode & 0o777 == 0o755
    assert os.stat(os.path.join(home.cwd, "d/1/stdout.txt")).st_mtime == 5


@test("--only keeps result.json, which says whose directory it is; a whole fetch completes it")
def _(home):
    home.kq("sub", "-n", "j", "echo 1 >a.png; mkdir d; echo 2 >d/b.png; echo 3 >c.txt")
    assert home.kq("fetch", "j", "--only", "*.png").code == 0
    assert names(home, "j/1") == ["a.png", "result.json"], names(home, "j/1")
    assert home.kq("fetch", "j", "--only", "**/*.png").code == 0
    assert names(home, "j/1") == ["a.png", "d/b.png", "result.json"], names(home, "j/1")
    assert home.kq("fetch", "j").code == 0
    assert names(home, "j/1") == ["a.png", "c.txt", "d/b.png", "result.json", "stdout.txt"], names(home, "j/1")


@test("--flat: fetched again it keeps what is equal; a file of somebody else is not overwritten")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "2", "mkdir d; echo {index} >d/{index}.txt")
    assert home.kq("fetch", "j", "--flat", "--dest", "f").code == 0
    assert names(home, "f") == ["1.result.json", "1.stdout.txt", "2.result.json", "2.stdout.txt", "d/1.txt", "d/2.txt", "tasks.csv"]
    result = home.kq("fetch", "j", "--flat", "--dest", "f")
    assert result.code == 0 and "0 files" in result.err and not any(name.startswith(".") for name in os.listdir(os.path.join(home.cwd, "f"))), result
    home.file("g/d/2.txt", "precious")
    result = home.kq("fetch", "j", "--flat", "--dest", "g")
    assert result.code == 2 and "g/d/2.txt" in result.err and names(home, "g") == ["d/2.txt"], result
    assert home.kq("fetch", "j", "--flat", "--force", "--dest", "g").code == 0 and home.read("g/d/2.txt") == "2\n"
    home.kq("sub", "-n", "t", "echo x >tasks.csv")
    result = home.kq("fetch", "t", "--flat", "--dest", "h")
    assert result.code == 2 and "tasks.csv" in result.err, result


@test("names that are no UTF-8, blanks, newlines and leading dashes come through")
def _(home):
    home.kq("sub", "-n", "j", "python3", "-c", "open(b'bad\\xff','w'); open('with blank','w'); open('new\\nline','w'); open('-rf','w')")
    assert home.kq("fetch", "j").code == 0
    seen = sorted(os.listdir(os.fsencode(os.path.join(home.cwd, "j/1"))))
    assert seen == sorted([b"bad\xff", b"with blank", b"new\nline", b"-rf", b"stdout.txt", b"result.json"]), seen


@test("tasks.csv: parameters quoted as RFC 4180 wants it, times in UTC, tasks that never ran")
def _(home):
    home.file("p.csv", 'a,b\n"x,1","say ""hi"""\n"two\nlines",\n')
    home.kq("sub", "-n", "j", "-p", "p.csv", "--no-nodes", "--no-wait", "true")
    assert home.kq("fetch", "j").code == 0
    rows = list(csv.DictReader(io.StringIO(home.read("j/tasks.csv"))))
    assert [(row["a"], row["b"]) for row in rows] == [("x,1", 'say "hi"'), ("two\nlines", "")], rows
    assert all(row["kq_state"] == "pending" and row["kq_attempts"] == "0" and not row["kq_started"] for row in rows), rows
    assert os.listdir(os.path.join(home.cwd, "j")) == ["tasks.csv"]


@test("a destination that cannot be: a file, or too small, is refused before anything is written")
def _(home):
    home.kq("sub", "-n", "j", "head -c 3000000 /dev/urandom >f")
    home.file("plain", "x")
    result = home.kq("fetch", "j", "--dest", "plain")
    assert result.code != 0 and "plain" in result.err and home.read("plain") == "x", result
    point = os.path.join(home.top, "small")
    os.mkdir(point)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", point], check=False, capture_output=True).returncode:
        return
    try:
        result = home.kq("fetch", "j", "--dest", os.path.join(point, "d"))
        assert result.code == 6 and "--only" in result.err and os.listdir(point) == [], result
        assert home.kq("fetch", "j", "--only", "*.txt", "--dest", os.path.join(point, "d")).code == 0
    finally:
        subprocess.run(["umount", point], check=False)


@test("results whose publication was left undone are published by fetch")
def _(home):
    home.kq("sub", "-n", "j", "echo x >f")
    home.end_nodes()
    place = os.path.join(home.path, "results/j")
    os.rename(os.path.join(place, "1"), os.path.join(place, ".attempts/1.1"))
    assert home.kq("fetch", "j").code == 0
    assert home.read("j/1/f") == "x\n" and os.path.exists(os.path.join(place, "1/f"))


main()
