"""Adaptive searches: driven by jobs, stopped at any moment and gone on with."""
import json
import os
import signal
import threading

from kq import main, test

# x/epochs -> loss; what ran is noted. Of x < 0.1 it fails.
TRIAL = """#!/bin/sh
echo "$1 $2" >> $RUNS
awk -v x="$1" -v e="$2" 'BEGIN { if (x < 0.1) exit 1; printf "{\\"loss\\": %.9f, \\"x\\": %s}", (x - 0.6) ^ 2 + 1 / e, x > "score.json" }'
"""

HALVING = """
local best = kubeque.search.run {
  search = kubeque.search.halving { space = { x = params.uniform(0, 1) }, trials = 9, min = 1, max = 9, seed = tonumber(set.seed or 1) },
  job = { name = "halving", command = { "sh", "^trial.sh", "{x}", "{epochs}" } },
  file = "score.json", value = "loss",
}
print(("%.6f %d %.6f %d %d"):format(best.row.x, best.row.epochs, best.value, #best.trials, best.failed))
"""

BISECT = """
-- finds where f(x) = x^2 - 2 changes its sign: three points a batch, between the nearest two
local low, high, history = 0, 2, {}
local bisect = { trials = 3 }
local asked = 0
function bisect:suggest(n)
  if asked == 4 then return nil end
  asked = asked + 1
  local rows = {}
  for i = 1, 3 do rows[i] = { x = low + (high - low) * i / 4 } end
  return rows
end
function bisect:tell(row, value)
  history[#history + 1] = { row = row, value = value }
  if value < 0 then low = math.max(low, row.x) else high = math.min(high, row.x) end
end
function bisect:best()
  local best
  for _, h in ipairs(history) do
    if not best or math.abs(h.value) < math.abs(best.value) then best = h end
  end
  if best then return best.row, best.value end
end
local best = kubeque.search.run {
  search = bisect, name = "root",
  job = function(rows)
    return job { name = "f", params = rows, command = "echo {x} >> $RUNS; awk 'BEGIN { print \\"v\\"; print {x} * {x} - 2 }' > v.csv" }
  end,
  file = "v.csv", value = function(row) return row.v end,
}
print(("%.5f"):format(best.row.x))
"""


def setup(home, text):
    home.env["RUNS"] = os.path.join(home.cwd, "runs")
    home.file("trial.sh", TRIAL)
    home.file("s.lua", text)


def runs(home):
    path = os.path.join(home.cwd, "runs")
    return open(path).read().split("\n")[:-1] if os.path.exists(path) else []


def journal(home):
    for folder, _, names in os.walk(os.path.join(home.path, "recipes")):
        for name in names:
            if name.endswith(".jsonl"):
                with open(os.path.join(folder, name)) as source:
                    return [json.loads(line) for line in source.read().split("\n")[:-1]]
    return []


def check_journal(home):
    """Every batch asked once and told once, in turn."""
    entries = journal(home)
    for i, entry in enumerate(entries):
        want = {"ask": i // 2 + 1} if i % 2 == 0 else {"tell": i // 2 + 1}
        assert want.items() <= entry.items(), entries
    return entries


@test("successive halving drives real jobs: what runs next depends on the results of the last")
def _(home):
    setup(home, HALVING)
    result = home.kq("run", "s.lua")
    assert result.code == 0, result
    x, epochs, value, trials, failed = result.out.split()
    assert epochs == "9" and trials == "13", result
    assert abs(float(value) - ((float(x) - 0.6) ** 2 + 1 / 9)) < 1e-6, result
    ran = [line.split() for line in runs(home)]
    first = sorted((float(x) for x, e in ran if e == "1" and float(x) >= 0.1), key=lambda x: abs(x - 0.6))
    assert sorted(float(x) for x, e in ran if e == "3") == sorted(first[:3]), "the best third goes on"
    assert int(failed) == sum(float(x) < 0.1 for x, e in ran), result
    entries = check_journal(home)
    assert [len(e["rows"]) for e in entries[::2]] == [9, 3, 1] and len(ran) == 13, entries
    assert "search halving: batch 3, 13 trials: best" in result.err, result


@test("a search that is over is not run again; --fresh runs it")
def _(home):
    setup(home, HALVING)
    first = home.kq("run", "-q", "s.lua")
    again = home.kq("run", "s.lua")
    assert again.code == 0 and again.out == first.out and again.err == "", again
    assert len(runs(home)) == 13
    fresh = home.kq("run", "-q", "--fresh", "s.lua")
    assert fresh.code == 0 and fresh.out == first.out and len(runs(home)) == 26, fresh


@test("trials that diverge (NaN, null, inf, in JSON and in CSV) are failed trials, and the search goes on")
def _(home):
    text = """
local best = kubeque.search.run { search = kubeque.search.random { space = { x = params.uniform(0, 1) }, trials = 6 }, batch = 1,
  job = { command = { "sh", "^odd.sh" } }, file = set.file, value = "loss" }
print(best.value, best.failed)
"""
    script = "case $(cat $RUNS | wc -l) in {} esac; echo >> $RUNS\n"
    for name, odd in (("a.json", ['{"loss": NaN}', '{"loss": null}', '{"loss": Infinity, "kq_task": 5}', '{"loss": 2}', '{"loss": -Infinity}', '{"loss": 3}']),
                      ("a.csv", ["loss\nnan", "loss\n\"\"", "loss\ninf", "loss\n2", "loss\nNA", "loss\n3"])):
        setup(home, text)
        home.file("runs", "")
        home.file("odd.sh", script.format(" ".join(f"{i}) printf '%b' '{t}' > {name};;" for i, t in enumerate(odd))))
        result = home.kq("run", "--fresh", "s.lua", "--set", "file=" + name)
        assert result.code == 0 and result.out == "2\t4\n", result


@test("a search of the script's own: an ask/tell table, a function that makes the jobs, CSV results")
def _(home):
    setup(home, BISECT)
    result = home.kq("run", "-q", "s.lua")
    assert result.code == 0 and abs(float(result.out) - 2 ** 0.5) < 2 / 4 ** 4, result
    again = home.kq("run", "-q", "s.lua")
    assert again.out == result.out and len(runs(home)) == 12, again


@test("a client that dies after any line it prints goes on when it is started again: nothing twice")
def _(home):
    for number, text in enumerate((HALVING, BISECT)):
        setup(home, text)
        expected = home.kq("run", "-q", "--fresh", "s.lua").out
        os.unlink(home.env["RUNS"])
        home.file("s.lua", text.replace('name = "halving"', f'name = "h{number}"').replace('name = "f"', f'name = "f{number}"')
                  .replace('name = "root"', f'name = "r{number}"'))
        killed = 0
        for lines in range(1, 30):
            child = home.start("run", "s.lua")
            for _ in range(lines):
                if not child.stderr.readline():
                    break
            child.kill()
            child.communicate(timeout=30)
            killed += child.returncode == -signal.SIGKILL
            if child.returncode == 0:
                break
        assert killed >= 4, killed
        result = home.kq("run", "-q", "s.lua")
        assert result.code == 0 and result.out == expected, (result, expected)
        assert len(runs(home)) == len(set(runs(home))) == (13 if text is HALVING else 12), runs(home)
        check_journal(home)


@test("killed at every write of the journal, before and after it, nothing is asked or told twice")
def _(home):
    setup(home, HALVING)
    expected = home.kq("run", "-q", "s.lua").out
    folder = os.path.join(home.path, "recipes", os.listdir(os.path.join(home.path, "recipes"))[0])
    path = os.path.join(folder, "search-halving.jsonl")
    with open(path) as source:
        whole = source.read()
    ends = [i + 1 for i, c in enumerate(whole) if c == "\n"]
    before = len(runs(home))
    for cut in [0] + ends + [e - 5 for e in ends]:  # what is on disk when the process died there
        with open(path, "w") as out:
            out.write(whole[:cut])
        result = home.kq("run", "-q", "s.lua")
        assert result.code == 0 and result.out == expected, (cut, result)
        with open(path) as source:
            assert source.read() == whole, cut
    assert len(runs(home)) == before, "no task ran again"


@test("two runs of a search at once: one waits for the other")
def _(home):
    setup(home, HALVING)
    results = []
    threads = [threading.Thread(target=lambda: results.append(home.kq("run", "s.lua"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(r.code == 0 and r.out == results[0].out for r in results), results
    assert len(runs(home)) == 13, runs(home)
    check_journal(home)


@test("a search that was changed goes on from where it differs")
def _(home):
    text = """local best = kubeque.search.run { batch = 4, value = "loss", file = "score.json",
      search = kubeque.search.random { space = { x = params.uniform(0.2, set.high or 1) }, trials = tonumber(set.trials), seed = 1 },
      job = { name = "r", command = { "sh", "^trial.sh", "{x}", "1" } } }
    print(#best.trials, best.trials:min("value").x == best.row.x)"""
    setup(home, text)
    assert home.kq("run", "-q", "s.lua", "--set", "trials=6").out == "6\ttrue\n" and len(runs(home)) == 6
    result = home.kq("run", "-q", "s.lua", "--set", "trials=10")
    assert result.out == "10\ttrue\n" and result.err == "" and len(runs(home)) == 10, result
    result = home.kq("run", "-q", "s.lua", "--set", "trials=3")
    assert result.code == 0 and result.out == "3\ttrue\n", result
    os.unlink(home.env["RUNS"])
    home.file("s.lua", text.replace("set.high or 1", "0.9"))
    result = home.kq("run", "s.lua", "--set", "trials=10")
    assert result.out == "10\ttrue\n" and "it is not what it was when batch 1 was asked" in result.err, result
    assert len(runs(home)) == 10, runs(home)


@test("a search whose job was changed, or what is read of it, does not keep what the old one gave")
def _(home):
    text = """local best = kubeque.search.run { batch = 2, value = VALUE, file = set.file or "score.json",
      search = kubeque.search.random { space = { x = params.uniform(0.2, 1) }, trials = 4 },
      job = JOB }
    print(best.value)"""
    as_table = '{ command = { "sh", "^trial.sh", "{x}", "1" }, env = { A = set.a or "1" } }'
    as_function = 'function(rows) return job { params = rows, command = { "sh", "^trial.sh", "{x}", "1" }, env = { A = set.a or "1" } } end'
    for number, job in enumerate((as_table, as_function)):
        setup(home, text.replace("JOB", job).replace("VALUE", '"loss"'))
        script = TRIAL + 'echo \'{"loss": OTHER}\' > other.json\n# ' + str(number)
        home.file("trial.sh", script.replace("OTHER", "5"))
        home.file("runs", "")
        first = home.kq("run", "-q", "s.lua")
        assert first.code == 0 and len(runs(home)) == 4, first
        again = home.kq("run", "s.lua")
        assert again.out == first.out and again.err == "" and len(runs(home)) == 4, again
        # another value of the same results: nothing runs
        other = home.kq("run", "s.lua", "--set", "file=other.json")
        assert other.out == "5\n" and "what is read of it, is not what it was" in other.err and len(runs(home)) == 4, other
        home.file("s.lua", text.replace("JOB", job).replace("VALUE", "function(row) return row.loss + 100 end"))
        assert float(home.kq("run", "-q", "s.lua").out) == float(first.out) + 100 and len(runs(home)) == 4
        # another job: an input, the environment
        home.file("trial.sh", script.replace("OTHER", "6"))
        dry = home.kq("run", "--dry-run", "s.lua", "--set", "file=other.json")
        assert dry.code == 0 and "0 trials are done, more would run" in dry.err and len(runs(home)) == 4, dry
        result = home.kq("run", "-q", "s.lua", "--set", "file=other.json")
        assert result.code == 0 and result.out == "106\n" and len(runs(home)) == 8, result
        assert home.kq("run", "-q", "s.lua", "--set", "file=other.json", "--set", "a=2").code == 0 and len(runs(home)) == 12
        check_journal(home)


@test("the largest value; a field of the task itself; a search that finds nothing")
def _(home):
    text = """local best = kubeque.search.run { goal = "max", %s
      search = kubeque.search.random { space = { x = { 1, 2, 3 } }, trials = 3 }, job = { command = "%s" } }
    print(best.row.x, best.value, best.failed)"""
    setup(home, text % ('value = "v", file = "v.json",', "echo '{\\\"v\\\": {x}}' > v.json"))
    assert home.kq("run", "-q", "s.lua").out == "3\t3\t0\n"
    home.file("t.lua", text % ('value = function(row) return -row.kq_task * 0 + row.x end,', "true"))
    assert home.kq("run", "-q", "t.lua").out == "3\t3\t0\n"
    home.file("u.lua", text % ('value = "v", file = "v.json",', "exit 1"))
    result = home.kq("run", "-q", "u.lua")
    assert result.code == 1 and "search search: none of its 3 trials gave a value" in result.err, result


@test("names of searches that look alike in a file's name are different searches")
def _(home):
    text = """for _, name in ipairs { "a b", "a-b", ("x"):rep(40) .. "1", ("x"):rep(40) .. "2" } do
  local best = kubeque.search.run { name = name, value = function(row) return row.x end, search = kubeque.search.random {
    space = { x = params.uniform(0, 1) }, trials = 2, seed = #name + name:byte(-1) + name:byte(2) }, job = { command = "echo {x} >> $RUNS" } }
  print(best.value)
end"""
    setup(home, text)
    first = home.kq("run", "-q", "s.lua")
    again = home.kq("run", "s.lua")
    assert first.code == 0 and again.out == first.out and again.err == "" and len(runs(home)) == 8, (first, again)


@test("what a search suggests, names and says is its best is checked before anything follows from it")
def _(home):
    text = """local S = { n = 0 }
function S:suggest() self.n = self.n + 1 return self.n < 3 and { { x = self.n } } or nil end
function S:tell(row, value) self.row, self.value = row, value end
function S:best() return self.row, self.value end
local name
%s
kubeque.search.run { search = S, name = name, job = { command = "true" }, value = function(row) return row.x end }"""
    for change, says in (
            ("function S:suggest() return { { x = 0 / 0 } } end", "batch 1: row 1 cannot be kept: JSON has no word for "),
            ("function S:suggest() return { { x = print } } end", "batch 1: row 1 cannot be kept: JSON has no word for a function"),
            ("function S:suggest() return { { x = 1 }, nil, { x = 2 } } end", "batch 1: item 2 of the list is nil"),
            ("function S:best() return 3, 'a' end", "best() returned a number and a string, not a row and its value"),
            ("name = 3", "option name: a text expected"), ("name = ''", "option name: a text expected")):
        setup(home, text % change)
        result = home.kq("run", "-q", "s.lua")
        assert result.code == 7 and "s.lua:7: search.run: " + says in result.err and len(result.lines) == 1, (change, result)
        assert "suggest" not in change or journal(home) == [], change
    setup(home, text % "function S:best() return { x = 1 } end")
    result = home.kq("run", "-q", "s.lua")
    assert result.code == 1 and "none of its 2 trials gave a value" in result.err, result


@test("a name that no result has is a mistake and no failed trial")
def _(home):
    setup(home, HALVING.replace('value = "loss"', 'value = "los"'))
    result = home.kq("run", "-q", "s.lua")
    assert result.code == 7 and "no result has a field los (did you mean loss?)" in result.err, result
    home.file("s.lua", HALVING.replace("score.json", "scores.json"))
    result = home.kq("run", "-q", "s.lua")
    assert result.code == 7 and "left no scores.json" in result.err, result
    home.file("s.lua", HALVING)
    result = home.kq("run", "-q", "s.lua")
    assert result.code == 0 and len(runs(home)) == 13, (result, runs(home))


@test("tasks that a user kills are no failed trials")
def _(home):
    setup(home, HALVING)
    home.file("trial.sh", "test -e $RUNS || { echo 1 > $RUNS; kubeque_wait=1; while :; do sleep 0.05; done; }\n" + TRIAL)
    child = home.start("run", "s.lua")
    while "Waiting for job" not in child.stderr.readline():
        pass
    while not runs(home):
        pass
    assert home.kq("kill", "LAST").code == 0
    out, err = child.communicate(timeout=30)
    assert child.returncode == 1 and "were killed: run the recipe again to go on" in err, err
    result = home.kq("run", "-q", "s.lua")
    assert result.code == 0 and len(check_journal(home)) == 6, result


@test("mistakes in a search name their line")
def _(home):
    for number, (options, says) in enumerate((
            ("", "option search: a search expected"),
            ("search = {}", "option search: it has no function suggest"),
            ("search = S", "option job: options of a job"),
            ("search = S, job = { command = 'true', params = 'x' }, value = 'v'", "option job: its params are what the search suggests"),
            ("search = S, job = { command = 'true' }", "option value: the name of a field"),
            ("search = S, job = { comand = 'true' }, value = 'v'", "job: unknown option comand (did you mean command?)"),
            ("search = S, job = { command = 'true' }, value = 'v', gaol = 'max'", "search.run: unknown option gaol (did you mean goal?)"),
            ("search = S, job = { command = 'true' }, value = 'v', goal = 'most'", 'option goal: "min" or "max" expected'),
            ("search = S, job = function() end, value = 'v'", "option job: the function returned a nil, not a job"),
            ("search = { suggest = function() return { 1 } end, tell = print, best = print }, job = { command = 'true' }, value = 'v'",
             "batch 1: row 1 is no table of named values"),
            ("search = { suggest = function() return {} end, tell = print, best = print }, job = { command = 'true' }, value = 'v'",
             "suggest() has no rows though everything it asked for is told"))):
        home.file(f"s{number}.lua", "local S = kubeque.search.random { space = { x = { 1 } }, trials = 1 }\nkubeque.search.run { %s }" % options)
        result = home.kq("run", "-q", f"s{number}.lua")
        assert result.code == 7 and len(result.lines) == 1 and f"s{number}.lua:2: " in result.err and says in result.err, (options, result)
    home.file("s.lua", "kubeque.search.run { search = kubeque.search.random { space = { x = { 1 } } }, job = {}, value = 'v' }")
    result = home.kq("lua", "s.lua")
    assert result.code == 7 and "kubeque run FILE.lua" in result.err, result


@test("--dry-run of a search says how far it is")
def _(home):
    setup(home, HALVING)
    result = home.kq("run", "--dry-run", "s.lua")
    assert result.code == 0 and "search halving: 0 trials are done, more would run" in result.err and not os.path.exists(home.path), result
    out = home.kq("run", "-q", "s.lua").out
    result = home.kq("run", "--dry-run", "s.lua")
    assert result.code == 0 and result.out == out and result.err == "", result


main()
