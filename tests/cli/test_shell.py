"""shell: a fresh directory with the inputs and the environment of a task."""
import json
import os
import pty
import select
import time

from kq import BINARY, main, test


@test("inputs, directory and environment are the task's, not those of who calls; nothing stays")
def _(home):
    home.file("in.txt", "hi")
    home.file("p.csv", "a,b c\n1,x\n2,y\n")
    result = home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-u", "in.txt:d/{a}.txt", "-p", "p.csv", "--env", "E={a}", "--cd", "sub/dir",
                     "cat", "../../d/{a}.txt", env={"MINE": "of sub", "KEEP": "x"})
    assert result.code == 0, result
    result = home.kq("shell", "j.2", stdin="pwd; find .. ../../d; env; cat $KQ_PARAMS; exit 5\n", env={"MINE": "of shell", "SHELL": "/bin/sh"})
    assert result.code == 5, result
    lines = result.out.splitlines()
    env = dict(line.split("=", 1) for line in lines if "=" in line)
    assert lines[1:5] == ["..", "../dir", "../../d", "../../d/2.txt"], lines
    assert env["MINE"] == "of sub" and env["KEEP"] == "x" and env["E"] == "2" and env["KQ_PARAM_b_c"] == "y" and env["KQ_TASK"] == "2", env
    assert not [name for name in env if name.startswith("KUBEQUE_")] and lines[0] == env["PWD"] == env["KQ_WORK"] + "/sub/dir", (lines[0], env)
    assert json.loads(lines[-1]) == {"a": "2", "b c": "y"}
    assert "Its command: cat ../../d/2.txt" in result.err and not os.path.exists(env["KQ_WORK"]), result
    assert home.kq("status", "j").out.startswith("j: pending: 2")


@test("one task is needed; what is not there is 3")
def _(home):
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--seq", "2", "true")
    for words, code in ((("j",), 2), (("j.1-2",), 2), (("j.3",), 3), (("nosuch.1",), 3), ((), 2), (("*",), 2)):
        result = home.kq("shell", *words)
        assert result.code == code and len(result.lines) == 1, result


@test("on a terminal it is a shell with a prompt, and Ctrl-C reaches what runs in it, not kubeque")
def _(home):
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "true")
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(BINARY, [BINARY, "shell", "j"], dict(home.env, SHELL="/bin/sh", TERM="dumb"))
    text = b""

    def until(wanted):
        nonlocal text
        end = time.monotonic() + 10
        while wanted not in text:
            assert time.monotonic() < end, text
            if select.select([fd], [], [], 0.05)[0]:
                text += os.read(fd, 4096)
    until(b"# " if os.geteuid() == 0 else b"$ ")
    os.write(fd, b"sh -c 'echo be\"\"gin; exec sleep 100'\n")
    until(b"begin\r\n")
    os.write(fd, b"\x03")
    os.write(fd, b"echo st'ill' here; exit 7\n")
    until(b"still here")
    try:
        while os.read(fd, 4096):
            pass
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7, text


main()
