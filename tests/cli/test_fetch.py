"""fetch: into what, how much, again, stopped in the middle."""
import csv
import io
import os
import shutil
import signal
import time

from kq import Skip, main, test, wait_for


def files(home, folder):
    top = os.path.join(home.cwd, folder)
    out = []
    for where, _, names in os.walk(top):
        out += [os.path.relpath(os.path.join(where, name), top) for name in names]
    return sorted(out)


@test("what kubeque did not make is refused, named, and left as it was")
def _(home):
    home.kq("sub", "-n", "j", "echo 1 >f; mkdir d; echo 2 >d/g")
    home.file("foreign/tasks.csv", "a,b\n1,2\n")
    home.file("plain", "x")
    home.file("own/1/mine", "mine")
    for dest, says in (("foreign", "foreign/tasks.csv"), ("plain", "plain is no directory"), ("own", "own/1")):
        result = home.kq("fetch", "j", "--dest", dest)
        assert result.code == 2 and says in result.err and "--dest" in result.err, result
        result = home.kq("sub", "-n", "k", "--fetch", dest, "true")
        assert result.code == 2 and dest in result.err and home.kq("status", "k").code == 3, result
    assert home.read("foreign/tasks.csv") == "a,b\n1,2\n" and home.read("own/1/mine") == "mine"
    assert home.kq("fetch", "j", "--dest", "foreign", "--force").code == 0
    assert files(home, "foreign") == ["1/d/g", "1/f", "1/result.json", "1/stdout.txt", "tasks.csv"]
    os.unlink(os.path.join(home.cwd, "foreign/1/f"))
    home.file("foreign/1/f/inside", "x")
    result = home.kq("fetch", "j", "--dest", "foreign")
    assert result.code == 2 and "foreign/1/f is a directory" in result.err, result


@test("a link in DIR is never followed")
def _(home):
    home.kq("sub", "-n", "j", "mkdir d; echo 2 >d/g; echo 1 >f")
    assert home.kq("fetch", "j").code == 0
    home.file("elsewhere/g", "precious")
    home.file("target", "precious")
    shutil.rmtree(os.path.join(home.cwd, "j/1/d"))
    os.symlink(os.path.join(home.cwd, "elsewhere"), os.path.join(home.cwd, "j/1/d"))
    os.unlink(os.path.join(home.cwd, "j/1/f"))
    os.symlink(os.path.join(home.cwd, "target"), os.path.join(home.cwd, "j/1/f"))
    home.kq("fetch", "j")
    assert home.read("elsewhere/g") == "precious" and home.read("target") == "precious"


@test("--flat: names, collisions with what --flat itself makes, a task that is a file where another has a directory")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "2", "echo {index} >f{index}; mkdir -p d; echo {index} >d/{index}")
    assert home.kq("fetch", "j", "--flat").code == 0
    want = ["1.result.json", "1.stdout.txt", "2.result.json", "2.stdout.txt", "d/1", "d/2", "f1", "f2", "tasks.csv"]
    assert files(home, "j") == want, files(home, "j")
    again = home.kq("fetch", "j", "--flat")
    assert again.code == 0 and "0 files" in again.err, again
    for i, (line, says) in enumerate((("echo 1 >1.stdout.txt", "1.stdout.txt"), ("echo 1 >tasks.csv", "tasks.csv"),
                                      ("if [ {index} = 1 ]; then echo >a; else mkdir a; echo >a/b; fi", "a is an output of both"))):
        home.kq("sub", "-n", f"k{i}", "--seq", "2", line)
        result = home.kq("fetch", f"k{i}", "--flat")
        assert result.code == 2 and says in result.err and not os.path.exists(os.path.join(home.cwd, f"k{i}")), result


@test("a job that still runs: what ended is fetched, the rest counted; the next call takes what is new")
def _(home):
    gate = os.path.join(home.top, "gate")
    home.kq("sub", "-n", "j", "--seq", "3", "-j", "3", "--no-wait", f"test {{index}} = 1 || while [ ! -e {gate} ]; do sleep 0.02; done; echo {{index}} >f")
    wait_for(lambda: "complete" in home.kq("status", "j").out)
    result = home.kq("fetch", "j")
    assert result.code == 0 and "Fetched 1 task of" in result.err and "2 tasks have not ended yet" in result.err, result
    rows = list(csv.DictReader(io.StringIO(home.read("j/tasks.csv"))))
    assert [row["kq_state"] for row in rows] == ["complete(code=0)", "claimed", "claimed"] and [row["index"] for row in rows] == ["1", "2", "3"], rows
    first = os.stat(os.path.join(home.cwd, "j/1/f"))
    open(gate, "w").close()
    home.kq("watch", "j")
    result = home.kq("fetch", "j")
    assert result.code == 0 and "3 were there already" in result.err, result
    assert os.stat(os.path.join(home.cwd, "j/1/f")).st_ino == first.st_ino
    assert home.kq("fetch", "j.9").code == 3


@test("a later attempt's files replace those of an earlier one; own files stay")
def _(home):
    flag = os.path.join(home.top, "flag")
    home.kq("sub", "-n", "j", f"if [ -e {flag} ]; then echo b >two; else mkdir d; echo a >d/one; fi; echo same >same")
    assert home.kq("fetch", "j").code == 0
    home.file("j/1/mine", "mine")
    before = os.stat(os.path.join(home.cwd, "j/1/same"))
    os.utime(os.path.join(home.cwd, "j/1/same"), ns=(before.st_atime_ns, before.st_mtime_ns - 10**9))
    open(flag, "w").close()
    home.kq("reset", "j", "--all")
    assert home.kq("status", "--wait", "j").code == 0
    assert home.kq("fetch", "j").code == 0
    assert files(home, "j/1") == ["mine", "result.json", "same", "stdout.txt", "two"], files(home, "j/1")
    after = os.stat(os.path.join(home.cwd, "j/1/same"))
    assert after.st_ino == before.st_ino and after.st_mtime_ns == before.st_mtime_ns - 10**9, "an equal file was written again"


@test("directories of tasks that a replaced job had are pointed out")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "3", "--fetch", "j", "echo {index} >f")
    result = home.kq("sub", "-n", "j", "--clean", "--fetch", "j", "echo new >g")
    assert result.code == 0 and "j/2" in result.err and "earlier job" in result.err, result
    assert files(home, "j/1") == ["g", "result.json", "stdout.txt"] and home.read("j/2/f") == "2\n"


@test("killed in the middle, it goes on; nothing half done ever has its final name")
def _(home):
    home.kq("sub", "-n", "j", "--seq", "4", "for i in $(seq 100); do head -c 300000 /dev/zero | tr '\\0' {index} >f$i; done", timeout=60)
    dest = os.path.join(home.cwd, "j")
    for delay in (0.01, 0.02, 0.04, 0.06):
        child = home.start("fetch", "j")
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        for n in "1234":
            if os.path.exists(os.path.join(dest, n)):
                names = os.listdir(os.path.join(dest, n))
                assert len(names) == 102 and all(os.stat(os.path.join(dest, n, name)).st_size == 300000 for name in names if name[0] == "f")
    assert home.kq("fetch", "j").code == 0
    assert sorted(os.listdir(dest)) == ["1", "2", "3", "4", "tasks.csv"], os.listdir(dest)
    for n in "1234":
        for i in (1, 50, 100):
            assert home.read(f"j/{n}/f{i}") == n * 300000


@test("fetched files are the user's own: later changes reach neither the store nor other copies")
def _(home):
    home.kq("sub", "-n", "j", "echo data >f; chmod 640 f")
    assert home.kq("fetch", "j", "--dest", "a").code == 0 and home.kq("fetch", "j", "--dest", "b").code == 0
    path = os.path.join(home.cwd, "a/1/f")
    assert os.stat(path).st_nlink == 1 and os.stat(path).st_mode & 0o777 == 0o640
    home.file("a/1/f", "changed")
    assert home.read("b/1/f") == "data\n" and home.kq("fetch", "j", "--dest", "c").code == 0 and home.read("c/1/f") == "data\n"


@test("what cannot fit is refused before anything is written, with exit 6")
def _(home):
    import subprocess
    small = os.path.join(home.cwd, "small")
    os.mkdir(small)
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True).returncode:
        raise Skip("needs to mount a small tmpfs")
    try:
        home.kq("sub", "-n", "j", "--seq", "2", "head -c 800000 /dev/zero >f{index}")
        result = home.kq("fetch", "j", "--dest", "small/d")
        assert result.code == 6 and "free" in result.err and "--only" in result.err and os.listdir(small) == [], (result, os.listdir(small))
        assert home.kq("fetch", "j.2", "--dest", "small/d").code == 0
        assert home.kq("fetch", "j", "--only", "f1", "--dest", "small/e").code == 6
        assert home.kq("fetch", "j", "--only", "std*", "--dest", "small/e").code == 0
    finally:
        subprocess.run(["umount", small], check=True)


main()
