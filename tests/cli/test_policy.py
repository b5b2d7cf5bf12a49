"""Policies as users write and choose them: what is refused, what travels with the job, what is decided while no client lives."""
import http.server
import json
import os
import re
import signal
import threading

from kq import main, test, wait_for


def counts(home, job="j"):
    return home.kq("status", job).out.split(": ", 1)[1].split("  ")[0]


def over(home, job="j"):
    wait_for(lambda: json.loads(home.kq("status", job, "--json").out)[0]["state"] == "over", 40)
    return counts(home, job)


def jobs(home):
    return home.kq("list", "-q").out.split()


def attempts(home, task="1", job="j"):
    return json.loads(home.kq("dumpjob", job).out)["tasks"][int(task) - 1]["attempts"]


def policy(home, name, body):
    return home.file(name, f"return kubeque.policy {{\n{body}\n}}\n")


def asked(home, *words):
    result = home.kq("policy", "test", *words, "--json")
    assert result.code == 0, result
    return json.loads(result.out)["attempts"]


# ---- choosing ----

@test("a name, a file or an option that there is none of is refused with the nearest one: exit 2, nothing is stored")
def _(home):
    policy(home, "own.lua", "options = { cap = '1G', k = 3, on = false, codes = { 1 } }")
    for spec, said in (("memroy", 'there is no policy "memroy" (did you mean memory?)'), ("nosuch.lua", "there is no file nosuch.lua"),
                       ("memory:cpa=3G", "policy memory has no option 'cpa' (did you mean cap?)"),
                       ("own.lua:k=x", "policy own: option k=x: a number expected (the default is 3)"),
                       ("own.lua:on=maybe", "policy own: option on=maybe: true or false expected (the default is false)"),
                       ("own.lua:codes=1,x", "policy own: option codes=1,x: numbers separated by commas expected (the default is 1)"),
                       ("memory:cap", "policy memory:cap: options are KEY=VALUE: memory:KEY=VALUE,..."), ("", "a policy is a NAME or FILE.lua")):
        result = home.kq("sub", "--no-nodes", "--no-wait", "--policy", spec, "true")
        assert result.code == 2 and f"option --policy: {said}" in result.err, (spec, result)
    result = home.kq("sub", "--no-nodes", "--no-wait", *["--policy", "memory"] * 17, "true")
    assert result.code == 2 and "a job has at most 16 policies, and these are 17" in result.err, result
    result = home.kq("sub", "--no-nodes", "--no-wait", "--policy", "none", "--policy", "memory", "true")
    assert result.code == 2 and "none means no policy at all" in result.err, result
    assert jobs(home) == []


@test("a broken file is exit 7 with file and line: syntax, an unknown hook, no table, a module that is not there, a cycle, an error in the body")
def _(home):
    home.file("d/a.lua", 'return { b = require "b" }\n')
    home.file("d/b.lua", 'local a = require "a"\nreturn { a = a }\n')
    for name, text, *said in (("syntax", "\nreturn {\n", "d/syntax.lua:3:", "unexpected symbol near <eof>"),
                              ("hook", "return kubeque.policy {\n  on_task_fialed = function() end,\n}\n", "d/hook.lua:", "did you mean on_task_failed?"),
                              ("table", "return 7\n", "table.lua", "returns a table of hooks, not a number"),
                              ("module", '\n\nlocal x = require "nosuchmodule"\n', "d/module.lua:3:", "there is no module 'nosuchmodule'"),
                              ("cycle", 'local a = require "a"\nreturn {}\n', "a -> b -> a"),
                              ("body", "local t\nreturn t.x\n", "d/body.lua:2:", "attempt to index a nil value"),
                              ("loop", "while true do end\n", "loop.lua:1:", "it took too long"),
                              ("latin", "return { summary = '\xe4' }".encode("latin-1"), "d/latin.lua:1:", "UTF-8")):
        home.file(f"d/{name}.lua", text)
        result = home.kq("sub", "--no-nodes", "--no-wait", "--policy", f"d/{name}.lua", "true")
        assert result.code == 7 and all(part in result.err for part in said), (name, result)
    assert jobs(home) == []


@test("more than 1 MB is refused, the largest file is named; as much as that is fine")
def _(home):
    table = "return { " + '"0123456789",' * 60_000 + " }\n"
    home.file("small.lua", "return { 1 }\n")
    home.file("big.lua", table)
    home.file("p.lua", 'local a, b = require "small", require "big"\nreturn { options = { n = #a + #b } }\n')
    result = home.kq("sub", "--no-nodes", "--no-wait", "-n", "fits", "--policy", "p.lua", "true")
    assert result.code == 0 and jobs(home) == ["fits"], result
    home.file("big.lua", table + "-- " + "x" * 300_000)
    result = home.kq("sub", "--no-nodes", "--no-wait", "--policy", "p.lua", "true")
    assert result.code == 2 and "the largest file is ./big.lua" in result.err and "travel with a job" in result.err, result
    assert jobs(home) == ["fits"]


@test("policy= in the configuration: files beginning at the configuration file, --policy instead of it, none for no policy; a mistake is exit 5 with its line")
def _(home):
    policy(home, "conf/own.lua", "options = { k = 1 }, on_task_failed = function() end")
    home.file("conf/.kubeque", "[config]\npolicy = memory:cap=2G own.lua:k=2\n")
    os.mkdir(os.path.join(home.cwd, "conf/sub"))
    submit = ("sub", "--no-nodes", "--no-wait")
    cwd = os.path.join(home.cwd, "conf/sub")
    for job, words in (("a", ()), ("b", ("--policy", "failfast:k=9")), ("c", ("--policy", "none"))):
        result = home.kq(*submit, "-n", job, *words, "true", cwd=cwd)
        assert result.code == 0, result
    shown = {row["job"]: row["policy"] for row in json.loads(home.kq("list", "--json").out)}
    assert shown == {"a": "memory:cap=2G own:k=2", "b": "failfast:k=9", "c": ""}, shown
    home.file("conf/.kubeque", "[config]\n\npolicy = memroy\n")
    result = home.kq(*submit, "true", cwd=cwd)
    assert result.code == 5 and "conf/.kubeque:3: policy: there is no policy" in result.err and "did you mean memory?" in result.err, result
    result = home.kq(*submit, "-n", "d", "--policy", "memory", "true", cwd=cwd)
    assert result.code == 0, result


# ---- travelling ----

@test("the same content is the same bundle, wherever its files are; other options or another module are another")
def _(home):
    digests = {}
    for place, option, module in (("x", "k=2", "return 1"), ("y/z", "k=2", "return 1"), ("x2", "k=3", "return 1"), ("x3", "k=2", "return 2")):
        home.file(f"{place}/lib.lua", module + "\n")
        home.file(f"{place}/p.lua", 'local n = require "lib"\nreturn { options = { k = n } }\n')
        assert home.kq("sub", "--no-nodes", "--no-wait", "-n", "j", "--clean", "--policy", f"{place}/p.lua:{option}", "true").code == 0
        digests[place] = json.loads(home.kq("dumpjob", "j").out)["policy"]["digest"]
    assert digests["x"] == digests["y/z"] and len(set(digests.values())) == 3, digests


@test("what was submitted decides: a file that is changed or gone afterwards changes nothing")
def _(home):
    home.file("lib.lua", 'return "first"\n')
    path = policy(home, "p.lua", 'on_task_failed = function() return { "fail", note = require_first } end')
    home.file("p.lua", 'local word = require "lib"\nreturn { on_task_failed = function() return { "fail", note = word } end }\n')
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", "p.lua", "false").code == 0
    home.file("lib.lua", 'return "second"\n')
    os.unlink(path)
    assert home.kq("consume", "--linger", "0").code == 0
    assert attempts(home)[0]["verdict"] == "first"
    assert asked(home, "j.1")[0]["now"]["note"] == "first"


@test("the collector leaves the policies of jobs that are there, and takes those of jobs that are gone")
def _(home):
    assert home.kq("sub", "-n", "j", "--policy", "memory:cap=3G", "true").code == 0
    digest = json.loads(home.kq("dumpjob", "j").out)["policy"]["digest"]
    stored = os.path.join(home.path, "CAS", digest[:2], digest[2:])
    os.utime(stored, (1, 1))
    assert home.kq("clean", "--cas", "--older", "1h").code == 0 and os.path.exists(stored)
    assert home.kq("clean", "j").code == 0
    os.utime(stored, (1, 1))
    assert home.kq("clean", "--cas", "--older", "1h").code == 0 and not os.path.exists(stored)


# ---- deciding ----

@test("memory: a task that meets its limit runs again with twice as much, up to the cap, with no client and no --retries")
def _(home):
    eater = 'python3 -c "x = bytearray({mb} * 1000000); import time; time.sleep(0.5)"'
    home.file("p.csv", "mb\n260\n900\n")
    assert home.kq("sub", "-n", "j", "--no-wait", "--policy", "memory:cap=400M", "-r", "memory=100M,cpu=0.5", "-p", "p.csv", eater).code == 0
    assert over(home) == "complete(code=0): 1, failed(memory): 1"
    fits, grows = attempts(home, 1), attempts(home, 2)
    assert [a["label"] for a in fits] == ["failed(memory)", "failed(memory)", "complete(code=0)"], fits
    assert [a["verdict"] for a in grows] == ["again with 200M of memory instead of 100M", "again with 400M of memory instead of 200M",
                                             "given up: it ran out of 400M of memory, and the cap is 400M"], grows
    assert "again with 400M of memory instead of 200M" in home.kq("explain", "j.1").out
    rows = asked(home, "j.2")
    assert [row["same"] for row in rows] == [True] * 3 and [row["now"] for row in rows] == [row["then"] for row in rows], rows
    rows = asked(home, "memory:cap=150M", "j.2@1")
    assert len(rows) == 1 and not rows[0]["same"] and rows[0]["now"]["class"]["resources"]["memory"] == 150_000_000, rows
    assert asked(home, "memory:cap=150M", "j.2")[2]["now"]["action"] == "fail"


@test("memory: a task that had all that a node has is given up at once, whatever the cap; asked again, the policy says what it said")
def _(home):
    eater = 'python3 -c "x = bytearray(600 * 1000000); import time; time.sleep(0.5)"'
    home.file(".kubeque", "[config]\nnode_memory=300M\n")
    assert home.kq("sub", "-n", "j", "--no-wait", "--policy", "memory", "-r", "memory=100M", eater).code == 0
    assert over(home) == "failed(memory): 1"
    notes = [a["verdict"] for a in attempts(home)]
    assert notes == ["again with 200M of memory instead of 100M", "again with 400M of memory instead of 200M, limited to what a node has",
                     "given up: it ran out of memory, and no node has more than it had (300M)"], notes
    rows = asked(home, "j.1")
    assert [row["same"] for row in rows] == [True] * 3 and rows[2]["now"]["action"] == "retry" and rows[2]["bounded"] == notes[2], rows


@test("failfast: 50 tasks of the same mistake end after three")
def _(home):
    home.file("p.csv", "i\n" + "".join(f"{i}\n" for i in range(50)))
    assert home.kq("sub", "-n", "j", "--no-wait", "--policy", "failfast", "-r", "cpu=1", "-p", "p.csv",
                   "echo {i} >>" + home.top + "/ran; echo no such table; exit 4").code == 0
    result = over(home)
    with open(os.path.join(home.top, "ran"), encoding="ascii") as source:
        ran = len(source.readlines())
    failed = int(result.split("complete(code=4): ")[1].split(",")[0])
    assert 3 <= failed <= ran < 50 and f"killed: {50 - failed}" in result, (result, ran)
    said = home.kq("explain", "j").out
    assert re.search(r"j was stopped by its policy: \d+ tasks failed in the same way, with complete\(code=4\)", said), said
    home.file("p.csv", "i\n" + "".join(f"{i}\n" for i in range(6)))
    assert home.kq("sub", "-n", "k", "--no-wait", "--policy", "failfast", "-p", "p.csv", "echo {i} is wrong; exit 4").code == 0
    assert over(home, "k") == "complete(code=4): 6", "six different mistakes are none that repeats"


@test("backoff: codes and causes of its list are tried again, later each time; others are left to --retries")
def _(home):
    home.file("p.csv", "do\nexit 75\nexit 3\nsleep 30\n")
    assert home.kq("sub", "-n", "j", "--no-wait", "--policy", "backoff:after=0.01,times=3,causes=timeout", "--timeout", "1", "-p", "p.csv", "sh", "-c", "{do}").code == 0
    result = over(home)
    assert result == "complete(code=3): 1, complete(code=75): 1, failed(timeout): 1", result
    notes = [a["verdict"] for a in attempts(home, 1)]
    assert notes[0] == "again in 0.01 s: complete(code=75) may pass (1 of 3)" and notes[2].startswith("again in 0.04 s") and len(notes) == 4, notes
    assert notes[3] == "given up: tried again 3 times" and len(attempts(home, 3)) == 4
    assert [a["verdict"] for a in attempts(home, 2)] == ["given up: no retries were asked for (--retries)"]
    assert all(row["same"] for n in (1, 2, 3) for row in asked(home, f"j.{n}"))


@test("backoff by other causes: a signal, an input that is not there any more")
def _(home):
    home.file("in.txt", "content that nobody else has\n")
    submit = ("sub", "--no-nodes", "--no-wait", "--policy", "backoff:codes=,causes=signal,missing_input,times=2,after=0")
    assert home.kq(*submit, "-n", "j", "kill -9 $$").code == 0
    assert home.kq(*submit, "-n", "k", "-u", "in.txt", "cat in.txt").code == 0
    sha = json.loads(home.kq("dumpjob", "k").out)["inputs"][0]["sha256"]
    os.unlink(os.path.join(home.path, "CAS", sha[:2], sha[2:]))
    assert home.kq("consume", "--linger", "1").code == 0
    assert over(home) == "complete(code=signaled(SIGKILL)): 1" and over(home, "k").startswith("failed(missing input")
    for job, cause in (("j", "signal"), ("k", "missing_input")):
        rows = asked(home, f"{job}.1")
        assert [row["cause"] for row in rows] == [cause] * 3 and all(row["same"] for row in rows), rows
        assert [row["then"]["action"] for row in rows] == ["retry", "retry", "fail"], rows


@test("spot: what goes with its node is free, and the third time the task asks for a node that stays; the history gives the same answers")
def _(home):
    home.file(".kubeque", "[config]\nlease=2\nheartbeat=0.2\n")
    home.kq("sub", "-n", "first", "--no-nodes", "--no-wait", "true")
    home.start("consume", "--cpu", "1", "--resources", "lasting=1")  # stays, and is busy until we say so
    wait_for(lambda: home.kq("nodes", "-q").out)
    result = home.kq("sub", "-n", "hold", "--no-nodes", "--no-wait", "-r", "lasting=1", f"touch {home.top}/held; while ! test -e {home.top}/stay; do sleep 0.02; done")
    assert result.code == 0, result
    wait_for(lambda: os.path.exists(f"{home.top}/held"))
    stays = home.node_pids()
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", "spot:after=2,resource=lasting",
                   f"touch {home.top}/began.$KQ_ATTEMPT; test -e {home.top}/stay || sleep 60").code == 0
    for n in (1, 2):
        home.start("consume", "--cpu", "1")
        wait_for(lambda n=n: os.path.exists(f"{home.top}/began.{n}"))
        for pid in home.node_pids():
            if pid not in stays:
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: counts(home) == "pending: 1")
    task = json.loads(home.kq("dumpjob", "j").out)["tasks"][0]
    assert (task["tries"], task["lost"]) == (0, 2), task
    assert [a["verdict"].split(":")[0] for a in task["attempts"]] == ["again, free of charge", "again on a node with lasting, after 2 interruptions"], task
    assert home.kq("consume", "--cpu", "1", "--linger", "0").code == 0
    assert counts(home) == "pending: 1", "a node without the resource does not take it"
    open(os.path.join(home.top, "stay"), "w", encoding="ascii").close()
    assert over(home) == "complete(code=0): 1"
    rows = asked(home, "j.1")
    assert [row["cause"] for row in rows] == ["lost", "lost", "exit"] and [row.get("same") for row in rows] == [True, True, None], rows
    assert rows[1]["now"]["class"]["resources"]["lasting"] == 1, rows
    rows = asked(home, "spot:after=1,resource=lasting", "j.1")
    assert not rows[0]["same"] and rows[0]["now"]["class"]["resources"]["lasting"] == 1, rows


@test("a wrong answer at run time: kubeque decides as it would by itself, the history says so, and no task is lost")
def _(home):
    policy(home, "p.lua", "on_task_failed = function(task)\n  if task.n == 1 then return 42 end\n"
           "  if task.n == 2 then task.n = 3 end\n  if task.n == 3 then while true do end end\n  return 'retyr' end")
    assert home.kq("sub", "-n", "j", "--no-wait", "--policy", "p.lua", "--retries", "1", "--seq", "4", "exit 9").code == 0
    assert over(home) == "complete(code=9): 4"
    dump = json.loads(home.kq("dumpjob", "j").out)
    errors = [event["text"] for event in dump["history"] if event["kind"] == "policy_error"]
    assert any("p.lua" in text for text in errors), dump["history"]
    for n in (1, 2, 3, 4):
        assert [a["verdict"] for a in attempts(home, n)] == ["again: retry 1 of 1", "given up: all retries (1) are used up"], attempts(home, n)
    assert "the policy failed" in home.kq("explain", "j.1").out
    result = home.kq("policy", "test", "j.1")
    assert result.code == 7 and "the policy fails" in result.out and "p.lua:" in result.out, result


@test("on_submit: labels are added, a job is refused with its reason and nothing is stored; --dry-run says the same")
def _(home):
    policy(home, "p.lua", """on_submit = function(job)
  if job.n > 3 then
    return nil, "not more than 3 tasks, please"
  end
  job.labels = { by = "policy" }
  job.retries = 1
  return job
end""")
    for words in ((), ("--dry-run",)):
        result = home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", "p.lua", "--seq", "4", *words, "true")
        assert result.code == 2 and "not more than 3 tasks, please" in result.err, result
    assert jobs(home) == []
    assert home.kq("sub", "-n", "j", "--no-wait", "--policy", "p.lua", "--seq", "2", "false").code == 0
    assert over(home) == "complete(code=1): 2"
    assert json.loads(home.kq("dumpjob", "j").out)["labels"] == {"by": "policy"} and len(attempts(home, 1)) == 2
    for spec, said in (("webhook", "webhook needs a URL"), ("command", "command needs one"), ("budget:limit=3", "budget needs two amounts")):
        result = home.kq("sub", "--no-nodes", "--no-wait", "--policy", spec, "true")
        assert result.code == 2 and said in result.err, result


@test("webhook and command tell what was asked for, of the kinds asked for")
def _(home):
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert home.kq("sub", "-n", "j", "--no-wait", "--policy", f"webhook:url=http://127.0.0.1:{server.server_address[1]}/,events=task_failed,job_ended",
                       "--policy", f'command:command="tee -a {home.top}/told && echo >>{home.top}/told"', "--seq", "3", "test {index} != 2").code == 0
        over(home)
        wait_for(lambda: {event["kind"] for event in got} == {"task_failed", "job_ended"})
        assert [event["task"]["n"] for event in got if event["kind"] == "task_failed"] == [2], got
        ended = [event for event in got if event["kind"] == "job_ended"]
        assert ended[0]["counts"] == {"complete(code=0)": 2, "complete(code=1)": 1} and ended[0]["job"]["id"] == "j", ended
        told = wait_for(lambda: os.path.exists(f"{home.top}/told") and open(f"{home.top}/told", encoding="utf-8").read().endswith("\n")
                        and open(f"{home.top}/told", encoding="utf-8").read().splitlines())
        assert {json.loads(line)["kind"] for line in told} == {"job_ended"}, told
    finally:
        server.shutdown()
        server.server_close()


@test("budget: as long as the nodes have not cost so much others decide how many there are; then there are no more of them")
def _(home):
    for job, price in (("cheap", "0.000001"), ("dear", "1000000000")):
        assert home.kq("sub", "-n", job, "--no-nodes", "--no-wait", "-r", "cpu=0.1", "--policy", f"budget:limit=2,price={price}",
                       f"touch {home.top}/{job}; while ! test -e {home.top}/gate; do sleep 0.02; done").code == 0
    home.start("consume", "--linger", "0")
    wait_for(lambda: os.path.exists(f"{home.top}/cheap") and os.path.exists(f"{home.top}/dear"))
    home.file("ask.lua", """kubeque.open {}
for _, id in ipairs { "cheap", "dear" } do
  print(kubeque.policies.scale { job = kubeque.queue.job(id).born, pending = 9, nodes = 2, wanted = 7 })
end
""")
    result = home.kq("lua", "ask.lua")
    assert result.code == 0 and result.out.split() == ["7", "2"], result
    result = home.kq("addnodes", "dear", "1")  # what the user says himself holds
    assert result.code == 0, result
    open(f"{home.top}/gate", "w", encoding="ascii").close()
    assert over(home, "cheap") == over(home, "dear") == "complete(code=0): 1"


# ---- showing ----

@test("a recipe chooses policies by a SPEC, with options as a table, or several; they are part of what a step is")
def _(home):
    home.file("r.lua", """local j = job { name = "fit", command = "exit 75", policy = { "failfast", { "backoff", after = 0, times = 1 } } }
print(j:submit().id)
j:wait { check = false }
j = job { name = "one", command = "true", policy = { "memory", cap = "1G" } }
print(j:submit().id)
""")
    result = home.kq("run", "r.lua")
    assert result.code == 0, result
    fit, one = result.out.split()
    shown = {row["job"]: row["policy"] for row in json.loads(home.kq("list", "--json").out)}
    assert shown == {fit: "failfast backoff:after=0,times=1", one: "memory:cap=1G"}, shown
    assert len(attempts(home, 1, fit)) == 2
    home.file("r.lua", home.read("r.lua").replace("1G", "2G"))
    result = home.kq("run", "r.lua")
    assert result.out.split()[0] == fit and result.out.split()[1] != one, result



@test("list, status, explain and dumpjob say which policies a job has, with their options")
def _(home):
    assert home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "--policy", "memory:cap=2G", "--policy", "backoff:codes=1,2", "true").code == 0
    assert home.kq("sub", "-n", "plain", "--no-nodes", "--no-wait", "true").code == 0
    rows = {row["job"]: row for row in json.loads(home.kq("list", "--json").out)}
    assert rows["j"]["policy"] == "memory:cap=2G backoff:codes=1,2" and rows["plain"]["policy"] == "", rows
    assert "policy:    memory:cap=2G backoff:codes=1,2\n" in home.kq("status", "j", "--detailed").out
    assert "policy:" not in home.kq("status", "plain", "--detailed").out
    assert "policy: memory:cap=2G backoff:codes=1,2" in home.kq("explain", "j").out
    dump = json.loads(home.kq("dumpjob", "j").out)["policy"]
    assert [(p["name"], p["options"]) for p in dump["policies"]] == [("memory", {"cap": "2G"}), ("backoff", {"codes": [1, 2]})] and len(dump["digest"]) == 64, dump
    assert json.loads(home.kq("dumpjob", "plain").out)["policy"] is None


@test("policy list, show and check say what there is; policy test refuses what it cannot ask about")
def _(home):
    result = home.kq("policy", "list", "--json")
    names = {row["name"]: row for row in json.loads(result.out)}
    assert set(names) >= {"default", "memory", "spot", "failfast", "budget", "webhook", "command", "backoff"}, result
    assert all(row["summary"] and row["place"] == "builtin" for row in names.values()) and names["memory"]["options"]["cap"] == "16G", names
    os.makedirs(os.path.join(home.top, ".config/kubeque/lua/policies"))
    with open(os.path.join(home.top, ".config/kubeque/lua/policies/mine.lua"), "w", encoding="ascii") as out:
        out.write("return { summary = 'my own', scale = function() end }\n")
    rows = {row["name"]: row for row in json.loads(home.kq("policy", "list", "--json").out)}
    assert rows["mine"]["place"] == "user" and rows["mine"]["hooks"] == "scale" and rows["mine"]["summary"] == "my own", rows["mine"]
    result = home.kq("policy", "show", "mine")
    assert result.code == 0 and not result.err and result.out.startswith("return { summary = 'my own'"), result
    result = home.kq("policy", "check", "memory:cap=2G")
    assert result.code == 0 and "hooks: on_task_failed\n" in result.out and "  cap=2G\n" in result.out and "  factor=2 (default)\n" in result.out, result
    home.file("bad.lua", "return { scal = 1 }\n")
    assert home.kq("policy", "check", "bad.lua").code == 7
    assert home.kq("policy", "check", "memory:k=1").code == 2 and home.kq("policy", "shwo").code == 2 and home.kq("policy", "check").code == 2
    assert home.kq("policy", "test", "memory", "nosuch.1").code == 3
    home.kq("sub", "-n", "j", "--seq", "2", "true")
    assert home.kq("policy", "test", "memory", "j").code == 2 and home.kq("policy", "test", "memory", "j.1@7").code == 3
    result = home.kq("policy", "test", "memory", "j.1")
    assert result.code == 0 and "no policy is asked about this" in result.out, result


@test("a job without policies is asked about, too: the counters come from its attempts")
def _(home):
    assert home.kq("sub", "-n", "j", "--retries", "2", "exit 75").code == 1
    rows = asked(home, "j.1")
    assert [row["then"]["action"] for row in rows] == ["retry", "retry", "fail"] and [row["now"]["action"] for row in rows] == ["retry", "retry", "fail"], rows
    assert not any(row["recorded"] for row in rows)
    rows = asked(home, "backoff:after=7", "j.1")
    assert [row["now"]["after"] for row in rows] == [7, 14, 28], rows


main()
