"""Every example is run as its own head says, and leaves what it promises."""
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

from kq import BINARY, main, test, wait_for

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples")


def example(home, name):
    """A copy of an example's directory to run in."""
    path = os.path.join(home.cwd, name)
    shutil.copytree(os.path.join(EXAMPLES, name), path)
    return path


def install(home, kind, source):
    folder = os.path.join(home.env["HOME"], ".config", "kubeque", "lua", kind)
    os.makedirs(folder, exist_ok=True)
    shutil.copy(os.path.join(EXAMPLES, source), folder)


def starts(home, pattern):
    """How many attempts the store has seen of jobs whose id matches."""
    jobs = json.loads(home.kq("list", "--json").out)
    count = 0
    for job in jobs:
        if re.search(pattern, job["job"]):
            for task in json.loads(home.kq("dumpjob", job["job"]).out)["tasks"]:
                count += len(task["attempts"])
    return count


@test("sample-job/recipe.lua renders the tiles and says which took longest")
def _(home):
    path = example(home, "sample-job")
    done = home.kq("run", "recipe.lua", cwd=path, timeout=120)
    assert done.code == 0 and re.search(r"^24 tiles; the slowest took [\d.]+ s$", done.out, re.M), done
    picture = subprocess.run([sys.executable, "montage.py", "tiles", "mandelbrot.png"], cwd=path, check=False)
    assert picture.returncode == 0 and os.path.getsize(os.path.join(path, "mandelbrot.png")) > 1000


@test("hyperparameters/grid.lua finds the best of the grid and trains it longer")
def _(home):
    path = example(home, "hyperparameters")
    done = home.kq("run", "grid.lua", cwd=path, timeout=120)
    assert done.code == 0 and re.search(r"best of the grid: lr=\S+ l2=\S+ loss=0\.\d+", done.out), done
    assert float(re.search(r"mean accuracy of the final model: ([\d.]+)", done.out).group(1)) > 0.8, done


@test("hyperparameters/random.lua gives the same answer twice and runs nothing the second time")
def _(home):
    path = example(home, "hyperparameters")
    first = home.kq("run", "random.lua", "--set", "trials=6", cwd=path, timeout=120)
    assert first.code == 0 and first.out.startswith("best of 6: lr="), first
    before = starts(home, "random")
    second = home.kq("run", "random.lua", "--set", "trials=6", cwd=path, timeout=120)
    assert second.code == 0 and second.out == first.out and starts(home, "random") == before == 6, second


@test("hyperparameters/halving.lua gives most epochs to the best configurations")
def _(home):
    path = example(home, "hyperparameters")
    done = home.kq("run", "halving.lua", cwd=path, timeout=120)
    assert done.code == 0 and "after 9 epochs" in done.out, done
    assert starts(home, "halving") == 9 + 3 + 1, done


@test("a recipe runs as a task of an ordinary job, and goes on after the death of its node")
def _(home):
    path = example(home, "hyperparameters")
    home.kq("sub", "-n", "driver", "--no-wait", "-r", "cpu=0.1", "--env", "KUBEQUE_HOME", "-u", "halving.lua", "-u", "train.py",
            BINARY, "run", "halving.lua", cwd=path)
    wait_for(lambda: "halving-halving-1" in home.kq("list").out)
    for pid in home.node_pids():
        os.kill(pid, signal.SIGKILL)
    assert home.kq("watch", "driver", timeout=90).code == 0
    assert "after 9 epochs" in home.kq("logs", "driver").out
    ended = [job for job in json.loads(home.kq("list", "--json").out) if job["job"].startswith("halving")]
    assert len(ended) == 3 and all(job["state"] == "over" for job in ended), ended


@test("word-count/recipe.lua counts in parallel and adds up")
def _(home):
    path = example(home, "word-count")
    done = home.kq("run", "recipe.lua", cwd=path)
    assert done.code == 0 and done.out.startswith("word,count\nthe,"), done
    assert "fox,4\n" in done.out, done


@test("resume/recipe.lua goes on after a failure without repeating what succeeded")
def _(home):
    path = example(home, "resume")
    failed = home.kq("run", "recipe.lua", cwd=path)
    assert failed.code == 1 and "explain" in failed.err, failed
    assert starts(home, "prepare") == 4 and starts(home, "check") == 4
    with open(os.path.join(path, "ready"), "w", encoding="ascii"):
        pass
    done = home.kq("run", "recipe.lua", cwd=path)
    assert done.code == 0 and "the sum is 10" in done.out, done
    assert starts(home, "prepare") == 4 and starts(home, "check") == 5 and starts(home, "sum") == 1


@test("policies/by-cause.lua tries code 75 again, a crash once, and nothing else")
def _(home):
    path = example(home, "policies")
    home.kq("sub", "-n", "b", "--policy", "./by-cause.lua:tries=2,pause=0.05",
            "--commands", home.file("c", 'exit 75\ntest "$KQ_ATTEMPT" = 2 || exit 75\nkill -SEGV $$\nexit 3\n'), cwd=path)
    tasks = json.loads(home.kq("dumpjob", "b").out)["tasks"]
    assert [len(task["attempts"]) for task in tasks] == [3, 2, 2, 1], tasks


@test("policies/hungry.py under the stock memory policy gets more memory until it has enough")
def _(home):
    path = example(home, "policies")
    done = home.kq("sub", "-n", "h", "--policy", "memory:cap=512M", "-r", "memory=60M", "python3", "^hungry.py", "100", cwd=path)
    assert done.code == 0, done
    assert "instead of" in home.kq("explain", "h.1").out


@test("policies/patient-reaper.lua gives up a task that was lost twice, as history says it would")
def _(home):
    path = example(home, "policies")
    home.kq("sub", "-n", "p", "--policy", "./patient-reaper.lua:waits=0,losses=2", "kill -9 $PPID", cwd=path, timeout=90)
    status = home.kq("status", "p")
    assert "failed(lost): 1" in status.out, status
    assert "lost with its node 2 times" in home.kq("explain", "p.1").out


@test("policies/notify.lua posts one line to a local server when the job has ended")
def _(home):
    got = []
    arrived = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = example(home, "policies")
    home.kq("sub", "-n", "w", "--policy", f"./notify.lua:url=http://127.0.0.1:{server.server_port}/ended", "--seq", "3",
            "true", cwd=path)
    assert arrived.wait(20)
    server.shutdown()
    assert got[0] == "w has ended: complete(code=0): 3", got


@test("the spot policy is replayed against recorded history")
def _(home):
    home.kq("sub", "-n", "s", 'test "$KQ_ATTEMPT" -gt 2 || kill -9 $PPID', timeout=90)
    replay = home.kq("policy", "test", "spot:resource=on-demand,after=2", "s.1")
    assert replay.code == 0 and "free of charge" in replay.out and "on-demand" in replay.out, replay


@test("commands/mail-summary.lua mails how the job went, by any program")
def _(home):
    install(home, "commands", "commands/mail-summary.lua")
    home.kq("sub", "-n", "m", "--seq", "3", "test {index} -ne 2")
    assert "mail how a job went" in home.kq("help").out
    inbox = home.file("inbox", "")
    done = home.kq("mail-summary", "m", "--to", "me@example.org", "--with", f"tee {inbox}")
    assert done.code == 0, done
    assert home.read("inbox").splitlines()[:2] == ["To: me@example.org", "Subject: kubeque job m is over"]
    assert "       2  complete(code=0)" in home.read("inbox")
    assert home.kq("mail-summary", "m").code == 2


@test("providers/pinned.lua binds nodes to their CPUs")
def _(home):
    install(home, "providers", "providers/pinned.lua")
    cpu = min(os.sched_getaffinity(0))
    home.file("../.kubeque", f"[config]\nprovider = pinned\nprovider.cpus = {cpu}\n")
    done = home.kq("sub", "-n", "n", "--show", "taskset -cp $$")
    assert done.code == 0 and done.out.strip().endswith(f": {cpu}"), done


@test("params-sources: rows from a data base and from a JSON file")
def _(home):
    path = example(home, "params-sources")
    subprocess.run([sys.executable, "make_db.py", "samples.db"], cwd=path, check=True)
    done = home.kq("run", "sqlite.lua", cwd=path)
    assert done.code == 0 and done.out == ("sample 1 at north, 1.5 m\nsample 3 at south, 2 m\n"
                                           "sample 4 at o'hara, east, 0.75 m\n"), done
    done = home.kq("run", "json.lua", cwd=path)
    assert done.code == 0 and "south\t7\tsucceeded" in done.out.replace("complete(code=0)", "succeeded"), done


main()
