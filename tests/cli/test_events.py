"""What happens is told to policies: on_event, webhooks, commands, and that nobody waits for them."""
import http.server
import json
import os
import signal
import threading
import time

from kq import main, test, wait_for


class Server:
    """A web server on this machine: keeps what it is sent; `answer(path, count)` is a status, or None: it hangs."""

    def __init__(self, answer=lambda path, count: 200):
        got = self.got = []
        gate = self.gate = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                got.append((self.path, body, dict(self.headers)))
                status = answer(self.path, len([path for path, _, _ in got if path == self.path]))
                if status is None:
                    gate.wait(60)
                    status = 200
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self, path="/"):
        return [json.loads(body) for where, body, _ in list(self.got) if where == path]

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


def policy(home, body, name="p.lua"):
    return home.file(name, 'return kubeque.policy { name = "p", summary = "test", on_event = function(event)\n' + body + "\nend }\n")


def log(home):
    text = ""
    for name in os.listdir(os.path.join(home.path, "nodes")):
        if name.endswith(".log"):
            with open(os.path.join(home.path, "nodes", name), encoding="utf-8") as source:
                text += source.read()
    return text


def told(home, job):
    import sqlite3
    with sqlite3.connect(os.path.join(home.path, "queue.db"), timeout=20) as db:
        return db.execute("SELECT told FROM job WHERE id=?", (job,)).fetchone()[0] == 1


@test("each task, each retry and the end of the job are told, as JSON: kind, time, job, task, attempt, counts")
def _(home):
    server = Server()
    p = policy(home, f'return {{ webhook = "{server.url}/", body = event, headers = {{ ["X-Mine"] = "yes" }} }}')
    home.file("p.csv", "code\n0\n3\n")
    assert home.kq("sub", "-n", "j", "--policy", p, "--retries", "1", "-p", "p.csv", "exit {code}").code == 1
    wait_for(lambda: len(server.got) >= 4 and told(home, "j"))
    server.close()
    events = sorted(server.events(), key=lambda e: e["time"])
    assert [(e["kind"], e.get("task", {}).get("n"), e.get("attempt", {}).get("k")) for e in events][1:] == \
        [("task_retried", 2, 1), ("task_failed", 2, 2), ("job_ended", None, None)] or \
        sorted(e["kind"] for e in events) == ["job_ended", "task_failed", "task_retried", "task_succeeded"], events
    by = {e["kind"]: e for e in events}
    good, bad, again, end = by["task_succeeded"], by["task_failed"], by["task_retried"], by["job_ended"]
    assert good["job"]["id"] == "j" and good["task"]["label"] == "complete(code=0)" and good["attempt"]["exit_code"] == 0, good
    assert good["task"]["parameters"] == {"code": "0"} and good["task"]["state"] == "succeeded", good
    assert bad["task"]["label"] == "complete(code=3)" and bad["attempt"]["exit_code"] == 3 and bad["task"]["tries"] == 1, bad
    assert again["task"]["state"] == "pending" and again["text"].startswith("again: retry 1 of 1"), again
    assert end["counts"] == {"complete(code=0)": 1, "complete(code=3)": 1} and "task" not in end, end
    headers = server.got[0][2]
    assert headers["Content-Type"] == "application/json" and headers["X-Mine"] == "yes" and headers["User-Agent"] == "kubeque"


@test("a command runs without a shell, with the event on stdin and KQ_ variables; what it says is in the node's log")
def _(home):
    script = home.file("note.sh", f"""#!/bin/sh
cat >{home.top}/event.$KQ_EVENT
echo "$1|$KQ_EVENT|$KQ_JOB|$KQ_TASK|$KQ_LABEL|$KQ_EXIT_CODE|$KQ_ATTEMPT|$KQ_SECRET|$KQ_NODE_CLUSTER"
echo oops >&2
exit 0
""", mode=0o755)
    p = policy(home, f'if event.kind ~= "task_retried" then return {{ command = {{ "{script}", "a b; c" }} }} end')
    home.file("p.csv", "code\n3\n")
    home.kq("sub", "-n", "j", "--policy", p, "-p", "p.csv", "exit {code}", env={"KQ_SECRET": "inherited"})
    wait_for(lambda: told(home, "j"))
    wait_for(lambda: "a b; c|task_failed|j|1|complete(code=3)|3|1||" in log(home))
    assert "a b; c|job_ended|j||||||" in log(home) and log(home).count("Job j: p: oops") == 2, log(home)
    with open(os.path.join(home.top, "event.task_failed"), encoding="utf-8") as source:
        event = json.load(source)
    assert event["kind"] == "task_failed" and event["attempt"]["exit_code"] == 3, event


@test("a policy without on_event, and none, tell nobody and start nothing")
def _(home):
    p = home.file("p.lua", 'return kubeque.policy { name = "p", summary = "test", on_task_failed = function() return "fail" end }')
    home.kq("sub", "-n", "a", "--policy", p, "exit 3")
    home.kq("sub", "-n", "b", "true")
    assert told(home, "a") and told(home, "b") and "deliver" not in log(home)


@test("a server that is down or overloaded is tried again; one that refuses is not; explain says what was not delivered")
def _(home):
    server = Server(lambda path, count: 404 if path.startswith("/gone") else 503 if count < 3 else 200)
    p = policy(home, f"""if event.kind == "job_ended" then
  return {{ {{ webhook = "{server.url}/gone/secret?token=1" }}, {{ webhook = "{server.url}/" }} }}
end""")
    home.kq("sub", "-n", "j", "--policy", p, "true")
    wait_for(lambda: told(home, "j"))
    paths = [path for path, _, _ in server.got]
    server.close()
    assert paths.count("/") == 3 and paths.count("/gone/secret?token=1") == 1, paths
    said = home.kq("explain", "j").out
    assert "job_ended" in said and server.url + ": HTTP" in said and "secret" not in said and "token" not in said, said
    assert "HTTP" in log(home) and "token" not in log(home) and "secret" not in log(home)


@test("a webhook that hangs delays no task, no other job and no other webhook")
def _(home):
    server = Server(lambda path, count: None if path == "/hang" else 200)
    hang = policy(home, f'return {{ webhook = "{server.url}/hang", timeout = 30 }}', "hang.lua")
    other = Server()
    good = policy(home, f'if event.kind == "job_ended" then return {{ webhook = "{other.url}/" }} end', "good.lua")
    home.file("p.csv", "i\n" + "".join(f"{i}\n" for i in range(300)))
    began = time.monotonic()
    assert home.kq("sub", "-n", "slow", "--policy", hang, "-p", "p.csv", "true").code == 0
    assert home.kq("sub", "-n", "fast", "--policy", good, "-p", "p.csv", "true").code == 0
    wait_for(lambda: other.events(), 10)
    took = time.monotonic() - began
    assert took < 15 and not told(home, "slow") and [e["job"]["id"] for e in other.events()] == ["fast"], (took, other.got)
    children = [words for words in processes(home) if "deliver" in words]
    assert 1 <= len(children) <= 8, children  # four of the node, and what clients left
    for pid in home.node_pids():
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGTERM)
    server.close()
    other.close()


def processes(home):
    """Command lines of what runs with this home's environment."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/environ", "rb") as env, open(f"/proc/{entry}/cmdline", "rb") as line:
                if b"KUBEQUE_HOME=" + home.path.encode() in env.read().split(b"\0"):
                    found.append(line.read().decode(errors="replace").split("\0"))
        except OSError:
            pass
    return found


def pids_of(home, word):
    pids = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/environ", "rb") as env, open(f"/proc/{entry}/cmdline", "rb") as line:
                if b"KUBEQUE_HOME=" + home.path.encode() in env.read().split(b"\0") and word.encode() in line.read().split(b"\0"):
                    pids.append(int(entry))
        except OSError:
            pass
    return pids


@test("node and messenger killed -9 before the end of the job was told: the next node tells it")
def _(home):
    server = Server(lambda path, count: None if count == 1 else 200)
    p = policy(home, f'if event.kind == "job_ended" then return {{ webhook = "{server.url}/" }} end')
    assert home.kq("sub", "-n", "j", "--no-wait", "--policy", p, "true").code == 0
    wait_for(lambda: server.got)
    for pid in home.node_pids() + pids_of(home, "deliver"):
        os.kill(pid, signal.SIGKILL)
    assert not told(home, "j")
    assert home.kq("sub", "-n", "k", "true").code == 0
    wait_for(lambda: told(home, "j"))
    assert [e["kind"] for e in server.events()] == ["job_ended"] * 2, server.got
    server.close()


@test("a node that leaves waits for what is being delivered; told twice to leave it does not, and the messenger goes on alone")
def _(home):
    server = Server(lambda path, count: None)
    p = policy(home, f'if event.kind == "job_ended" then return {{ webhook = "{server.url}/", timeout = 30 }} end')
    for name, twice in (("a", False), ("b", True)):
        server.gate.clear()
        seen = len(server.got)
        home.kq("sub", "-n", name, "--no-nodes", "--no-wait", "--policy", p, "true")
        node = home.start("consume", "--linger", "0")
        wait_for(lambda: len(server.got) > seen)
        wait_for(lambda: home.kq("nodes").out.count("RUNNING") == 0)
        assert node.poll() is None, "it waits"
        if twice:
            wait_for(lambda: node.poll() is not None or node.send_signal(signal.SIGTERM), 5)
            assert not told(home, name)
        server.gate.set()
        assert node.wait(10) == 0
        wait_for(lambda: told(home, name))
    server.close()


@test("a task that was lost with its node is told, whoever finds it")
def _(home):
    server = Server()
    p = policy(home, f'if event.kind == "task_lost" then return {{ webhook = "{server.url}/" }} end')
    home.file(".kubeque", "[config]\nlease=2\nheartbeat=0.2\n")
    home.kq("sub", "-n", "j", "--no-wait", "--policy", p, f"test -e {home.top}/go || sleep 100")
    wait_for(lambda: "claimed" in home.kq("status", "j").out)
    for pid in home.node_pids():
        os.kill(pid, signal.SIGKILL)
    open(os.path.join(home.top, "go"), "w", encoding="ascii").close()
    assert home.kq("sub", "-n", "k", "true").code == 0
    wait_for(server.events)
    event = server.events()[0]
    assert event["kind"] == "task_lost" and event["task"]["state"] in ("pending", "claimed", "succeeded") and event["attempt"]["cause"] == "lost", event
    server.close()


@test("a waiting client tells it, too, when no node is left to do so; and so does kill")
def _(home):
    server = Server()
    p = policy(home, f'if event.kind == "job_ended" then return {{ webhook = "{server.url}/" }} end')
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", p, "true").code == 0
    assert home.kq("kill", "j").code == 0
    wait_for(lambda: told(home, "j"))
    assert [e["counts"] for e in server.events()] == [{"killed": 1}], server.got
    server.close()


@test("a hook that breaks is in the history, and the job is told all the same")
def _(home):
    p = policy(home, 'error("no idea")')
    assert home.kq("sub", "-n", "j", "--policy", p, "true").code == 0
    wait_for(lambda: told(home, "j"))
    said = home.kq("explain", "j").out
    assert "p.lua:2: no idea" in said, said


@test("policies that are gone when the job ends well: the history says that nobody was told, the job counts as told")
def _(home):
    p = policy(home, 'return { webhook = "http://localhost:1/" }')
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", p, "--seq", "3", "true").code == 0
    digest = json.loads(home.kq("dumpjob", "j").out)["policy"]["digest"]
    os.unlink(os.path.join(home.path, "CAS", digest[:2], digest[2:]))
    assert home.kq("consume", "--linger", "0").code == 0
    wait_for(lambda: told(home, "j"))
    said = [event["text"] for event in json.loads(home.kq("dumpjob", "j").out)["history"] if event["kind"] == "policy_error"]
    assert 2 <= len(said) <= 5 and all("the policies of job j" in text for text in said), said


@test("a task of a job with a long command line is told, with the beginning of it; and any bytes are sent")
def _(home):
    server = Server()
    p = policy(home, f"""if event.kind == "job_ended" then return {{ webhook = "{server.url}/" }} end
return {{ webhook = "{server.url}/bytes", body = "a\\0b\\255" }}""")
    home.kq("sub", "-n", "j", "--policy", p, "true", *["x" * 1000] * 400)
    wait_for(lambda: told(home, "j") and len(server.got) >= 2)
    server.close()
    argv = server.events()[0]["job"]["info"]["argv"]
    assert argv[:2] == ["true", "x" * 1000] and argv[-1] == "..." and len(argv) < 20, argv
    assert [body for path, body, _ in server.got if path == "/bytes"] == ["a\0b\\xFF"], server.got


@test("events that come faster than they are delivered are bundled, bounded, and what is dropped is said")
def _(home):
    server = Server(lambda path, count: None if count == 1 else 200)
    p = policy(home, f'if event.kind ~= "job_ended" then return {{ webhook = "{server.url}/", body = tostring(event.task.n), timeout = 60 }} end')
    home.file("p.csv", "i\n" + "".join(f"{i}\n" for i in range(1500)))
    assert home.kq("sub", "-n", "j", "--policy", p, "-p", "p.csv", "true").code == 0
    wait_for(lambda: "more come than can be delivered" in log(home))
    server.gate.set()
    wait_for(lambda: len(server.got) >= 1000)
    assert len(server.got) < 1500 and len({body for _, body, _ in server.got}) == len(server.got)
    server.close()


main()
