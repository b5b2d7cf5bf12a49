"""Streams: what goes to stdout and can be read by machines, closed and full outputs, selectors."""
import csv
import io
import json
import os
import subprocess

from kq import BINARY, main, test


def sample(home):
    """A job of four tasks, the second fails; values and outputs with tabs, quotes, newlines."""
    home.file("p.csv", 'name,b\n"x, y",1\n"new\nline",2\n"tab\there",3\n"quo""te",4\n')
    result = home.kq("sub", "-n", "p", "-p", "p.csv", 'printf "a\\tb\\n%s\\n" {name}; exit $((KQ_TASK == 2))')
    assert result.code == 1, result


def rows_of(out, form):
    if form == "json":
        return json.loads(out)
    if form == "jsonl":
        return [json.loads(line) for line in out.splitlines()]
    if form == "csv":
        return list(csv.DictReader(io.StringIO(out, newline="")))
    lines = [line.split("\t") for line in out.splitlines()]
    assert all(len(line) == len(lines[0]) for line in lines), out
    return [dict(zip(lines[0], line)) for line in lines[1:]]


LISTINGS = [("status",), ("status", "p", "--tasks"), ("status", "p", "--failures"), ("status", "p.2-3"),
            ("status", "--wait", "p"), ("status", "p", "--detailed"), ("list",), ("nodes",), ("du",), ("config",)]
FORMS = {"json": ("--json",), "jsonl": ("--jsonl",), "csv": ("--format", "csv"), "tsv": ("--format=tsv",)}


@test("every listing command gives parseable json, jsonl, csv and tsv, with the same rows and keys")
def _(home):
    sample(home)
    for words in LISTINGS:
        keys = counts = None
        for form, option in FORMS.items():
            result = home.kq(*words, *option)
            assert result.code == (1 if "--wait" in words else 0), result
            rows = rows_of(result.out, form)
            assert rows, result
            keys = keys or list(rows[0])
            counts = counts or len(rows)
            assert list(rows[0]) == keys and len(rows) == counts, result
        table = home.kq(*words, "--format", "table")
        assert len(table.out.splitlines()) == counts + 1, table


@test("-q prints ids only; with nothing to list machines get an empty document, people a line")
def _(home):
    assert home.kq("list", "--json").out == "[]\n" and home.kq("list", "--jsonl").out == ""
    assert home.kq("list").out == "" and home.kq("list").lines == ["no jobs"]
    sample(home)
    assert home.kq("status", "-q").out == "p\n" and home.kq("list", "-q").out == "p\n"
    assert home.kq("status", "p", "--failures", "-q").out == "p.2\n"
    assert home.kq("status", "p", "--tasks", "-q").out == "p.1\np.2\np.3\np.4\n"
    for line in home.kq("nodes", "-q").out.splitlines():
        assert " " not in line
    assert json.loads(home.kq("status", "zz*", "--json").out) == []


@test("status --wait ends with the status on stdout, as text or JSON, and exit 1 for a failure")
def _(home):
    sample(home)
    assert home.kq("status", "--wait", "p").out.startswith("p: complete(code=0): 3, complete(code=1): 1  nodes: ")
    assert home.kq("status", "--wait", "p", "-q").code == 1
    home.kq("sub", "-n", "good", "-q", "true")
    result = home.kq("status", "--wait", "good", "--json")
    assert result.code == 0 and json.loads(result.out)[0]["counts"] == {"complete(code=0)": 1}, result
    assert home.kq("status", "--wait", "*").code == 1


@test("sub: -q prints the id only, --json what became of it; nothing else is on stdout")
def _(home):
    assert home.kq("sub", "-q", "-n", "a", "true").out == "a\n"
    assert home.kq("sub", "-n", "b", "true").out == ""
    result = home.kq("sub", "--json", "-n", "c", "--seq", "2", "exit $((KQ_TASK == 2))")
    answer = json.loads(result.out)
    assert result.code == 1 and answer["job"] == "c" and answer["tasks"] == 2, result
    assert answer["results"] == home.path + "/results/c" and answer["state"] == "failed", result
    result = home.kq("sub", "-q", "-n", "d", "true")
    assert result.err == "", result


@test("a stdout that nobody reads is exit 141, quietly; a full one exit 6 and one line")
def _(home):
    sample(home)
    commands = [*LISTINGS, ("logs", "p"), ("logs", "p", "-f"), ("dumpjob", "p"), ("dumpjob", "p", "--spec"), ("listparams", "p", "-"),
                ("explain", "p"), ("help",), ("help", "sub"), ("version",), ("validate",), ("sub", "-q", "--no-wait", "true"),
                ("sub", "--show", "echo"), ("sub", "--json", "true"), ("sub", "--dry-run", "true")]
    for words in commands:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([BINARY, *words], stdout=writer, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              env=home.env, cwd=home.cwd, text=True, timeout=60, check=False)
        os.close(writer)
        assert done.returncode == 141, (words, done)
        assert "write" not in done.stderr and "Broken" not in done.stderr, (words, done)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, *words], stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                  env=home.env, cwd=home.cwd, text=True, timeout=60, check=False)
        assert done.returncode == 6 and "cannot write to stdout" in done.stderr.splitlines()[-1], (words, done)


@test("tasks that a job does not have are exit 3 everywhere, and nothing is done")
def _(home):
    sample(home)
    for words in (("status", "p.5"), ("status", "p.2-9"), ("logs", "p.5"), ("logs", "p.1,5"), ("kill", "p.5"), ("reset", "p.5"),
                  ("retry", "p.1-5"), ("fetch", "p.7"), ("explain", "p.5"), ("dumpjob", "p.5"), ("listparams", "p.5", "-"),
                  ("shell", "p.5")):
        result = home.kq(*words)
        assert result.code == 3 and result.out == "" and "the job has tasks 1 to 4" in result.err, result
    assert not os.path.exists(home.cwd + "/p")


@test("commands on whole jobs refuse tasks: clean JOB.N forgets nothing")
def _(home):
    sample(home)
    for words in (("clean", "p.2"), ("clean", "p.2", "--results", "--yes"), ("watch", "p.2"), ("addnodes", "p.2", "1"), ("du", "p.2"),
                  ("list", "p.2"), ("status", "--wait", "p.2")):
        result = home.kq(*words)
        assert result.code == 2 and "only whole jobs" in result.err, result
    assert home.kq("status", "p").code == 0
    assert os.path.exists(home.path + "/results/p/2/stdout.txt")


@test("an id that does not exist is exit 3 for every command that takes one; a glob is none")
def _(home):
    home.kq("sub", "-q", "true")
    for words in (("status",), ("list",), ("du",), ("kill",), ("reset",), ("clean",), ("logs",), ("fetch",), ("watch",), ("retry",), ("explain",),
                  ("dumpjob",), ("listparams",), ("status", "--wait")):
        assert home.kq(*words, "nope").code == 3, words
        if words[0] in ("status", "list", "kill", "reset", "clean", "du"):
            assert home.kq(*words, "nope*").code == 0, words


main()
