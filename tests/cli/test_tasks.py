"""What a task sees: environment, umask, limits, signals, terminal, work directory, stdout.txt; how the store is kept."""
import json
import os
import resource
import signal
import subprocess
import sys

from kq import BINARY, main, test, wait_for

NOT_PASSED = {"KUBEQUE_CONFIG": "", "KQ_FOO": "x", "OLDPWD": "/", "SHLVL": "3", "SSH_AUTH_SOCK": "/x", "SSH_TTY": "y", "DISPLAY": ":0",
              "XDG_RUNTIME_DIR": "/run/x"}


def output(home, job, n=1):
    with open(os.path.join(home.path, "results", job, str(n), "stdout.txt"), encoding="utf-8", errors="surrogateescape") as source:
        return source.read()


def ran(home, *words, **options):
    """Output of a job of one task named j, which is forgotten at once."""
    result = home.kq("sub", "-n", "j", *words, **options)
    assert result.code == 0, result
    text = output(home, "j")
    home.kq("clean", "--results", "--yes", "j")
    return text


def env_of(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@test("the environment is the submitter's, less what belongs to the session; PWD is the task's own; kubeque's names are there")
def _(home):
    got = env_of(ran(home, "env", env=dict(NOT_PASSED, MINE="a b", EMPTY="", LC_NUMERIC="de_DE.UTF-8")))
    assert got["MINE"] == "a b" and got["EMPTY"] == "" and got["LC_NUMERIC"] == "de_DE.UTF-8", got
    assert not [name for name in got if name in NOT_PASSED or name.startswith("KUBEQUE_") or name == "_"], got
    assert got["PWD"] == got["KQ_WORK"] and got["KQ_JOB"] == "j" and got["KQ_TASK"] == "1" and got["KQ_ATTEMPT"] == "1" and got["KQ_NODE"], got
    assert {name for name in got if name.startswith("KQ_")} == {"KQ_JOB", "KQ_TASK", "KQ_ATTEMPT", "KQ_NODE", "KQ_WORK"}, got
    assert got.get("TMPDIR") == os.environ.get("TMPDIR"), "TMPDIR is not changed"


@test("every task has its own submission's environment, whoever started the node")
def _(home):
    assert env_of(ran(home, "env", env={"WHO": "first"}))["WHO"] == "first"
    assert env_of(ran(home, "env", env={"WHO": "second"}))["WHO"] == "second"
    assert "WHO" not in env_of(ran(home, "env"))


@test("--env K=V, the last wins; --env K takes the value from here; KQ_ names and unset ones are refused")
def _(home):
    got = env_of(ran(home, "--env", "A=1", "--env", "A=2=3", "--env", "HERE", "--env", "OLDPWD=/mine", "env", env={"HERE": "yes"}))
    assert got["A"] == "2=3" and got["HERE"] == "yes" and got["OLDPWD"] == "/mine", got
    for words in (("--env", "KQ_X=1"), ("--env", "NOT_SET_ANYWHERE"), ("--env", "=x"), ("--env", "")):
        result = home.kq("sub", "-n", "k", *words, "true")
        assert result.code == 2 and len(result.lines) == 1 and home.kq("status", "k").code == 3, result


@test("--clean-env gives PATH HOME USER LANG TZ only, beside --env")
def _(home):
    got = env_of(ran(home, "--clean-env", "--env", "B=1", "/usr/bin/env", env={"MINE": "x", "LANG": "C", "TZ": "UTC", "USER": "u"}))
    names = {name for name in got if not name.startswith("KQ_")}
    assert names == {"PATH", "HOME", "USER", "LANG", "TZ", "PWD", "B"}, names


@test("the environment is private: not in the CAS, not in dumpjob, nothing readable by others")
def _(home):
    home.file("in", "x")
    home.kq("sub", "-n", "j", "-u", "in", "true", env={"PASSWORD": "fairly-secret-value"})
    assert "fairly-secret-value" not in home.kq("dumpjob", "j").out
    found = subprocess.run(["grep", "-rl", "fairly-secret-value", home.path], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    assert found and all(os.path.basename(path).startswith("queue.db") for path in found), found
    for folder, _, files in os.walk(home.path):
        if "/results" in folder:
            continue
        mode = os.stat(folder).st_mode & 0o7777
        assert mode & 0o77 == 0, (folder, oct(mode))
        for name in files:
            mode = os.lstat(os.path.join(folder, name)).st_mode & 0o7777
            assert mode in (0o600, 0o400), (folder, name, oct(mode))


@test("results and fetched files have the submitter's umask")
def _(home):
    for mask, file_mode, dir_mode in (("077", 0o600, 0o700), ("002", 0o664, 0o775)):
        job = "m" + mask
        done = subprocess.run(["sh", "-c", f'umask {mask}; "$0" sub -q -n {job} --fetch o{mask} "umask; mkdir d; echo x >d/f"', BINARY], cwd=home.cwd,
                              env=home.env, check=False, capture_output=True)
        assert done.returncode == 0, done
        for top in (os.path.join(home.path, "results", job, "1"), os.path.join(home.cwd, "o" + mask, "1")):
            assert os.stat(top).st_mode & 0o777 == dir_mode, (top, oct(os.stat(top).st_mode))
            for name in ("stdout.txt", "result.json", "d/f"):
                mode = os.stat(os.path.join(top, name)).st_mode & 0o777
                assert mode == file_mode, (top, name, oct(mode))
        assert int(output(home, job), 8) == int(mask, 8)


@test("soft limits and nice are those of sub, whoever started the node")
def _(home):
    home.kq("sub", "-n", "first", "true")

    def limits():
        resource.setrlimit(resource.RLIMIT_NOFILE, (123, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        os.nice(3)
    done = subprocess.run([BINARY, "sub", "-q", "-n", "j", "ulimit -Sn; ulimit -Sc; nice"], cwd=home.cwd, env=home.env, check=False,
                          capture_output=True, preexec_fn=limits)
    assert done.returncode == 0 and output(home, "j").split() == ["123", "0", str(os.nice(0) + 3)], (done, output(home, "j"))


@test("signals are default and unblocked although the submitter ignores and blocks some")
def _(home):
    def ignore():
        for sig in (signal.SIGHUP, signal.SIGPIPE, signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
            signal.signal(sig, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2, signal.SIGCHLD})
    done = subprocess.run([BINARY, "sub", "-q", "-n", "j", "grep", "Sig[BI]", "/proc/self/status"], cwd=home.cwd, env=home.env, check=False,
                          capture_output=True, preexec_fn=ignore)
    assert done.returncode == 0, done
    assert [int(line.split()[1], 16) for line in output(home, "j").splitlines()] == [0, 0], output(home, "j")


@test("no controlling terminal, stdin is /dev/null, own process group, no open descriptor of ours")
def _(home):
    text = ran(home, sys.executable, "-c", """
import os
print(os.readlink("/proc/self/fd/0"), os.getpgrp() == os.getpid())
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:3], len(os.listdir("/proc/self/fd")))
try:
    os.open("/dev/tty", os.O_RDWR)
    print("terminal")
except OSError:
    print("none")
print(os.isatty(1), open("/proc/self/stat").read().rsplit(")", 1)[1].split()[4])
""")
    assert text == "/dev/null True\n[0, 1, 2] 4\nnone\nFalse 0\n", text


@test("a closed terminal or Ctrl-C reaches no task, and the node has a session of its own")
def _(home):
    client = home.start("sub", "-n", "j", "sleep 0.6; echo done")
    wait_for(lambda: "claimed" in home.kq("status", "j").out)
    for pid in home.node_pids():
        assert os.getsid(pid) == pid != os.getsid(client.pid)
    os.killpg(client.pid, signal.SIGHUP)
    assert client.wait(10) == 129
    assert home.kq("watch", "j").code == 0 and output(home, "j") == "done\n"


@test("the work directory: private, path without blanks, empty each time, on the disk of the results; KQ_WORK is its path")
def _(home):
    text = ran(home, "stat -c %a .; pwd; echo $KQ_WORK; ls -A | wc -l; echo x >left; mkdir -p a/b")
    mode, pwd, work, count = text.split()
    assert (mode, pwd, count) == ("700", work, "0"), text
    assert ran(home, "ls -A; echo end") == "end\n"
    blanks = dict(KUBEQUE_HOME=os.path.join(home.top, "a b/kq"))
    result = home.kq("sub", "-n", "j", "--fetch", "o", "echo $KQ_WORK", env=blanks)
    assert result.code == 0 and " " not in home.read("o/1/stdout.txt").strip(), result
    home.path = blanks["KUBEQUE_HOME"]


@test("stdout.txt lies outside the work directory, is opened for append, and can be followed by its path")
def _(home):
    text = ran(home, "ls -A; grep ^flags: /proc/self/fdinfo/1; readlink /proc/$$/fd/1; echo $KQ_WORK")
    flags, place, work = text.split("\n")[:3]
    assert int(flags.split()[1], 8) & os.O_APPEND and place.endswith("/stdout.txt") and not place.startswith(work), text


@test("the locale changes neither numbers, nor sorting, nor messages; the task gets it")
def _(home):
    german = {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8", "LANGUAGE": "de"}
    for name in ("b", "a", "B", "\u00e4"):
        home.file(f"d/{name}", name)
    result = home.kq("sub", "-n", "j", "-r", "cpu=0.5,memory=1.5G", "-u", "d", "--timeout", "5.5s", "--seq", "2", "--fetch", "o",
                     "echo $LC_ALL", env=german)
    assert result.code == 0 and home.read("o/1/stdout.txt") == "de_DE.UTF-8\n", result
    order = [line.split("d/")[1].split(" ")[0] for line in result.lines if line.startswith("Uploading d/")]
    assert order == ["B", "a", "b", "\u00e4"], order
    assert "cpu=0.5" in home.kq("status", "--detailed", "j", env=german).out
    got = json.loads(home.read("o/1/result.json"))
    assert isinstance(got["resource_usage"]["elapsed"], float), got
    assert home.kq("nosuch", env=german).err.split(" ", 2)[2] == home.kq("nosuch").err.split(" ", 2)[2]


@test("times: UTC with milliseconds for machines, local time for people")
def _(home):
    import re
    zone = {"TZ": "Pacific/Kiritimati"}
    result = home.kq("sub", "-n", "j", "--fetch", "o", "true", env=zone)
    assert result.code == 0, result
    stamp = r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
    got = json.loads(home.read("o/1/result.json"))
    row = json.loads(home.kq("status", "--tasks", "--jsonl", "j", env=zone).out)
    node = json.loads(home.kq("nodes", "--jsonl", env=zone).out)
    for text in (got["started"], got["ended"], row["started"], row["ended"], node["registered"]):
        assert re.match(stamp, text), text
    assert row["started"] == got["started"]
    shown = home.kq("status", "--tasks", "j", env=zone).out
    assert result.err[:10] in shown and got["started"][:10] + " " not in shown.replace(result.err[:10], ""), (shown, result.err[:10])


@test("/dev/shm, a link, a relative KUBEQUE_HOME: the store is where it says")
def _(home):
    os.makedirs(os.path.join(home.top, "real"))
    os.symlink(os.path.join(home.top, "real"), os.path.join(home.top, "link"))
    for place in (os.path.join(home.top, "link"), "rel/store"):
        result = home.kq("sub", "-q", "-n", "j", "echo $KQ_WORK", env={"KUBEQUE_HOME": place})
        assert result.code == 0, result
        assert home.kq("logs", "j", env={"KUBEQUE_HOME": place}).out.startswith("/"), place
        for row in home.kq("nodes", "--jsonl", env={"KUBEQUE_HOME": place}).out.splitlines():
            os.kill(json.loads(row)["pid"], signal.SIGTERM)


main()
