"""Parameter sweeps on the command line, and rows that a recipe makes."""
import csv
import io
import json
import os
import resource
import signal
import subprocess
import time

from kq import BINARY, main, test, wait_for


def table(text):
    return list(csv.reader(io.StringIO(text)))


def spec_of(home, job):
    result = home.kq("dumpjob", "--spec", job)
    assert result.code == 0, result
    return json.loads(result.out)


@test("sweep prints every combination as CSV, the last factor varying fastest")
def _(home):
    result = home.kq("sweep", "lr=log:1e-5..1e-1:3", "seed=1..2", "opt=adam,sgd")
    assert result.code == 0 and result.err == "", result
    rows = table(result.out)
    assert rows[0] == ["lr", "seed", "opt"] and len(rows) == 13, rows
    assert rows[1:5] == [["1e-05", "1", "adam"], ["1e-05", "1", "sgd"], ["1e-05", "2", "adam"], ["1e-05", "2", "sgd"]], rows
    assert rows[-1] == ["0.1", "2", "sgd"], rows
    assert home.kq("sweep", "lr=log:1e-5..1e-1:7", "seed=1..5", "opt=adam,sgd", "--count").out == "70\n"


@test("every form of a factor: steps, lin, log, lists quoted as in CSV")
def _(home):
    def column(*words):
        result = home.kq("sweep", *words)
        assert result.code == 0, result
        return [row[0] for row in table(result.out)[1:]]

    assert column("t=0..1..0.25") == ["0", "0.25", "0.5", "0.75", "1"]
    assert column("x=lin:0..1:11") == ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"]
    assert column("s=5..1") == ["5", "4", "3", "2", "1"]
    assert column('o="a,b",c,"say ""hi""","1..3"') == ["a,b", "c", 'say "hi"', "1..3"]
    assert column("v=1e-3,007, x ,") == ["1e-3", "007", " x ", ""]


@test("zip groups move together, unequal ones are refused naming both")
def _(home):
    result = home.kq("sweep", "a=1..3", "k=x,y", "b=7..9", "--zip", "a,b")
    assert table(result.out) == [["a", "b", "k"], ["1", "7", "x"], ["1", "7", "y"], ["2", "8", "x"], ["2", "8", "y"],
                                 ["3", "9", "x"], ["3", "9", "y"]], result
    result = home.kq("sweep", "a=1..3", "b=7..8", "--zip", "a,b")
    assert result.code == 2 and '"a" has 3 rows and "b" has 2' in result.err and result.out == "", result


@test("samples: without a row twice, the same from the same seed; Latin hypercubes, Sobol' points")
def _(home):
    words = ("sweep", "a=1..1000", "b=1..1000", "u=uniform:0..1")
    one = home.kq("sweep", "a=1..1000", "b=1..1000", "--sample", "500", "--seed", "1").out
    rows = table(one)[1:]
    assert len(rows) == 500 == len({tuple(row) for row in rows}), len(rows)
    assert one == home.kq("sweep", "a=1..1000", "b=1..1000", "--sample", "500", "--seed", "1").out
    assert one != home.kq("sweep", "a=1..1000", "b=1..1000", "--sample", "500", "--seed", "2").out
    assert home.kq(*words, "--sample", "5").out == home.kq(*words, "--sample", "5", "--seed", "0").out, "the default is seed 0"
    rows = table(home.kq("sweep", "x=uniform:0..10", "o=a,b,c,d,e", "--lhs", "10").out)[1:]
    assert sorted(int(float(x)) for x, _ in rows) == list(range(10)), rows
    assert sorted(o for _, o in rows) == sorted("abcde" * 2), rows
    rows = table(home.kq("sweep", "x=uniform:0..1", "y=uniform:0..1", "--sobol", "16").out)[1:]
    for column in zip(*rows):
        assert sorted(int(float(x) * 16) for x in column) == list(range(16)), rows


@test("formats: csv, tsv and jsonl hold the same rows, and each comes back through --params")
def _(home):
    words = ("sweep", "lr=log:1e-5..1e-1:3", "u=uniform:0..1", 'o="a,b",c d,ü', "--seed", "3")
    rows = table(home.kq(*words).out)
    tsv = home.kq(*words, "--format", "tsv").out
    assert [line.split("\t") for line in tsv.splitlines()] == rows, tsv
    jsonl = [json.loads(line) for line in home.kq(*words, "--format", "jsonl").out.splitlines()]
    assert [list(row) for row in jsonl] == [rows[0]] * 9, jsonl
    assert [[float(row["lr"]), row["u"], row["o"]] for row in jsonl] == [[float(r[0]), float(r[1]), r[2]] for r in rows[1:]]
    tasks = []
    for kind in ("csv", "tsv", "jsonl"):
        home.file(f"p.{kind}", home.kq(*words, "--format", kind).out)
        assert home.kq("sub", "-n", kind, "--no-nodes", "--no-wait", "-p", f"p.{kind}", "echo", "{lr}", "{u}", "{o}").code == 0
        tasks.append(spec_of(home, kind)["tasks"])
    assert tasks[0] == tasks[1] == tasks[2]
    result = home.kq("sweep", 'o="a\tb"', "--format", "tsv")
    assert result.code == 2 and 'column "o"' in result.err and result.out == "", result


@test("sub --sweep is the same job as sub --params of what sweep prints")
def _(home):
    factors = ("lr=log:1e-5..1e-1:7", "seed=1..5", "u=normal:0,1", 'opt=adam,"s,g"')
    more = ("--zip", "lr,seed", "--seed", "4")
    for n, (words, extra) in enumerate(((factors, ("--seed", "4")), (("a=1..4", "b=3..6", "u=uniform:0..1"), ("--zip", "a,b")),
                                        (factors, ("--sample", "9", "--seed", "7")), (factors, ("--sobol", "8")), (factors, ("--lhs", "5")))):
        home.file("p.csv", home.kq("sweep", *words, *extra).out)
        command = ("--no-nodes", "--no-wait", "echo", *("{" + word.split("=")[0] + "}" for word in words))
        assert home.kq("sub", "-n", f"p{n}", "-p", "p.csv", *command).code == 0
        swept = []
        for word in words:
            swept += ["--sweep", word]
        result = home.kq("sub", "-n", f"s{n}", *swept, *extra, *command)
        assert result.code == 0, result
        assert home.kq("dumpjob", "--spec", f"p{n}").out == home.kq("dumpjob", "--spec", f"s{n}").out
        assert home.kq("listparams", f"s{n}", "-").out == home.read("p.csv")
    result = home.kq("sub", "-n", "z", "--sweep", "lr=1..3", "--sweep", "seed=1..2", *more, *command)
    assert result.code == 2 and "--zip" in result.err, result


@test("a swept job runs, with --rows and --dry-run as any other")
def _(home):
    result = home.kq("sub", "-n", "j", "--sweep", "x=lin:0..1:3", "--sweep", "s=1..2", "--rows", "2-5", "--fetch", "out", "echo {x} {s}")
    assert result.code == 0, result
    assert [home.read(f"out/{n}/stdout.txt") for n in (1, 2, 3, 4)] == ["0 2\n", "0.5 1\n", "0.5 2\n", "1 1\n"]
    result = home.kq("sub", "-n", "d", "--dry-run", "--sweep", "x=1..1000", "echo {x}")
    assert result.code == 0 and "tasks:   1000" in result.out, result
    result = home.kq("sub", "--no-nodes", "--sweep", "x=1..3", "echo", "{y}")
    assert result.code == 2 and "x" in result.err and "y" in result.err, result


@test("mistakes: one line with the factor and the character, exit 2, nothing printed or stored")
def _(home):
    for factor, says in (("lr=log:1e-5..x:7", 'character 14: the second bound: "x" is no number'),
                         ("lr=lgo:1..2:3", "did you mean log?"), ("lr", "a factor is NAME=VALUES"),
                         ("t=0..1..0", "a step of 0"), ('o="x', "the quote is not closed"), ("kq_a=1", "kubeque's own")):
        for command in (("sweep", "a=1..3", factor), ("sub", "--sweep", "a=1..3", "--sweep", factor, "echo {a}")):
            result = home.kq(*command)
            assert result.code == 2 and len(result.lines) == 1, result
            assert says in result.err and f"factor 2, {factor}: " in result.err and result.out == "", result
    for words, says in ((("a=1", "a=2"), 'both named "a"'), (("u=uniform:0..1",), "every factor is random"),
                        (("a=1..3", "--sample", "4"), "4 rows were asked for and there are 3"),
                        (("a=1..3", "--sample", "1", "--lhs", "1"), "exclude each other"),
                        (("a=1..3", "--sample", "0"), "too small"), ((), "NAME=VALUES is missing")):
        result = home.kq("sweep", *words)
        assert result.code == 2 and says in result.err, result
    for words in (("--sweep", "a=1", "--seq", "3"), ("--sweep", "a=1", "-p", "x.csv"), ("--sweep", "a=1", "--each", "x", "--")):
        result = home.kq("sub", *words, "echo")
        assert result.code == 2 and "exclude each other" in result.err, result
    result = home.kq("sub", "--sweep", "a=1..100000", "--sweep", "b=1..100000", "echo {a}")
    assert result.code == 2 and "more than 100,000,000 rows" in result.err, result
    for option in ("--seed", "--sample", "--lhs", "--sobol", "--zip"):
        result = home.kq("sub", option, "1", "echo")
        assert result.code == 2 and f"{option} goes with --sweep" in result.err, result
    assert home.kq("list", "-q").out == ""


@test("a sweep without end to it streams: a reader that has enough ends it, memory stays flat")
def _(home):
    child = subprocess.Popen([BINARY, "sweep", "a=1..1000000", "b=1..1000000", "u=uniform:0..1"], env=home.env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    home.children.append(child)
    taken = sum(len(child.stdout.readline()) > 3 for _ in range(200000))
    with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    child.stdout.close()
    assert child.wait(10) == 141 and child.stderr.read() == b"", child.returncode
    assert taken == 200000 and peak < (200000 if "asan" in BINARY else 20000), (taken, peak)


RECIPE = """
local p = kubeque.params
local rows = p.product({ a = p.range(1, 8) }, { b = p.range(1, 5) })
  :map { c = function(row) return row.a * row.b / 8 end, s = function(row) return row.a % 2 == 0 end }
kubeque.job { name = "made", command = { "echo", "{a}", "{b}", "{c}", "{s}" }, params = rows }:submit()
"""


@test("rows that a recipe computes are tasks, whole numbers without point, others shortest")
def _(home):
    home.file("r.lua", RECIPE)
    result = home.kq("run", "r.lua")
    assert result.code == 0, result
    job = home.kq("list", "-q").out.strip()
    tasks = spec_of(home, job)["tasks"]
    assert len(tasks) == 40
    want = [["echo", str(a), str(b), f"{a * b / 8:g}", "true" if a % 2 == 0 else "false"] for a in range(1, 9) for b in range(1, 6)]
    assert [task["command"] for task in tasks] == want


@test("an error in a row's function: file and line, exit 7, nothing stored")
def _(home):
    home.file("r.lua", RECIPE.replace("row.a * row.b / 8", "row.a > 7 and row.nope.x or 1"))
    result = home.kq("run", "r.lua")
    assert result.code == 7 and "r.lua:4: attempt to index a nil value" in result.err, result
    assert home.kq("list", "-q").out == ""
    home.file("r.lua", RECIPE.replace("row.a * row.b / 8", "(row.a < 8 or nil) and 1"))
    result = home.kq("run", "r.lua")
    assert result.code == 7 and 'r.lua:5: column "c", row 36: a text, number or boolean is needed, not nil' in result.err, result
    home.file("r.lua", RECIPE.replace("row.a * row.b / 8", "row.b / (row.a - 8)"))
    result = home.kq("run", "r.lua")
    assert result.code == 7 and 'row 36, column "c": the number is not finite' in result.err, result
    assert home.kq("list", "-q").out == ""


@test("Ctrl-C while rows are made: nothing was submitted, within a second")
def _(home):
    child = home.start("sub", "--no-nodes", "--sweep", "a=1..10000", "--sweep", "b=1..10000", "echo {a}")

    def spooling():
        try:
            fds = f"/proc/{child.pid}/fd"
            return any("(deleted)" in os.readlink(f"{fds}/{fd}") and os.stat(f"{fds}/{fd}").st_size > 0 for fd in os.listdir(fds))
        except OSError:
            return False

    wait_for(spooling)
    begun = time.monotonic()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=10)
    assert child.returncode == 130 and "Interrupted, nothing was submitted" in err, (child.returncode, err)
    assert time.monotonic() - begun < 2
    assert home.kq("list", "-q").out == ""


@test("no room for the rows: one line says so and where they go, exit 6, nothing stored")
def _(home):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = subprocess.run([BINARY, "sub", "--no-nodes", "--sweep", "a=1..1000", "--sweep", "b=1..1000", "echo {a}"], env=home.env,
                          cwd=home.cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, preexec_fn=limit, check=False)
    assert done.returncode == 6 and "cannot keep the rows (TMPDIR says where)" in done.stderr, done
    assert home.env["TMPDIR"] in done.stderr, done.stderr
    assert home.kq("list", "-q").out == ""


@test("params from a JSON list, on the command line too")
def _(home):
    home.file("p.json", '[{"lr": 1e-3, "o": "a"},\n {"lr": 2.50, "o": "b,c"}]')
    result = home.kq("sub", "-n", "j", "-p", "p.json", "--fetch", "out", "echo {lr} {o}")
    assert result.code == 0, result
    assert home.read("out/1/stdout.txt") == "1e-3 a\n" and home.read("out/2/stdout.txt") == "2.50 b,c\n"
    home.file("p.json", '{"lr": 1}')
    result = home.kq("sub", "-p", "p.json", "echo {lr}")
    assert result.code == 2 and "p.json: a list of objects is needed" in result.err, result


main()
