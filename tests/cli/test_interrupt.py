"""Ctrl-C, SIGTERM and SIGHUP at each stage of a submission and of waiting."""
import os
import signal
import subprocess
import time

from kq import BINARY, main, test, wait_for

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
UNAFFECTED = "Interrupted -- Exiting, but your job will continue to run unaffected."


def end(child, sig, seconds=10):
    """Sends the signal; returns status, stderr's last line, and how long it took."""
    begun = time.monotonic()
    child.send_signal(sig)
    _, err = child.communicate(timeout=seconds)
    return child.returncode, err, time.monotonic() - begun


def jobs(home):
    return home.kq("list", "-q").out.split()


def reading(pid, path):
    """Has the process the file open?"""
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{fd}") == path for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


@test("while a big input is read: undone within a second, nothing was submitted, no temporary file stays")
def _(home):
    path = home.file("big", b"")
    os.truncate(path, 6 << 30)  # sparse: seconds of hashing, no space; nothing of it may be stored
    for sig, code in CODES.items():
        child = home.start("sub", "--dry-run", "-u", "big", "true")
        wait_for(lambda child=child: reading(child.pid, path))
        status, err, took = end(child, sig)
        assert status == code and "Interrupted, nothing was submitted" in err, (status, err)
        assert took < 2, took
    path = home.file("middle", b"")
    os.truncate(path, 1 << 30)
    child = home.start("sub", "-u", "middle", "true")
    wait_for(lambda: reading(child.pid, path))
    status, err, took = end(child, signal.SIGINT)
    assert status == 130 and "Interrupted, nothing was submitted" in err and took < 2, (status, err, took)
    assert not os.path.isdir(home.path + "/CAS/.tmp") or not os.listdir(home.path + "/CAS/.tmp")
    assert not jobs(home) and not home.node_pids()


@test("while rows are stored: nothing is left of the job, and its name is free")
def _(home):
    home.kq("sub", "-q", "--no-wait", "--no-nodes", "-n", "other", "true")
    home.file("rows.csv", "a,b\n" + "".join(f"{i},x{i}\n" for i in range(400000)))
    for sig, code in CODES.items():
        child = home.start("sub", "-n", "big", "--no-nodes", "--no-wait", "-p", "rows.csv", "echo {a}")
        line = child.stderr.readline()
        assert "Submitting job with id: big" in line, line
        status, err, _ = end(child, sig)
        assert status == code and "Interrupted, nothing was submitted" in err, (status, err)
        assert jobs(home) == ["other"]
    assert home.kq("sub", "-n", "big", "--no-nodes", "--no-wait", "true").code == 0


@test("while stdin is spooled: nothing was submitted")
def _(home):
    reader, writer = os.pipe()
    child = subprocess.Popen([BINARY, "sub", "-p", "-", "true"], stdin=reader, env=home.env, cwd=home.cwd, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    home.children.append(child)
    os.write(writer, b"a\n1\n")
    wait_for(lambda: "pipe" in open(f"/proc/{child.pid}/wchan", encoding="ascii").read() or child.poll() is not None, 2, check=False)
    status, err, _ = end(child, signal.SIGINT)
    os.close(writer)
    os.close(reader)
    assert status == 130 and "Interrupted, nothing was submitted" in err, (status, err)
    assert not jobs(home)


@test("once the job is visible it goes on, whatever ended sub, watch or status --wait; they say how to go on")
def _(home):
    for number, (sig, code) in enumerate(CODES.items()):
        name = f"j{number}"
        gate = os.path.join(home.cwd, f"gate{number}")
        local = ["--local"] if number == 1 else []
        child = home.start("sub", "-n", name, *local, f"until test -e {gate}; do sleep 0.05; done")
        wait_for(lambda name=name: "claimed: 1" in home.kq("status", name).out)
        status, err, _ = end(child, sig)
        assert status == code and UNAFFECTED in err and f"kubeque kill {name}" in err and f"kubeque watch {name}" in err, (status, err)
        for words in (("watch", name), ("status", "--wait", name)):
            child = home.start(*words)
            assert "Waiting for job" in child.stderr.readline()
            status, err, _ = end(child, sig)
            assert status == code and UNAFFECTED in err, (status, err)
        assert "claimed: 1" in home.kq("status", name).out
        home.file(f"gate{number}")
        assert home.kq("watch", name).code == 0


@test("the closed terminal of sub ends neither node nor tasks")
def _(home):
    child = home.start("sub", "-n", "j", "sleep 1; echo done")
    wait_for(lambda: "claimed: 1" in home.kq("status", "j").out)
    os.killpg(child.pid, signal.SIGHUP)
    child.wait(10)
    assert home.kq("watch", "j").code == 0
    assert home.kq("logs", "j").out == "done\n"


@test("logs -f ends at Ctrl-C, with 130; a second Ctrl-C ends anything at once")
def _(home):
    home.kq("sub", "-q", "-n", "j", "--no-wait", "echo hello; sleep 30")
    child = home.start("logs", "-f", "j")
    assert child.stdout.readline() == "hello\n"
    assert end(child, signal.SIGINT)[0] == 130
    child = home.start("watch", "j")
    assert "Waiting" in child.stderr.readline()
    os.kill(child.pid, signal.SIGSTOP)  # both are there when it goes on
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGCONT)
    assert child.wait(10) in (130, 143)
    assert home.kq("kill", "j").code == 0


@test("fetch of something big stops at once; nothing partial has its final name; it goes on later")
def _(home):
    assert home.kq("sub", "-q", "-n", "j", "head -c 400000000 /dev/zero > big; echo small > small").code == 0
    child = home.start("fetch", "j")
    part = home.cwd + "/j/.1.part/big"
    wait_for(lambda: os.path.exists(part) or child.poll() is not None)
    status, err, took = end(child, signal.SIGINT)
    if status != 0:  # it was not quicker
        assert status == 130 and "Interrupted" in err and "kubeque fetch j" in err and took < 2, (status, err, took)
        assert not os.path.exists(home.cwd + "/j/1")
    assert home.kq("fetch", "j").code == 0
    assert os.path.getsize(home.cwd + "/j/1/big") == 400000000 and sorted(os.listdir(home.cwd + "/j")) == ["1", "tasks.csv"]


@test("precedence: interrupted beats failed, --wait-timeout beats failed")
def _(home):
    child = home.start("sub", "-n", "j", "--seq", "2", "test $KQ_TASK = 2 && exec sleep 30; exit 3")
    wait_for(lambda: "complete(code=3): 1" in home.kq("status", "j").out)
    assert end(child, signal.SIGINT)[0] == 130
    assert home.kq("status", "--wait", "j", "--wait-timeout", "0.1").code == 4
    assert home.kq("watch", "j", "--wait-timeout", "0.1").code == 4
    home.kq("kill", "j")
    assert home.kq("watch", "j").code == 1


@test("--fetch that fails after a good job is 6; after a failed one, too")
def _(home):
    for number, code in enumerate((0, 1)):
        blocked = os.path.join(home.cwd, f"d{number}")
        child = home.start("sub", "-n", f"f{number}", "--fetch", blocked, f"until test -e {home.cwd}/go{number}; do sleep 0.05; done; exit {code}")
        wait_for(lambda number=number: "claimed: 1" in home.kq("status", f"f{number}").out)
        if os.path.isdir(blocked):
            os.rmdir(blocked)
        home.file(f"d{number}", "a file")  # what --fetch could not know when it was checked
        home.file(f"go{number}")
        _, err = child.communicate(timeout=20)
        assert child.returncode == 6, (child.returncode, err)


main()
