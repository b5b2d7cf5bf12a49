"""Bad input that must be met: each line names what is wrong and what to do, and nothing is stored."""
import os
import subprocess
import threading
import time

from kq import BINARY, main, test, wait_for


def refused(home, *words, says=(), code=2, **more):
    result = home.kq("sub", "--no-nodes", "--no-wait", *words, timeout=20, **more)
    assert result.code == code, (words, result)
    for word in (says,) if isinstance(says, str) else says:
        assert word in result.err, (word, result)
    assert len(result.err.splitlines()) <= 2 and "stack" not in result.err, result
    assert home.kq("list", "-q").out == "", (words, "something was stored")


@test("a file that changes while it is hashed is refused, and a later one of the same name is not mixed up")
def _(home):
    path = home.file("big", os.urandom(1 << 20) * 64)
    stop = threading.Event()

    def scribble():
        at = 0
        with open(path, "r+b", buffering=0) as out:
            while not stop.is_set():
                at = (at + 7919) % (64 << 20)
                out.seek(at)
                out.write(b"x")
                time.sleep(0.001)
    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        refused(home, "-u", "big", "true", says=("big", "changed while it was read", "submit again"))
    finally:
        stop.set()
        writer.join()
    assert os.listdir(os.path.join(home.path, "CAS/.tmp")) == []
    want = subprocess.run(["sha256sum", path], capture_output=True, check=True, text=True).stdout.split()[0]
    assert home.kq("sub", "-n", "j", "-u", "big", "--fetch", "o", "sha256sum big").code == 0
    assert home.read("o/1/stdout.txt").split()[0] == want


@test("parameters from a FIFO or <(...) are read once; as inputs they are refused")
def _(home):
    fifo = os.path.join(home.cwd, "fifo")
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: open(fifo, "w").write("a\n1\n2\n"))
    writer.start()
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-p", "fifo", "echo", "{a}", timeout=10).code == 0
    writer.join()
    assert home.kq("listparams", "j", "-").out == "a\n1\n2\n"
    done = subprocess.run(["bash", "-c", f"'{BINARY}' sub -q -n k --no-nodes --no-wait --lines <(printf 'x\\ny\\n') echo {{line}}"],
                          env=home.env, cwd=home.cwd, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0 and home.kq("listparams", "k", "-").out == "line\nx\ny\n", done
    home.kq("kill", "*")
    home.kq("clean")
    refused(home, "-u", "fifo", "true", says=("fifo", "FIFO"))


@test("small slips: one line, the option and the value named")
def _(home):
    home.file("a", "1")
    home.file("s/x.py", "")
    os.symlink("l2", os.path.join(home.cwd, "l1"))
    os.symlink("l1", os.path.join(home.cwd, "l2"))
    home.file("home-list", "~/x\n")
    home.file("list", "a\n b\n")
    home.file("nul.jsonl", '{"a":"\\u0000"}\n')
    for words, says in (
            ((), "no command"), (("",), "empty"), (("", "x"), "empty"),
            (("-n", "", "true"), "empty"), (("-n", "a/b", "true"), "a/b"), (("-n", "x" * 500, "true"), "100 characters"),
            (("-n", "j.1", "true"), "digits"), (("-n", "LAST", "true"), "LAST"),
            (("-r", "memory=5Q", "true"), ("memory", "5Q")), (("-r", "cpu=9999", "true"), ("cpu=9999", "more than any node")),
            (("-r", "gpuu=1", "true"), "did you mean gpu"), (("--timeout", "-1", "true"), ("--timeout", "negative")),
            (("--env", "KQ_X=1", "true"), "KQ_X"), (("--env", "A-B=1", "true"), "A-B"), (("--env", "NOT_SET_HERE", "true"), "NOT_SET_HERE"),
            (("--cd", "../x", "true"), "--cd"), (("--cd", "/x", "true"), "--cd"),
            (("--seq", "0", "true"), "--seq"), (("--seq", "1..9..0", "true"), "step of 0"), (("--seq", "100000001", "true"), "100,000,000"),
            (("--seq", "3", "--rows", "0", "true"), "--rows"), (("--seq", "3", "--rows", "7", "true"), "no row 7"),
            (("--max-running", "0", "true"), "--max-running"), (("-p", "x.csv", "--seq", "3", "true"), "exclude each other"),
            (("-u", "", "true"), "-u"), (("-u", "a:", "true"), "empty"), (("-u", ":x", "true"), '""'), (("-u", "a:../x", "true"), "work directory"),
            (("-u", "a:/x", "true"), "absolute"), (("-u", "a/", "true"), '"a/"'), (("-u", "l1", "true"), "itself"), (("-u", "/", "true"), "/:NAME"),
            (("-u", "@home-list", "true"), ("home-list, line 1", "~/x")), (("-u", "@list", "true"), ("list, line 2", '" b"')),
            (("-u", "a:x", "-u", "s/x.py:x", "true"), ('"a:x"', '"s/x.py:x"')), (("-u", "gs://b/k", "true"), "gs://b/k"),
            (("s/x.py", "1"), ("s/x.py is not among the inputs", "-u")), (("-p", "nul.jsonl", "true"), ("line 1", "u0000")),
            (("--results", "/abs", "true"), "--results"), (("--image", "debian", "true"), "debian"),
            (("--fetch", "a", "true"), ("a is no directory",)), (("--clean", "--rerun", "true"), "exclude"),
            (("-f", "nosuch.json"), "nosuch.json"), (("-f", "s"), "directory")):
        if words[:1] == ("--fetch",):
            result = home.kq("sub", *words)
            assert result.code == 2 and "a is no directory" in result.err and "--no-wait" not in result.err, result
            continue
        refused(home, *words, says=says)


@test("a name used again over results that another queue left: they are moved aside, never mixed")
def _(home):
    home.kq("sub", "-n", "j", "echo old >old")
    home.kq("clean", "j")
    result = home.kq("sub", "-n", "j", "--fetch", "o", "echo new >new")
    assert result.code == 0 and "moved" in result.err, result
    results = os.path.join(home.path, "results")
    names = sorted(os.listdir(results))
    assert len(names) == 2 and names[0] == "j" and names[1].startswith("j~"), names
    assert "old" in os.listdir(os.path.join(results, names[1], "1")) and "old" not in os.listdir(os.path.join(results, "j/1"))


main()
