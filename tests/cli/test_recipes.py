"""Recipes: `kubeque run`, `kubeque sub -f FILE.lua`, checkpoints."""
import os
import signal
import subprocess
import threading

from kq import BINARY, main, test, wait_for

FIT = """import json, os, sys
x = float(sys.argv[1])
with open(os.environ["RUNS"], "a") as log:
    log.write("fit %s\\n" % sys.argv[1])
json.dump({"loss": (x - 3) ** 2, "kind": "low" if x < 3 else "high"}, open("score.json", "w"))
"""

PIPELINE = """
local fit = job { name = "fit", command = { "python3", "^fit.py", "{x}" },
  params = { { x = 1 }, { x = 2 }, { x = 3.5 }, { x = 5 } } }
fit:submit():wait()
local best = fit:results("score.json"):min("loss")
local again = job { name = "again", command = "echo again {x} >> $RUNS; echo {x} {y}",
  params = { { x = best.x, y = 1 }, { x = best.x, y = 2 } } }
again:submit():wait()
local merge = job { name = "merge", push = fit:outputs("score.json"),
  command = "echo merge >> $RUNS; cat */score.json | grep -o loss | wc -l" }
merge:submit():wait()
print(best.x, best.kind, again.n, merge:stdout())
"""


def runs(home):
    """What tasks noted when they ran, sorted."""
    path = os.path.join(home.cwd, "runs")
    return sorted(open(path).read().split("\n")[:-1]) if os.path.exists(path) else []


def pipeline(home, text=PIPELINE):
    home.env["RUNS"] = os.path.join(home.cwd, "runs")
    home.file("fit.py", FIT)
    home.file("pipe.lua", text)


ALL = ["again 3.5", "again 3.5", "fit 1", "fit 2", "fit 3.5", "fit 5", "merge"]
PRINTED = "3.5\thigh\t2\t4\n\n"


@test("a recipe fans out, takes the best, fans in; its results are readable from Lua")
def _(home):
    pipeline(home)
    result = home.kq("run", "pipe.lua")
    assert result.code == 0 and result.out == PRINTED, result
    assert runs(home) == ALL, runs(home)
    ids = sorted(home.kq("list", "-q").out.split())
    assert [i[:-8] for i in ids] == ["pipe-again-", "pipe-fit-", "pipe-merge-"], ids
    assert "Submitting job with id: " + ids[1] in result.err, result


@test("run again, nothing that succeeded is repeated and the result is the same")
def _(home):
    pipeline(home)
    assert home.kq("run", "pipe.lua").code == 0
    result = home.kq("run", "pipe.lua")
    assert result.code == 0 and result.out == PRINTED, result
    assert runs(home) == ALL, runs(home)
    assert [line.split(":")[0] for line in result.lines] == ["step fit", "step again", "step merge"], result
    assert all("done already" in line for line in result.lines), result
    quiet = home.kq("run", "-q", "pipe.lua")
    assert quiet.code == 0 and quiet.err == "" and quiet.out == PRINTED, quiet


@test("a step is what it is about: content of inputs, not their times; not resources, limits, labels")
def _(home):
    text = """
local o = { name = "s", command = "echo ran >> $RUNS; cat in.txt", push = "in.txt", env = { A = set.a or "1" } }
for _, key in ipairs { "resources", "retries", "timeout", "priority", "label", "keep_work" } do
  o[key] = set[key] and load("return " .. set[key])()
end
job(o):submit():wait()
"""
    home.env["RUNS"] = os.path.join(home.cwd, "runs")
    home.file("s.lua", text)
    home.file("in.txt", "one")
    assert home.kq("run", "s.lua").code == 0
    os.utime(home.file("in.txt", "one"))
    for extra in ([], ["--set", "resources={cpu=0.5,memory='1G'}"], ["--set", "retries=3"], ["--set", "timeout='1h'"],
                  ["--set", "priority=7"], ["--set", "label={a='b'}"], ["--set", "keep_work=true"]):
        result = home.kq("run", "s.lua", *extra)
        assert result.code == 0 and "done already" in result.err and len(runs(home)) == 1, (extra, result)
    home.file("in.txt", "two")
    assert home.kq("run", "s.lua").code == 0 and len(runs(home)) == 2
    assert home.kq("run", "s.lua", "--set", "a=2").code == 0 and len(runs(home)) == 3
    home.file("in.txt", "one")
    assert home.kq("run", "s.lua").code == 0 and len(runs(home)) == 3, "the first step is known still"


@test("the policy belongs to what a step is about; it is asked about a submission once")
def _(home):
    home.file("p.lua", """
return kubeque.policy { name = "p", options = { label = "a" }, on_submit = function(job, options)
  job.labels = { by = options.label }
  return job
end }
""")
    home.file("s.lua", 'job { name = "s", command = "true", policy = "p.lua:label=" .. (set.label or "x") }:submit():wait()')
    first = home.kq("run", "s.lua")
    assert first.code == 0 and first.err.count("Changed by its policy") == 1, first
    again = home.kq("run", "s.lua")
    assert again.code == 0 and "done already" in again.err and "policy" not in again.err, again
    other = home.kq("run", "s.lua", "--set", "label=y")
    assert other.code == 0 and "done already" not in other.err, other
    assert '"by": "x"' in home.kq("list", "--json").out.replace('":"', '": "'), home.kq("list", "--json")


@test("what comes after a step that ran again with the same results is not repeated")
def _(home):
    pipeline(home)
    assert home.kq("run", "pipe.lua").code == 0
    home.file("fit.py", "# says the same\n" + FIT)
    result = home.kq("run", "pipe.lua")
    assert result.code == 0 and result.out == PRINTED, result
    assert runs(home) == sorted(ALL + ["fit 1", "fit 2", "fit 3.5", "fit 5"]), runs(home)


PART = """
local fit = job { name = "part", command = "echo {x} >> $RUNS; test {x} != 2 -o -e fixed", cd = nil,
  params = { { x = 1 }, { x = 2 }, { x = 3 } }, %s }
fit:submit()
print(fit:wait(%s))
"""


@test("of a step that failed in part only what did not succeed runs again")
def _(home):
    home.env["RUNS"] = os.path.join(home.cwd, "runs")
    home.file("part.lua", (PART % ("", "")).replace("-e fixed", f"-e {home.cwd}/fixed"))
    result = home.kq("run", "part.lua")
    assert result.code == 1 and result.out == "", result
    job = home.kq("list", "-q").out.strip()
    assert result.lines[-1] == (f"kubeque run: step part: 1 of 3 tasks did not succeed (complete(code=1): 1): "
                                f"kubeque explain {job}"), result
    home.file("fixed")
    result = home.kq("run", "part.lua")
    assert result.code == 0 and result.out == "true\n" and f"step part: 1 task runs again: {job}" in result.err, result
    assert runs(home) == ["1", "2", "2", "3"], runs(home)
    assert home.kq("run", "part.lua").code == 0 and len(runs(home)) == 4


@test("resources and limits given now hold for what runs again")
def _(home):
    home.env["RUNS"] = os.path.join(home.cwd, "runs")
    text = """job { name = "m", command = "echo r >> $RUNS; exit $(test $(wc -l < $RUNS) -lt 3 && echo 1 || echo 0)",
      retries = tonumber(set.retries) }:submit():wait()"""
    home.file("m.lua", text)
    assert home.kq("run", "m.lua").code == 1
    result = home.kq("run", "m.lua", "--set", "retries=2")
    assert result.code == 0 and len(runs(home)) == 3, (result, runs(home))


@test("allow_failures and check = false leave it to the script")
def _(home):
    home.env["RUNS"] = os.path.join(home.cwd, "runs")
    home.file("a.lua", (PART % ("allow_failures = true", "")) + """
print(fit:ok(), fit:counts()["complete(code=1)"], #fit:results(), #fit:results(nil, { state = { "failed", "succeeded" } }))
for t in fit:tasks { state = "failed" } do print(t.kq_task, t.x, t.kq_exit_code, t.kq_state) end
""")
    result = home.kq("run", "a.lua")
    assert result.code == 0 and result.out == "nil\tfailed\nfalse\t1\t2\t3\n2\t2\t1\tcomplete(code=1)\n", result
    again = home.kq("run", "a.lua")
    assert again.code == 0 and again.out == result.out and len(runs(home)) == 3, "what may fail is done"
    home.file("c.lua", PART % ("", "{ check = false }"))
    result = home.kq("run", "c.lua")
    assert result.code == 0 and result.out == "nil\tfailed\n", result


@test("--fresh runs every step again")
def _(home):
    pipeline(home)
    assert home.kq("run", "pipe.lua").code == 0
    result = home.kq("run", "--fresh", "pipe.lua")
    assert result.code == 0 and result.out == PRINTED and "done already" not in result.err, result
    assert runs(home) == sorted(ALL + ALL), runs(home)
    assert len(home.kq("list", "-q").out.split()) == 3


@test("--dry-run goes as far as what is there and changes nothing")
def _(home):
    pipeline(home)
    result = home.kq("run", "--dry-run", "pipe.lua")
    assert result.code == 0 and "step fit: 4 tasks would run" in result.err, result
    assert "what comes next depends on the results of step fit" in result.err, result
    assert not os.path.exists(home.path), "no store is made"
    assert home.kq("run", "pipe.lua").code == 0
    home.file("pipe.lua", PIPELINE.replace("y = 2", "y = 3"))
    before = home.kq("list").out
    result = home.kq("run", "--dry-run", "pipe.lua")
    assert result.code == 0 and "step fit: done already" in result.err and "step again: 2 tasks would run" in result.err, result
    assert home.kq("list").out == before and runs(home) == ALL


@test("--dry-run waits for nothing, and results that were removed are missed by name")
def _(home):
    home.file("r.lua", """
local j = job { name = "j", command = "echo x > x.txt", no_nodes = true }
j:submit()
print(j.n, pcall(j.counts, j))
j:wait()
print(j:path(1, "x.txt"))
""")
    result = home.kq("run", "--dry-run", "r.lua")
    assert result.code == 0 and result.out == "1\tfalse\t\n", result
    child = home.start("run", "r.lua")
    while "Waiting" not in child.stderr.readline():
        pass
    child.kill()
    child.communicate(timeout=30)
    job = home.kq("list", "-q").out.strip()
    result = home.kq("run", "--dry-run", "r.lua")
    assert result.code == 0 and f"step j: running already: {job}" in result.err and not home.node_pids(), result
    assert home.kq("addnodes", job, "1").code == 0
    assert home.kq("status", "--wait", job).code == 0
    assert home.kq("run", "-q", "r.lua").code == 0
    subprocess.run(["rm", "-r", os.path.join(home.path, "results", job, "1")], check=True)
    result = home.kq("run", "-q", "r.lua")
    assert result.code == 7 and f"r.lua:6: task {job}.1 has no results" in result.err, result
    home.file("r.lua", home.read("r.lua").replace(", no_nodes = true", ""))
    assert home.kq("run", "-q", "--fresh", "r.lua").code == 0


@test("args and --set reach the recipe; a --set that nobody reads is pointed out")
def _(home):
    home.file("a.lua", 'print(#args, args[1], args[2], set.lr, set.none, ...)')
    result = home.kq("run", "a.lua", "x", "--set", "lr=0.1", "--set", "ln=3", "--", "-y")
    assert result.code == 0 and result.out == "2\tx\t-y\t0.1\tnil\tx\t-y\n", result
    assert "--set ln: a.lua reads no set.ln (did you mean lr?)" in result.err, result
    home.file("a.lua", 'for k, v in pairs(set) do print(k, v) end')
    result = home.kq("run", "a.lua", "--set", "lr=0.1")
    assert result.out == "lr\t0.1\n" and result.err == "", result


@test("a mistake in a recipe is one line with its place, exit 7")
def _(home):
    home.file("data", "x")
    for text, says in (
            ("local a = job { comand = 'x' }", "bad.lua:1: job: unknown option comand (did you mean command?)"),
            ("\nlocal a = job { command = 'x', push = 'nosuch' }\na:submit()", 'bad.lua:3: no file or directory "nosuch": check the name'),
            ("local a = job { command = 'x {y}', params = {{x=1}} }\na:submit()", "bad.lua:2: "),
            ("local a = job { command = 'x' }\na:wait()", "bad.lua:2: job: born is known when it is submitted: call :submit()"),
            ("local a = job { command = 'true' }\na:submitt()", "bad.lua:2: a job has no submitt (did you mean submit?)"),
            ("local a = job { command = 'true' }\na.retries = 2", "bad.lua:2: job: retries cannot be set"),
            ("local a = job { command = 'true' }\na:submit()\na:submit()", "bad.lua:3: step 1 is submitted already"),
            ("local a = job { command = 'true' }\na:submit()\na:wait { timout = 3 }", "bad.lua:3: wait: unknown option timout (did you mean timeout?)"),
            ("x = 1", "bad.lua:1: x is no local variable: write local x = ... (or local function)"),
            ("print(kubeqe)", "bad.lua:1: there is no global kubeqe (did you mean kubeque?)"),
            ("print(kubeque.jbo)", "bad.lua:1: there is no kubeque.jbo (did you mean kubeque.job?)"),
            ("local t\nt.x = 1", "bad.lua:2: attempt to index a nil value (local 't')"),
            ("print(", "bad.lua:1: unexpected symbol near <eof>"),
            ("error('it broke', 0)", "it broke"),
            ("error {}", "bad.lua:1: error raised with a table"),
            ("job { command = 'true', clean = true }:submit()", "bad.lua:1: job: option clean: a recipe finds its steps by itself"),
            ("return { 1 }", "bad.lua: it returns a list whose item 1 is no job but a number"),
            ("return 3", "bad.lua: it returns a number, which is no job: return a job, a list of jobs or nothing"),
            ("return job", "bad.lua: it returns a function, which is no job"),
            ("return params.range(1, 3)", "bad.lua: it returns params, which is no job"),
            ("return { command = 'true' }", "bad.lua: it returns a table with the key command: return a job, job{...}, or a list"),
            ("return job { command = 'true' }, job { command = 'true' }", "bad.lua: it returns 2 values: several jobs are returned as a list"),
            ("local a = job { command = 'true' }:submit()\na:kill {}", "bad.lua:2: bad argument #2 to 'kill' (string expected, got table)"),
            ("local a = job { command = 'true' }:submit()\na:wait { show = 'al' }", "bad.lua:2: wait: option show: all or any or failed expected, got al"),
            ("local a = job { command = 'true' }:submit()\na:wait { check = 1 }", "bad.lua:2: wait: option check: true or false expected, got a number"),
            ("local a = job { command = 'true' }:submit()\na:wait { timeout = {} }", "bad.lua:2: wait: option timeout: seconds expected, got a table"),
            ("local a = job { command = 'true' }:submit()\na:stdout(2)", "has tasks 1 to 1, there is no 2"),
            ("local a = job { command = 'true' }:submit()\na:wait()\na:fetch {}", "bad.lua:3: fetch: a directory expected, got a table"),
            ("kubeque.queue.wait('x', { timeout = 'soon' })", "bad.lua:1: kubeque.queue.wait: option timeout: "),
            ("set.x = 1", "bad.lua:1: set.x: what --set gives cannot be changed"),
            ("kubeque.wait_any {}", "bad.lua:1: wait_any: the list is empty"),
            ("kubeque.once('x')", "bad.lua:1: once: a name and a function expected")):
        home.file("bad.lua", text)
        result = home.kq("run", "-q", "bad.lua")
        assert result.code == 7 and len(result.lines) == 1 and result.lines[0].startswith("kubeque run: "), (text, result)
        assert ("kubeque run: " + says if says.startswith("bad.lua") else says) in result.lines[0], (text, result)
    assert home.kq("run", "nosuch.lua").code == 2
    result = home.kq("run", "nosuch")
    assert result.code == 2 and 'there is no recipe "nosuch"' in result.err, result
    assert home.kq("run").code == 2


@test("a recipe may begin with a mark of UTF-8 and with the program that runs it; compiled Lua is refused by name")
def _(home):
    for start in (b"\xef\xbb\xbf", b"#!/usr/bin/env kubeque run\n", b"\xef\xbb\xbf#!/usr/bin/env kubeque\n"):
        path = home.file("b.lua", "")
        with open(path, "wb") as file:
            file.write(start + b"print('here')\n")
        result = home.kq("run", "b.lua")
        assert result.code == 0 and result.out == "here\n", (start, result)
        with open(path, "ab") as file:
            file.write(b"x = 1\n")
        line = 2 + start.count(b"\n")
        assert f"b.lua:{line}: x is no local variable" in home.kq("run", "b.lua").err
    with open(path, "wb") as file:
        file.write(b"\x1bLuaT\0")
    result = home.kq("run", "b.lua")
    assert result.code == 7 and "b.lua: this is compiled Lua: give its source" in result.err, result


@test("a place in a recipe with a long path is shown whole")
def _(home):
    path = home.file("a-rather-long-name-of-a-directory/" * 3 + "r.lua", "local t\nt.x = 1")
    for name in (path, os.path.relpath(path, home.cwd)):
        result = home.kq("run", name)
        assert result.code == 7 and f"kubeque run: {name}:2: attempt" in result.err, result
    home.file(path, "job { comand = 'x' }")
    assert f"{path}:1: job: unknown option comand" in home.kq("run", path).err
    home.file(path, "print(")
    assert f"{path}:1: unexpected symbol" in home.kq("run", path).err


@test("a module's mistake names the module, and --debug shows the way there")
def _(home):
    home.file("helper.lua", "local M = {}\nfunction M.go()\n  local t\n  return t.x\nend\nreturn M\n")
    home.file("r.lua", "local helper = require 'helper'\nhelper.go()\n")
    result = home.kq("run", "r.lua")
    assert result.code == 7 and "helper.lua:4: attempt to index a nil value" in result.err, result
    assert "traceback" in home.kq("--debug", "run", "r.lua").err


@test("a recipe by its name, from the user's scripts")
def _(home):
    home.file("../.config/kubeque/lua/recipes/hello.lua", "print('hello', args[1])")
    result = home.kq("run", "hello", "you")
    assert result.code == 0 and result.out == "hello\tyou\n", result


@test("sub -f takes the job that a recipe returns; its own options win")
def _(home):
    home.file("one.lua", 'return job { command = "echo {x} " .. (set.word or "-"), params = { { x = 1 }, { x = 2 } }, '
                         'retries = 1, env = { A = "1" } }')
    result = home.kq("sub", "-f", "one.lua", "--set", "word=hi", "-n", "mine", "--show", "--retries", "2", "--env", "A=2")
    assert result.code == 0 and result.out == "1 hi\n2 hi\n", result
    dump = home.kq("dumpjob", "mine").out
    assert '"retries":2' in dump and '"A":"2"' in dump, dump
    result = home.kq("sub", "-f", "one.lua", "--dry-run")
    assert result.code == 0 and "tasks:   2\n" in result.out, result
    assert home.kq("sub", "-f", "one.lua", "-q", "--no-wait", "--no-nodes").code == 0
    assert len(home.kq("list", "-q").out.split()) == 2, "without a name each is another job"
    result = home.kq("sub", "--set", "a=b", "true")
    assert result.code == 2 and "--set goes with a recipe" in result.err, result


@test("sub -f of a recipe that submits its jobs itself runs it, and refuses options that have no job to go to")
def _(home):
    pipeline(home)
    result = home.kq("sub", "-f", "pipe.lua", "--retries", "1")
    assert result.code == 7 and "pipe.lua:4: this recipe submits its jobs itself, so --retries has no job to go to" in result.err, result
    assert runs(home) == []
    result = home.kq("sub", "-f", "pipe.lua")
    assert result.code == 0 and result.out == PRINTED, result


@test("sub -f of what gives no job, or several where the command line speaks of one, is a mistake of the recipe")
def _(home):
    for text, extra, says in (
            ("return 3", [], "it returns a number, which is no job"),
            ("return {}", [], "it submits no job: write :submit() behind job{...}, or return the job"),
            ("print('hello')", [], "it submits no job"),
            ("\njob { command = 'true' }", [], "it submits no job, the one made at none.lua:2 is not used"),
            ("return { job { command = 'true' }, job { command = 'false' } }", ["-n", "x"], "it returns 2 jobs, so --name has no job to go to")):
        home.file("none.lua", text)
        result = home.kq("sub", "-q", *extra, "-f", "none.lua")
        assert result.code == 7 and result.lines == ["kubeque sub: none.lua: " + result.lines[0][len("kubeque sub: none.lua: "):]], (text, result)
        assert says in result.err, (text, result)
    assert home.kq("list", "-q").out == ""
    home.file("two.lua", "return { job { name = 'a', command = 'true' }, job { name = 'b', command = 'true' } }")
    assert home.kq("sub", "-f", "two.lua").code == 0 and len(home.kq("list", "-q").out.split()) == 2


@test("run says so when a job is made and none is submitted")
def _(home):
    home.file("r.lua", "print(1)\nlocal a = job { command = 'true' }")
    result = home.kq("run", "r.lua")
    assert result.code == 0 and len(result.lines) == 1 and "r.lua: it submits no job, the one made at r.lua:2 is not used" in result.err, result
    for text in ("print(1)", "assert(kubeque.queue.submit { command = 'true', no_nodes = true })"):
        home.file("r.lua", text)
        assert "submits no job" not in home.kq("run", "r.lua").err, text
    home.file("s.lua", """kubeque.search.run { search = kubeque.search.random { space = { x = params.uniform(0, 1) }, trials = 1 },
  job = { command = "echo {x} >x.csv" }, value = function() return 1 end }""")
    for _ in range(2):
        assert home.kq("sub", "-f", "s.lua").code == 0


@test("jobs that a recipe returns, or submits and does not wait for, are waited for at the end")
def _(home):
    home.file("r.lua", """
job { name = "a", command = "exit 3" }:submit()
return { job { name = "b", command = "true" } }
""")
    result = home.kq("run", "r.lua")
    assert result.code == 1 and "step a: 1 of 1 task did not succeed" in result.err, result
    assert '"complete(code=0)":1' in home.kq("status", "r-b-*", "--json").out.replace(" ", ""), home.kq("status", "--json")


@test("the same step twice in one run: two jobs without a name, one with")
def _(home):
    home.file("r.lua", """
local a, b = job { command = "true" }:submit(), job { command = "true" }:submit()
local c, d = job { name = "x", command = "true" }:submit(), job { name = "x", command = "true" }:submit()
print(a.id ~= b.id, c.id == d.id)
kubeque.wait_all { a, b, c, d }
""")
    first = home.kq("run", "r.lua")
    assert first.code == 0 and first.out == "true\ttrue\n" and len(home.kq("list", "-q").out.split()) == 3, first
    again = home.kq("run", "r.lua")
    assert again.code == 0 and "Submitting" not in again.err, again


@test("a job whose id is taken by something else is refused")
def _(home):
    home.kq("sub", "-n", "taken", "--no-wait", "--no-nodes", "true")
    home.file("r.lua", 'job { id = "taken", command = "true" }:submit()')
    result = home.kq("run", "r.lua")
    assert result.code == 7 and "r.lua:1: job taken is there and is no run of this step" in result.err, result


@test("wait_any gives the first that ends, wait_all waits for the rest; timeouts are told")
def _(home):
    home.file("r.lua", """
local slow = job { name = "slow", command = "while test ! -e " .. args[1] .. "/go; do sleep 0.05; done" }:submit()
local fast = job { name = "fast", command = "true" }:submit()
print(kubeque.wait_any { slow, fast } == fast)
print(slow:wait { timeout = 0.2 })
print(slow:wait { timeout = "100ms" })
print(kubeque.wait_all({ slow, fast }, { timeout = 0.1 }))
assert(kubeque.fs.write(args[1] .. "/go", ""))
print(kubeque.wait_all { slow, fast })
""")
    result = home.kq("run", "r.lua", home.cwd)
    assert result.out == "true\nnil\ttimeout\nnil\ttimeout\nnil\ttimeout\ntrue\n" and result.code == 0, result


@test("files, output, fetch, kill and retry of a job")
def _(home):
    home.file("r.lua", """
local j = job { name = "j", command = "echo out {x}; echo '{\\"v\\": {x}}' > v.json; test {x} = 1 && mkdir d && echo e > d/e.txt; true",
  params = { { x = 1 }, { x = 2 } } }
j:submit():wait()
print((j:stdout(2):gsub("\\n", "")), (j:path(1, "d/e.txt"):match("[^/]*/[^/]*/[^/]*$")))
print(pcall(j.path, j, 2, "d/e.txt"))
print(pcall(j.outputs, j, "d/*"))
print(pcall(j.results, j, "d/e.txt"))
print(#j:results("d/e.txt", { missing = "skip" }), j:results("v.json"):sum("v"), #j:outputs())
print(j:fetch("out").tasks, kubeque.fs.read("out/2/v.json"))
local k = job { name = "k", command = "sleep 600" }:submit()
print(k:kill(), k:wait { check = false })
print(pcall(k.results, k))
local l = job { name = "l", allow_failures = true, command = "test -e " .. args[1] .. "/l" }:submit()
print(l:wait())
assert(kubeque.fs.write(args[1] .. "/l", ""))
print(l:retry { retries = 1 }:wait())
print(job "LAST".id == l.id, job(j.id).n)
""")
    result = home.kq("run", "-q", "r.lua", home.cwd)
    job = result.out.split("false\ttask ", 1)[1].split(".2")[0]
    assert result.out.splitlines() == [
        "out 2\t1/d/e.txt",
        f"false\ttask {job}.2 left no d/e.txt: kubeque logs {job}.2 shows its output",
        f"false\ttask {job}.2 left no d/*: kubeque logs {job}.2 shows its output",
        f"false\ttask {job}.2 left no d/e.txt: kubeque logs {job}.2 shows its output",
        "1\t3\t3", "2\t{\"v\": 2}", "", "1\tnil\tfailed", "true\tresults(0 rows)",
        "nil\tfailed", "true", "true\t2"], result


@test("a value that is computed once is there when the recipe runs again")
def _(home):
    home.file("r.lua", """
local v = kubeque.once("split", function() print("computed") return { a = { 1, 2 }, b = "x" } end)
print(v.a[2], v.b, kubeque.once("nothing", function() print("computed") end))
""")
    assert home.kq("run", "r.lua").out == "computed\ncomputed\n2\tx\tnil\n"
    assert home.kq("run", "r.lua").out == "2\tx\tnil\n"
    assert home.kq("run", "--fresh", "r.lua").out == "computed\ncomputed\n2\tx\tnil\n"
    home.file("other/r.lua", 'print(kubeque.once("split", function() return 7 end))')
    assert home.kq("run", "other/r.lua").out == "7\n", "another recipe has values of its own"


@test("jobs in a script that is no recipe are jobs and no steps")
def _(home):
    home.file("s.lua", """
local j = kubeque.job { command = "echo {x}", params = { { x = 1 }, { x = 2 } }, name = "n" }
print(j:submit():wait(), j:stdout(2))
""")
    for _ in range(2):
        done = home.kq("lua", "s.lua")
        assert done.code == 0 and done.out == "true\t2\n\n", done
    assert len(home.kq("list", "-q").out.split()) == 2


@test("kubeque.queue submits, waits, kills, resets and retries without a word")
def _(home):
    home.file("q.lua", f"""
local q = kubeque.queue
local row = assert(q.submit {{ command = "test {{x}} = 1 -o -e {home.cwd}/go", params = {{ {{ x = 1 }}, {{ x = 2 }} }} }})
print(row.n, q.wait(row), q.wait(row.id), q.wait(row.born))
assert(kubeque.fs.write("go", ""))
print(q.retry(row), q.wait(row), q.retry("LAST"))
print(q.reset(row, {{ all = true, ranges = "1" }}), q.wait("LAST"))
row = assert(q.submit {{ command = "sleep 600" }})
print(q.wait(row, {{ timeout = 0.1 }}))
print(q.kill(row), q.wait(row), q.reset(row, {{ ranges = "1" }}), q.kill(row, "1"))
print(q.wait "nosuch")
print(q.submit {{ command = "true", push = "nosuch" }})
print(pcall(q.wait, nil))
print(pcall(q.submit, {{ comand = "true" }}))
""")
    result = home.kq("lua", "q.lua")
    job = result.out.split(" is not over yet")[0].split("nil\t")[-1]
    assert result.err == "" and result.out.splitlines() == [
        "2\tfalse\tfalse\tfalse", "1\ttrue\t0", "1\ttrue", f"nil\t{job} is not over yet\ttimeout", "1\tfalse\t1\t1",
        "nil\tno job nosuch\tnot_found", 'nil\tno file or directory "nosuch": check the name\tusage',
        "false\tq.lua:13: kubeque.queue.wait: a job expected: an id, a row or its born, got a nil",
        "false\tq.lua:14: job: unknown option comand (did you mean command?)"], result


# ---- stopped and run again ----

def kill_after(home, lines, *argv):
    """Runs a recipe and kills it -9 after so many lines of stderr; False when it ended before."""
    child = home.start("run", *argv)
    for _ in range(lines):
        if not child.stderr.readline():
            break
    child.kill()
    child.communicate(timeout=30)
    return child.returncode == -signal.SIGKILL


@test("killed after any line it prints and run again, it repeats nothing that succeeded")
def _(home):
    pipeline(home)
    killed = 0
    for lines in range(1, 25):
        killed += kill_after(home, lines, "pipe.lua")
        if lines % 4 == 0:  # from the start with other steps
            result = home.kq("run", "-q", "pipe.lua")
            assert result.code == 0 and result.out == PRINTED, (lines, result)
            assert runs(home) == ALL, (lines, runs(home))
            os.unlink(os.path.join(home.cwd, "runs"))
            home.file("fit.py", f"# {lines}\n" + FIT)
            home.file("pipe.lua", PIPELINE.replace("echo {x} {y}", f"echo {{x}} {{y}} {lines}")
                      .replace("wc -l", f"wc -l # {lines}"))
    assert killed >= 12, killed


@test("killed at any moment of a submission, it repeats nothing that succeeded")
def _(home):
    pipeline(home)
    for round_number in range(25):
        child = subprocess.Popen([BINARY, "run", "-q", "pipe.lua"], cwd=home.cwd, env=home.env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        home.children.append(child)
        try:
            child.wait(timeout=0.002 + 0.004 * round_number)
        except subprocess.TimeoutExpired:
            child.kill()
        child.communicate(timeout=30)
    result = home.kq("run", "-q", "pipe.lua")
    assert result.code == 0 and result.out == PRINTED and runs(home) == ALL, (result, runs(home))


@test("two runs at once share their steps")
def _(home):
    pipeline(home)
    results = []
    threads = [threading.Thread(target=lambda: results.append(home.kq("run", "pipe.lua"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(r.code == 0 and r.out == PRINTED for r in results), results
    assert runs(home) == ALL, runs(home)


@test("Ctrl-C leaves the job alone; the next run goes on waiting for it")
def _(home):
    home.env["RUNS"] = os.path.join(home.cwd, "runs")
    home.file("r.lua", f"""
job {{ name = "long", command = "echo x >> $RUNS; while test ! -e {home.cwd}/go; do sleep 0.05; done" }}:submit():wait()
print("done")
""")
    child = home.start("run", "r.lua")
    wait_for(lambda: runs(home))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130 and out == "" and "your job will continue to run unaffected" in err, (out, err)
    child = home.start("run", "r.lua")
    wait_for(lambda: "running already" in child.stderr.readline())
    home.file("go")
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0 and out == "done\n" and runs(home) == ["x"], (out, err)


@test("Ctrl-C ends a loop of waits that does not look, and a recipe that goes on begins nothing more")
def _(home):
    begin = "io.stderr:write('here\\n')\n"
    for text, says, out in (
            ("while true do kubeque.sleep(30) end", "kubeque run: Interrupted", ""),
            ("while true do end", "kubeque run: Interrupted", ""),
            ("kubeque.sleep(30)\nprint('on')\njob { command = 'true' }:submit()", "Interrupted, nothing was submitted", "on\n"),
            ("kubeque.sleep(30)\nprint('on')\nreturn job { command = 'true' }", "", "on\n"),
            ("job { command = 'echo {a}', params = params.range(1, 1000000000):as('a'):filter(function() return false end) }:submit()", "Interrupted", "")):
        home.file("r.lua", begin + text)
        child = home.start("run", "r.lua")
        assert child.stderr.readline() == "here\n"
        child.send_signal(signal.SIGINT)
        got, err = child.communicate(timeout=20)
        assert child.returncode == 130 and got == out and says in err and err.count("\n") <= 1, (text, child.returncode, got, err)
    assert home.kq("list", "-q").out == ""


@test("a step that was killed runs again; a job that was removed is submitted anew")
def _(home):
    home.env["RUNS"] = os.path.join(home.cwd, "runs")
    home.file("r.lua", f"""
local j = job {{ name = "k", allow_failures = true, command = "echo x >> $RUNS; test -e {home.cwd}/go || sleep 600" }}:submit()
if not kubeque.fs.stat("go") then j:kill() end
print(j:wait())
""")
    assert home.kq("run", "r.lua").out == "nil\tfailed\n"
    home.file("go")
    result = home.kq("run", "r.lua")
    assert result.out == "true\n" and "runs again" in result.err, result
    job = home.kq("list", "-q").out.strip()
    assert home.kq("clean", job).code == 0
    result = home.kq("run", "r.lua")
    assert result.out == "true\n" and "Submitting job with id: " + job in result.err, result


main()
