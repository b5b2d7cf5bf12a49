"""Rows: CSV, TSV, JSONL, sequences, lines; everything that must be refused; templates and quoting."""
import json
import random

from kq import main, test


def refused(home, *words, stdin=None, says=()):
    result = home.kq("sub", "--no-nodes", "--no-wait", *words, stdin=stdin)
    assert result.code == 2, result
    for word in says:
        assert word in result.err, (word, result)
    assert home.kq("list", "-q").out == "", "something was stored"
    return result


@test("bad CSV is refused with line and row, and nothing is stored")
def _(home):
    cases = (
        ("a,b\n1,2\n1\n", ("line 3", "row 2")),
        ("a,b\n1,2,3\n", ("line 2", "row 1")),
        ('a,b\n1,"2\n', ("quote",)),
        ("a,a\n1,2\n", ("a",)),
        ("a,\n1,2\n", ("column 2", "name")),
        ("a,b\n", ("row",)),
        ("", ("",)),
        (b"a,b\n1,\x002\n", ("NUL",)),
        (b"a,b\n1,\xff\n", ("UTF-8",)),
        ("a,b\n1,2\n".encode("utf-16"), ("UTF-16",)),
        ("a;b\n1;2\n", (";",)),
        ("a\tb\n1\t2\n", ("tab",)),
        ("kq_x\n1\n", ("kq_",)),
    )
    for i, (text, says) in enumerate(cases):
        home.file(f"{i}.csv", text)
        refused(home, "-p", f"{i}.csv", "echo", "x", says=says)


@test("a params file that is a directory, missing or unreadable is refused")
def _(home):
    import os
    os.mkdir(os.path.join(home.cwd, "d.csv"))
    refused(home, "-p", "d.csv", "echo", says=("d.csv", "directory"))
    refused(home, "-p", "missing.csv", "echo", says=("missing.csv",))


@test("unknown parameter names are refused and the columns listed")
def _(home):
    home.file("p.csv", "alpha,beta\n1,2\n")
    refused(home, "-p", "p.csv", "echo", "{alhpa}", says=("alhpa", "alpha", "beta"))


@test("values arrive byte for byte: quotes, newlines, blanks, BOM, CRLF")
def _(home):
    rows = [('say "hi"', " lead and trail "), ("line\nbreak", "tab\there"), ("", "ünïcode ☃"), ("{alpha}", "$HOME `id` 'x'")]
    text = "\ufeffalpha,beta\r\n" + "".join(
        ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in rows)
    home.file("p.csv", text)
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "--fetch", "out", "printf", "%s|%s", "{alpha}", "{beta}")
    assert result.code == 0, result
    for n, row in enumerate(rows, 1):
        assert home.read(f"out/{n}/stdout.txt") == "|".join(row), home.read(f"out/{n}/stdout.txt")


@test("values are in the environment too, and the command's own")
def _(home):
    home.file("p.csv", "x.y,z\n1 2,q\n")
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "--fetch", "out",
                     'echo "$KQ_PARAM_x_y $KQ_PARAM_z $KQ_JOB $KQ_TASK $KQ_ATTEMPT"; test -n "$KQ_NODE"; cat "$KQ_PARAMS"')
    assert result.code == 0, result
    first, second = home.read("out/1/stdout.txt").split("\n", 1)
    assert first == "1 2 q j 1 1", first
    assert json.loads(second) == {"x.y": "1 2", "z": "q"}, second


@test("TSV by its ending, JSONL with spellings kept, stdin")
def _(home):
    home.file("p.tsv", 'a\tb\n"x\ty,z\n')
    result = home.kq("sub", "-n", "t", "-p", "p.tsv", "--fetch", "t", "printf", "%s|%s", "{a}", "{b}")
    assert result.code == 0 and home.read("t/1/stdout.txt") == '"x|y,z', result
    home.file("p.jsonl", '{"a": 1.50, "b": true, "c": null, "d": [1, 2], "e": "t x"}\n{"e":"2","d":{},"c":"","b":1e5,"a":-0}\n')
    result = home.kq("sub", "-n", "l", "-p", "p.jsonl", "--fetch", "l", "printf", "%s|", "{a}", "{b}", "{c}", "{d}", "{e}")
    assert result.code == 0, result
    assert home.read("l/1/stdout.txt") == "1.50|true||[1,2]|t x|", home.read("l/1/stdout.txt")
    assert home.read("l/2/stdout.txt") == "-0|1e5||{}|2|", home.read("l/2/stdout.txt")
    result = home.kq("sub", "-n", "s", "-p", "-", "--fetch", "s", "echo", "{a}", stdin="a\nhello\n")
    assert result.code == 0 and home.read("s/1/stdout.txt") == "hello\n", result


@test("JSONL: a missing key, no object, a broken line are refused with the line")
def _(home):
    for i, text in enumerate(('{"a":1}\n{"b":1}\n', "[1]\n", '{"a":\n')):
        home.file(f"{i}.jsonl", text)
        refused(home, "-p", f"{i}.jsonl", "echo", "x", says=("line",))


@test("--seq counts up, down and by step")
def _(home):
    for spec, want in (("3", "1 2 3"), ("2..4", "2 3 4"), ("10..1..4", "10 6 2"), ("-1..1", "-1 0 1")):
        result = home.kq("sub", "-q", "--no-nodes", "--no-wait", f"--seq={spec}", "echo", "{index}")
        assert result.code == 0, result
        listed = home.kq("listparams", result.out.strip(), "-")
        assert listed.out.split() == ["index", *want.split()], (spec, listed)


@test("--commands, --lines and --each")
def _(home):
    home.file("cmds.txt", "echo one; echo two\n\necho $((1+2))\n")
    result = home.kq("sub", "-n", "c", "--commands", "cmds.txt", "--fetch", "c")
    assert result.code == 0, result
    assert home.read("c/1/stdout.txt") == "one\ntwo\n" and home.read("c/2/stdout.txt") == "3\n", result
    home.file("lines.txt", "a b\nc\n")
    result = home.kq("sub", "-n", "l", "--lines", "lines.txt", "--fetch", "l", "echo", "<{line}>")
    assert result.code == 0 and home.read("l/1/stdout.txt") == "<a b>\n", result
    result = home.kq("sub", "-n", "e", "--fetch", "e", "--each", "x", "y z", "--", "echo", "[{item}]")
    assert result.code == 0 and home.read("e/2/stdout.txt") == "[y z]\n", result


@test("--rows takes only these rows")
def _(home):
    home.file("p.csv", "a\n" + "".join(f"v{i}\n" for i in range(1, 21)))
    result = home.kq("sub", "-q", "--no-nodes", "--no-wait", "-p", "p.csv", "--rows", "3-5,12", "echo", "{a}")
    assert result.code == 0, result
    assert home.kq("listparams", result.out.strip(), "-").out.split() == ["a", "v3", "v4", "v5", "v12"]


@test("braces follow the grammar of the fine print")
def _(home):
    home.file("p.csv", "a\nV{a}\n")
    cases = (("{a}", "V{a}"), ("{{a}}", "{a}"), ("{{{a}}}", "{V{a}}"), ("${a}", "${a}"), ("{print $1}", "{print $1}"),
             ("{}", "{}"), ("{ a }", "{ a }"), ("x{a}y", "xV{a}y"), ("{1}", "{1}"))
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "--fetch", "o", "printf", "%s\n", *[case[0] for case in cases])
    assert result.code == 0, result
    assert home.read("o/1/stdout.txt") == "".join(case[1] + "\n" for case in cases), home.read("o/1/stdout.txt")


@test("without parameters every brace is literal, and a likely mistake is pointed out")
def _(home):
    result = home.kq("sub", "-n", "j", "--fetch", "o", "printf", "%s %s", "{{x}}", "{name}")
    assert result.code == 0 and home.read("o/1/stdout.txt") == "{{x}} {name}", result
    assert "{name}" in result.err and "--params" in result.err, result


@test("values in a shell line are quoted for the place where they stand")
def _(home):
    rng = random.Random(7)
    alphabet = " '\"\\$`;&|<>(){}[]*?~#!%\n\tabcß=-"
    values = ["", "a b", "it's", '"', "\\", "$HOME", "`id`", "*", "-n", "a\nb"] + [
        "".join(rng.choice(alphabet) for _ in range(rng.randrange(12))) for _ in range(40)]
    values = [value for value in values if value.strip("\n") == value or True]
    home.file("p.jsonl", "".join(json.dumps({"v": value}) + "\n" for value in values))
    line = "printf '%s|' {v} '{v}' \"{v}\" pre{v}post"
    result = home.kq("sub", "-n", "j", "-p", "p.jsonl", "--fetch", "o", line)
    assert result.code == 0, result
    for n, value in enumerate(values, 1):
        want = f"{value}|{value}|{value}|pre{value}post|"
        assert home.read(f"o/{n}/stdout.txt") == want, (value, home.read(f"o/{n}/stdout.txt"))


@test("a placeholder where quoting cannot be right is refused, naming the variable")
def _(home):
    home.file("p.csv", "v\n1\n")
    for line in ("echo `echo {v}`", "echo $(( {v} + 1 ))", "cat <<X\n{v}\nX", "echo a # {v}", "echo $'{v}'", 'echo "$(echo {v})"'):
        refused(home, "-p", "p.csv", line, says=("KQ_PARAM_v",))


@test("a ^ that comes from data is text")
def _(home):
    home.file("p.csv", "v\n^nosuch\n")
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "--fetch", "o", "echo", "{v}")
    assert result.code == 0 and home.read("o/1/stdout.txt") == "^nosuch\n", result


@test("cells, lines and job-file commands of 10 MB are refused, naming what to do")
def _(home):
    huge = "x" * 10_000_000
    home.file("p.csv", f"v\n{huge}\n")
    refused(home, "-p", "p.csv", "echo", "{v}", says=("131071", "input"))
    home.file("cmds.txt", f"echo {huge}\n")
    refused(home, "--commands", "cmds.txt", says=("131",))
    home.file("job.json", json.dumps({"tasks": [{"command": "echo " + huge}]}))
    refused(home, "-f", "job.json", says=("131",))


@test("listparams gives back what was submitted, byte for byte")
def _(home):
    home.file("p.csv", 'b,a\n1,"x, ""y"""\n"new\nline",\n')
    home.kq("sub", "-n", "j", "--no-nodes", "--no-wait", "-p", "p.csv", "echo", "{a}")
    first = home.kq("listparams", "j", "out.csv")
    assert first.code == 0, first
    home.kq("sub", "-n", "k", "--no-nodes", "--no-wait", "-p", "out.csv", "echo", "{a}")
    assert home.kq("listparams", "k", "-").out == home.read("out.csv"), home.read("out.csv")
    assert home.read("out.csv") == 'b,a\n1,"x, ""y"""\n"new\nline",\n', home.read("out.csv")


@test("listparams -i lists what did not succeed; a job without parameters has none")
def _(home):
    home.file("p.csv", "code\n0\n3\n0\n")
    home.kq("sub", "-n", "j", "-p", "p.csv", "exit {code}")
    assert home.kq("listparams", "j", "-", "-i").out == "code\n3\n"
    home.kq("sub", "-n", "ok", "-p", "p.csv", "true")
    result = home.kq("listparams", "-i", "ok", "-")
    assert result.code == 0 and result.out == "code\n" and "No tasks found" in result.err, result
    home.kq("sub", "-n", "none", "true")
    result = home.kq("listparams", "none", "-")
    assert result.code == 2 and "job none has no parameters" in result.err, result


@test("job files: strict, with JSON paths; dumpjob --spec gives one back")
def _(home):
    for i, (spec, path) in enumerate((({"tasks": [{"command": "a"}, {}]}, "tasks[1]"), ({"tasks": [{"command": "a", "nope": 1}]}, "tasks[0]"),
                                      ({"tasks": [{"command": "a", "downloads": [{"src": "x", "dst": "../y"}]}]}, "tasks[0].downloads[0].dst"),
                                      ({"tasks": [{"command": 3}]}, "tasks[0].command"), ({"taks": []}, "taks"))):
        home.file(f"{i}.json", json.dumps(spec))
        refused(home, "-f", f"{i}.json", says=(path,))
    home.file("in.txt", "data\n")
    home.file("job.json", json.dumps({
        "common": {"downloads": [{"src": "in.txt", "dst": "d/in.txt"}], "retries": 1}, "env": {"E": "1"},
        "tasks": [{"command": "cat d/in.txt; echo {x} ^y $E", "parameters": {"p": "1"}},
                  {"command": ["echo", "a b", "{p}"], "parameters": {"q": "2"}, "env": {"E": "2"}}]}))
    result = home.kq("sub", "-n", "j", "-f", "job.json", "--fetch", "o")
    assert result.code == 0, result
    assert home.read("o/1/stdout.txt") == "data\n{x} ^y 1\n", home.read("o/1/stdout.txt")
    assert home.read("o/2/stdout.txt") == "a b {p}\n"
    spec = home.kq("dumpjob", "--spec", "j")
    assert spec.code == 0, spec
    home.file("again.json", spec.out)
    result = home.kq("sub", "-n", "k", "-f", "again.json", "--fetch", "o2")
    assert result.code == 0 and home.read("o2/1/stdout.txt") == home.read("o/1/stdout.txt"), result


main()
