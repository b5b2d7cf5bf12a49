"""What scripts of a job can do to the nodes that run it: nothing. (ARCHITECTURE 7, on a real node.)"""
import json
import os
import sqlite3
import time

from common import counts, kill9, rows
from kq import main, test, wait_for

# What a hook does -> a word of what the history must say about it.
HOSTILE = {
    "an endless loop": ("while true do end", "took too long"),
    "one in pcall": ("while true do pcall(function() while true do end end) end", "took too long"),
    "one in a handler": ("while true do xpcall(error, function() while true do end end) end", "took too long"),
    "one in a coroutine": ("coroutine.wrap(function() while true do end end)()", "coroutine"),
    "one in __gc": ("setmetatable({}, { __gc = function() while true do end end })", "__gc is not allowed"),
    "one in __close": ("local x <close> = setmetatable({}, { __close = function() while true do end end }) error 'x'", "took too long"),
    "switching the budget off": ("debug.sethook() while true do end", "debug"),
    "a pattern that takes a minute": ("return ('a'):rep(700):find(('.-'):rep(30) .. 'b')", "took too long"),
    "the same in pcall": ("pcall(string.find, ('a'):rep(700), ('.-'):rep(30) .. 'b') return 'retry'", "took too long"),
    "a table bomb": ("local t = {} for i = 1, 1e9 do t[i] = { i } end", ""),
    "a long text": ("return ('x'):rep(1000000000)", "not enough memory"),
    "deep recursion": ("local function f() return 1 + f() end return f()", ""),
    "error(nil)": ("error(nil)", "nil"),
    "error of a table": ("error {}", "table"),
    "a __tostring that raises": ("error(setmetatable({}, { __tostring = function() error 'again' end }))", "cannot be shown"),
    "ending the process": ("os.exit(1)", "os"),
    "a file": ("io.open('/etc/passwd')", "io"),
    "a process": ("os.execute('true')", "os"),
    "bytecode": ("assert(load('\\27Lua'))", "binary"),
    "a module": ("require('o' .. 's')", "require"),
    "a global": ("leak = 1", "no globals"),
    "another library": ("string.format = nil", "cannot be changed"),
    "writing to a view": ("task.tries = 0", "cannot be changed"),
    "writing below one": ("job.info.labels = {}", "cannot be changed"),
    "an unknown verdict": ("return 'rerty'", "no action is called 'rerty'"),
    "a number": ("return 3", "action expected"),
    "an unknown key": ("return { 'retry', aftr = 3 }", "did you mean after"),
    "a pause that is none": ("return { 'retry', after = 0/0 }", "seconds expected"),
    "resources that are none": ("return { 'retry', with = { memory = {} } }", "amounts expected"),
    "waiting for what has ended": ("return 'wait'", None),
}


def events(home, job, kind="policy_error"):
    return [event["text"] for event in json.loads(home.kq("dumpjob", job).out)["history"] if event["kind"] == kind]


def idle(home, job):
    return not {"pending", "claimed"} & set(counts(home, job))


@test("no hook stops, ends or fills a node: the stock verdict stands, the history names file and line, what runs beside it goes on")
def _(home):
    beside = home.kq("sub", "-q", "--no-wait", "-n", "beside", "touch started; while ! [ -e %s/go ]; do sleep 0.02; done" % home.top)
    assert beside.code == 0, beside
    wait_for(lambda: counts(home, "beside").get("claimed") == 1)
    node = home.node_pids()
    jobs = {}
    for i, (what, (body, word)) in enumerate(HOSTILE.items()):
        home.file(f"h{i}.lua", "return kubeque.policy { name = 'hostile',\n  on_task_failed = function(task, attempt, job)\n" + body + "\nend }\n")
        result = home.kq("sub", "-q", "--no-wait", "--policy", f"h{i}.lua", "--retries", "1", "--priority", "1", "-n", f"h{i}", "exit 3")
        assert result.code == 0, result
        jobs[f"h{i}"] = (what, word)
    wait_for(lambda: all(idle(home, job) for job in jobs), 60)
    for job, (what, word) in jobs.items():
        assert counts(home, job) == {"complete(code=3)": 1}, (what, counts(home, job))
        said, attempts = events(home, job), rows(home, "select count(*) from attempt where k >> 32 = (select born from job where id = ?)", job)[0][0]
        if word is None:  # legal, but not for an attempt that has ended: given up
            assert attempts == 1 and not said, (what, attempts, said)
            continue
        assert attempts == 2, (what, attempts)  # --retries 1, by the stock verdict
        assert len(said) == 2 and all(f"policy {job}: " in text and word in text for text in said), (what, said)
        assert ".lua:" in said[0] or "not enough memory" in said[0] or "binary" in said[0] or word in ("cannot be shown", "nil", "table"), (what, said)
    assert home.node_pids() == node, "it is the same process"
    open(os.path.join(home.top, "go"), "w", encoding="ascii").close()
    wait_for(lambda: idle(home, "beside"))
    assert counts(home, "beside") == {"complete(code=0)": 1}
    task = json.loads(home.kq("dumpjob", "beside").out)["tasks"][0]
    assert task["attempt"] == 1 and task["lost"] == 0, task


@test("after three errors in a row a policy is off in that node: its job says so once, as does each other job that has it")
def _(home):
    home.file("p.lua", "return { on_task_failed = function(task) error('no idea ' .. task.n) end }")
    assert home.kq("sub", "-q", "--no-wait", "-j", "1", "--policy", "p.lua", "-n", "one", "--seq", "6", "--retries", "0", "exit 3").code == 0
    wait_for(lambda: idle(home, "one"))
    said = events(home, "one")
    assert len(said) == 3 and ["is off" in text for text in said] == [False, False, True], said
    assert counts(home, "one") == {"complete(code=3)": 6}
    assert home.kq("sub", "-q", "--no-wait", "--policy", "p.lua", "-n", "two", "--seq", "3", "exit 3").code == 0
    wait_for(lambda: idle(home, "two"))
    assert len(events(home, "two")) == 1 and "is off" in events(home, "two")[0], events(home, "two")
    # another policy is none of that, and in a new node it is asked again
    home.file("q.lua", "return { on_task_failed = function() return 'complete' end }")
    home.kq("sub", "-q", "--policy", "q.lua", "-n", "three", "exit 3")
    task = json.loads(home.kq("dumpjob", "three").out)["tasks"][0]
    assert task["state"] == "succeeded", task
    home.end_nodes()
    home.kq("sub", "-q", "--policy", "p.lua", "-n", "four", "exit 3")
    assert events(home, "four") and "no idea 1" in events(home, "four")[0], events(home, "four")


@test("an error closes the state: the next hook finds everything as the file left it, also after a hook that went well")
def _(home):
    home.file("p.lua", "local n = 0\nlocal seen = {}\nreturn { on_task_failed = function(task)\n  n, seen[#seen + 1] = n + 1, task.n\n"
                       "  if task.n == 2 then error('broken') end\n  return { 'complete', note = 'n is ' .. n .. ', seen ' .. #seen } end }")
    home.kq("sub", "-q", "-j", "1", "--policy", "p.lua", "-n", "j", "--seq", "4", "exit 3")
    notes = [attempt["verdict"] for task in json.loads(home.kq("dumpjob", "j").out)["tasks"] for attempt in task["attempts"]]
    assert [note for note in notes if "n is" in note] == ["n is 1, seen 1"] * 3, notes


@test("no hook runs inside a transaction or under a lock: while hooks think, everybody else writes")
def _(home):
    home.file("p.lua", "return { on_task_failed = function()\n  for i = 1, 1e9 do if i % 64 == 0 then string.rep('x', 10) end end end }")
    assert home.kq("sub", "-q", "--no-wait", "--policy", "p.lua", "-n", "j", "--seq", "12", "--retries", "1", "exit 3").code == 0
    db = sqlite3.connect(os.path.join(home.path, "queue.db"), timeout=0.05, isolation_level=None)
    thinking = refused = 0
    while not idle(home, "j"):
        try:
            db.execute("begin immediate")
            thinking += db.execute("select count(*) from task where state = 3").fetchone()[0] > 0
            db.execute("rollback")
        except sqlite3.OperationalError:
            refused += 1
        time.sleep(0.005)
    db.close()
    # a lock that is held while 24 hooks use up their 100 ms would be met most of the time
    assert thinking >= 5 and refused <= thinking / 4, (thinking, refused)


@test("a node that dies while a hook thinks has stored the outcome: the hook is asked again, and its verdict counts")
def _(home):
    home.file("p.lua", "return { on_task_failed = function(task)\n  local t = {} for i = 1, 300000 do t[i % 7] = ('x'):rep(i % 5) end\n"
                       "  return { 'complete', note = 'as it is' } end }")
    assert home.kq("sub", "-q", "--no-wait", "--policy", "p.lua", "-n", "j", "--seq", "8", "exit 3").code == 0
    wait_for(lambda: rows(home, "select count(*) from task where state = 3")[0][0] > 0)
    kill9(home.node_pids())
    done = home.kq("status", "--wait", "j", timeout=60)
    assert done.code == 0, done
    for task in json.loads(home.kq("dumpjob", "j").out)["tasks"]:
        assert task["state"] == "succeeded" and task["attempts"][-1]["verdict"] == "as it is", task


@test("a kill wins over any verdict, whatever the hook is about to say")
def _(home):
    home.file("p.lua", "return { on_task_failed = function()\n  local t = {} for i = 1, 200000 do t[i % 7] = ('x'):rep(i % 5) end\n"
                       "  return { 'retry', free = true } end }")
    for i in range(3):
        job = f"j{i}"
        assert home.kq("sub", "-q", "--no-wait", "--policy", "p.lua", "-n", job, "--seq", "4", "exit 3").code == 0
        wait_for(lambda: rows(home, "select count(*) from task where state = 3")[0][0] > 0)
        assert home.kq("kill", "--keepcluster", job).code == 0
        wait_for(lambda: idle(home, job))
        assert counts(home, job) == {"killed": 4}, counts(home, job)
        before = rows(home, "select count(*) from attempt")[0][0]
        assert home.kq("sub", "-q", "-n", f"after{i}", "true").code == 0  # the node has looked since
        assert rows(home, "select count(*) from attempt")[0][0] <= before + 1
        assert counts(home, job) == {"killed": 4}, counts(home, job)


@test("every verdict is bounded: 10 retries, 100 free ones, a pause of a day, no more than the nodes have")
def _(home):
    home.file("retry.lua", "return { on_task_failed = function() return 'retry' end }")
    home.file("free.lua", "return { on_task_failed = function() return { 'retry', free = true } end }")
    home.file("late.lua", "return { on_task_failed = function() return { 'retry', after = '3000d' } end }")
    home.file("large.lua", "return { on_task_failed = function(task) if task.tries == 0 then return { 'retry', with = { memory = '900T', licence = 5 } } end end }")
    for name in ("retry", "free", "late", "large"):
        assert home.kq("sub", "-q", "--no-wait", "--policy", f"{name}.lua", "-n", name, "exit 3").code == 0
    wait_for(lambda: all(idle(home, job) for job in ("retry", "free", "large")), 60)
    task = {name: json.loads(home.kq("dumpjob", name).out)["tasks"][0] for name in ("retry", "free", "late", "large")}
    assert task["retry"]["tries"] == 10 and task["retry"]["attempt"] == 11 and task["retry"]["state"] == "failed", task["retry"]
    assert task["free"]["free"] == 100 and task["free"]["tries"] == 10 and task["free"]["attempt"] == 111, task["free"]
    assert task["large"]["attempt"] == 2 and "limited to what a node has" in task["large"]["attempts"][0]["verdict"], task["large"]
    due = rows(home, "select due from task where k >> 32 = (select born from job where id = 'late')")[0][0]
    assert 86000e3 < due - time.time() * 1000 <= 86400e3, due
    assert home.kq("kill", "late").code == 0


@test("a bundle that is gone or damaged: the stock verdict, the history says so, and no task is lost")
def _(home):
    for job, damage in (("gone", lambda path: os.unlink(path)), ("cut", lambda path: (os.chmod(path, 0o600), os.truncate(path, 9)))):
        home.end_nodes()  # the next one reads the bundle after it was damaged
        home.file("p.lua", "return { on_task_failed = function() return 'complete' end } -- " + job)
        assert home.kq("sub", "-q", "--no-wait", "--no-nodes", "--policy", "p.lua", "-n", job, "--seq", "5", "--retries", "1", "exit 3").code == 0
        digest = rows(home, "select policy from job where id = ?", job)[0][0]
        damage(os.path.join(home.path, "CAS", digest[:2], digest[2:]))
        done = home.kq("status", "--wait", job)
        assert done.code == 1, done
        assert counts(home, job) == {"complete(code=3)": 5}
        said = events(home, job)
        assert 1 <= len(said) <= 4 and all("cannot be loaded" in text or "could not be loaded" in text for text in said), said
        tasks = json.loads(home.kq("dumpjob", job).out)["tasks"]
        assert all(task["attempt"] == 2 for task in tasks), tasks


@test("a hook about a lost node that breaks or loops: the task runs again; one that waits for ever gets three more leases")
def _(home):
    home.env.update(KUBEQUE_LEASE="1", KUBEQUE_HEARTBEAT="0.2")
    policies = {"broken": "error 'no'", "loops": "while true do end", "nonsense": "return { 'wait', with = 3 }", "waits": "return 'wait'"}
    for name, body in policies.items():
        home.file(f"{name}.lua", "return { on_task_lost = function() " + body + " end }")
        line = "touch %s/%s.$KQ_ATTEMPT; [ $KQ_ATTEMPT -gt 1 ] || sleep 60" % (home.top, name)
        assert home.kq("sub", "-q", "--no-wait", "-r", "cpu=0.1", "--policy", f"{name}.lua", "-n", name, line).code == 0
        wait_for(lambda: os.path.exists(os.path.join(home.top, f"{name}.1")))
    kill9(home.node_pids())
    assert home.kq("addnodes", "waits", "1").code == 0
    for name in policies:
        done = home.kq("status", "--wait", name)
        assert done.code == 0, (name, done)
        task = json.loads(home.kq("dumpjob", name).out)["tasks"][0]
        assert task["lost"] == 1 and task["attempt"] == 2 and task["state"] == "succeeded", (name, task)
        assert bool(events(home, name)) == (name != "waits"), (name, events(home, name))


@test("on_submit: 2 s, then nothing was stored; scale: what breaks leaves as many nodes as there would be")
def _(home):
    home.file("loop.lua", "return { on_submit = function() while true do end end }")
    result = home.kq("sub", "--policy", "loop.lua", "-n", "j", "true")
    assert result.code == 7 and "loop.lua:1:" in result.err and "2000 ms" in result.err, result
    assert home.kq("status", "j").code == 3 and not home.node_pids()
    for body in ("error 'no'", "while true do end", "return -1", "return 'two'", "return 1e9"):
        home.file("scale.lua", "return { scale = function() " + body + " end }")
        result = home.kq("sub", "--policy", "scale.lua", "true")
        assert result.code == 0 and "scale.lua:1:" in result.err, result
        assert len(home.node_pids()) == 1, body


main()
