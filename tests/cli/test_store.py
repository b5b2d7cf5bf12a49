"""The store on this machine, and nodes that are told to leave; what tasks may do to their directories."""
import os
import signal
import stat

from kq import main, test, wait_for


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@test("a store of another machine is refused with both names, exit 5, and left alone")
def _(home):
    home.kq("sub", "-q", "true")
    home.end_nodes()
    with open(home.path + "/host", encoding="ascii") as source:
        text = source.read()
    with open(home.path + "/host", "w", encoding="ascii") as out:
        out.write("0" * 32 + "\nelsewhere\n")
    for words in (("status",), ("sub", "true"), ("clean",)):
        result = home.kq(*words)
        assert result.code == 5 and "elsewhere" in result.err and os.uname().nodename in result.err, result
    with open(home.path + "/host", "w", encoding="ascii") as out:
        out.write(text)
    assert home.kq("status").code == 0


@test("the store is private whatever the umask; results have the submitter's")
def _(home):
    old = os.umask(0)
    try:
        home.kq("sub", "-q", "-n", "open", "echo x > f; mkdir d; echo y > d/g")
    finally:
        os.umask(0o077)
    home.kq("sub", "-q", "-n", "closed", "echo x > f")
    os.umask(old)
    assert mode(home.path) == 0o700
    for part in ("CAS", "nodes", "bells", "work"):
        assert mode(f"{home.path}/{part}") == 0o700, part
    assert mode(home.path + "/queue.db") == 0o600
    for name, bits in (("", 0o777), ("/1", 0o777), ("/1/f", 0o666), ("/1/d", 0o777), ("/1/d/g", 0o666), ("/1/stdout.txt", 0o666),
                       ("/1/result.json", 0o666)):
        assert mode(f"{home.path}/results/open{name}") == bits, name
    assert mode(home.path + "/results/closed/1/f") == 0o600 and mode(home.path + "/results/closed/1") == 0o700


@test("KUBEQUE_HOME that is a file or cannot be made: exit 5 and the sentence")
def _(home):
    for path in (home.file("file"), "/proc/nowhere/kq"):
        result = home.kq("sub", "true", env={"KUBEQUE_HOME": path})
        assert result.code == 5 and f"cannot write {path}: set KUBEQUE_HOME" in result.err, result


@test("a task may remove, rename, lock or bury its work directory: the node lives on and clears it")
def _(home):
    deep = "import os\nfor i in range(10000): os.mkdir('d'); os.chdir('d')\n"
    many = "for i in range(20000): open('f%d' % i, 'w').close()\n"
    home.file("deep.py", deep)
    home.file("many.py", many)
    for name, options, line in (("removed", (), 'rm -rf "$KQ_WORK"; echo ok'), ("locked", (), "mkdir d; chmod 0 d; chmod 0 .; echo ok"),
                                ("renamed", (), 'mv "$KQ_WORK" "$KQ_WORK.moved"; echo ok'),
                                ("deep", ("-u", "deep.py"), "python3 deep.py && echo ok"),
                                ("many", ("-u", "many.py", "--results", "none"), "python3 many.py && echo ok")):
        result = home.kq("sub", "-q", "-n", name, *options, line)
        assert result.code == 0 and home.kq("logs", name).out == "ok\n", (name, result)
    assert len(home.kq("nodes", "-q").out.split()) == 1
    home.end_nodes()
    home.kq("sub", "-q", "true")
    home.end_nodes()
    home.kq("clean")
    assert not os.listdir(home.path + "/work"), os.listdir(home.path + "/work")


@test("times and modes of inputs are kept")
def _(home):
    path = home.file("old.sh", "#!/bin/sh\n", 0o751)
    os.utime(path, (981158400, 981158400))
    assert home.kq("sub", "-q", "-n", "j", "-u", "old.sh", "stat -c '%Y %a' old.sh").code == 0
    assert home.kq("logs", "j").out.split() == ["981158400", "751"]


@test("--max-stdout cuts with a notice; logs --tail of a large output is quick")
def _(home):
    home.kq("sub", "-q", "-n", "cut", "--max-stdout", "1K", "yes | head -c 100000")
    out = home.kq("logs", "cut").out
    assert len(out) < 1100 and out.startswith("y\ny\n") and "--max-stdout" in out, out[-200:]
    home.kq("sub", "-q", "-n", "large", "truncate -s 8G /proc/self/fd/1; printf 'one\\ntwo\\nthree\\n'")
    assert home.kq("logs", "large", "--tail", "2", timeout=10).out == "two\nthree\n"


@test("nodes --stop drains, said twice it stops at once; the task goes on elsewhere")
def _(home):
    home.kq("sub", "-q", "--no-wait", "-n", "j", f"test $KQ_ATTEMPT -gt 1 || until test -e {home.cwd}/gate; do sleep 0.05; done")
    wait_for(lambda: "claimed: 1" in home.kq("status", "j").out)
    node = home.kq("nodes", "-q").out.strip()
    assert home.kq("nodes", "--stop", node).code == 0
    wait_for(lambda: "DRAINING" in home.kq("nodes").out)
    assert "claimed: 1" in home.kq("status", "j").out
    assert home.kq("nodes", "--stop", node).code == 0
    wait_for(lambda: "pending: 1" in home.kq("status", "j").out)
    result = home.kq("watch", "j")  # finds no node and starts one
    assert result.code == 0, result


@test("consume: the first Ctrl-C drains, the second gives back what runs and leaves")
def _(home):
    home.kq("sub", "-q", "--no-wait", "--no-nodes", "-n", "j", "sleep 60")
    node = home.start("consume")
    wait_for(lambda: "claimed: 1" in home.kq("status", "j").out)
    node.send_signal(signal.SIGINT)
    wait_for(lambda: "DRAINING" in home.kq("nodes").out)
    assert "claimed: 1" in home.kq("status", "j").out and node.poll() is None
    node.send_signal(signal.SIGINT)
    _, err = node.communicate(timeout=20)
    assert "drains" in err and "gives back" in err, err
    assert home.kq("status", "j").out == "j: pending: 1  nodes: (no nodes)\n"


@test("default_url_prefix moves only results and CAS; queue and nodes stay in KUBEQUE_HOME")
def _(home):
    env = {"KUBEQUE_DEFAULT_URL_PREFIX": home.top + "//elsewhere/"}
    home.file("in.txt", "input")
    assert home.kq("sub", "-q", "-n", "j", "-u", "in.txt", "cat in.txt > out", env=env).code == 0
    assert os.path.exists(home.top + "/elsewhere/j/1/out") and os.path.isdir(home.top + "/elsewhere/CAS")
    assert os.path.exists(home.path + "/queue.db") and not os.path.exists(home.path + "/results")
    assert home.kq("fetch", "j", env=env).code == 0 and home.read("j/1/out") == "input"


main()
