"""Job files, dumpjob --spec, listparams: what goes in comes out again."""
import csv
import io
import json
import os

from kq import main, test


def outputs(home, folder):
    return {n: sorted(set(os.listdir(os.path.join(home.cwd, folder, n))) - {"stdout.txt", "result.json"})
            for n in os.listdir(os.path.join(home.cwd, folder)) if n.isdigit()}


@test("uploads of a task override the common ones; patterns are checked with their JSON path")
def _(home):
    touch = "touch a.txt b.txt c.log"
    home.file("job.json", json.dumps({
        "common": {"uploads": {"include_patterns": ["*.txt"], "exclude_patterns": ["b*"]}},
        "tasks": [{"command": touch}, {"command": touch, "uploads": {"include_patterns": ["**"]}},
                  {"command": touch, "uploads": {"exclude_patterns": ["a.txt"]}}]}))
    assert home.kq("sub", "-n", "j", "-f", "job.json", "--fetch", "o").code == 0
    want = {"1": ["a.txt"], "2": ["a.txt", "c.log"], "3": ["b.txt"]}
    assert outputs(home, "o") == want, outputs(home, "o")
    home.file("again.json", home.kq("dumpjob", "--spec", "j").out)
    assert home.kq("sub", "-n", "k", "-f", "again.json", "--fetch", "p").code == 0
    assert outputs(home, "p") == want, outputs(home, "p")
    home.file("bad.json", json.dumps({"tasks": [{"command": "a", "uploads": {"include_patterns": ["a", "/x"]}}]}))
    result = home.kq("sub", "--no-wait", "-f", "bad.json")
    assert result.code == 2 and "tasks[0].uploads.include_patterns[1]" in result.err, result


@test("dumpjob --spec of a command line's job gives the same tasks, and itself again")
def _(home):
    home.file("i1", "in1\n")
    home.file("i2", "in2\n", mode=0o755)
    home.file("p.csv", 'z,f,a\n1,i1,"x ""y"""\n2,i2,\n')
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "-u", "{f}", "-u", "p.csv:lib/", "--cd", "w{z}", "--env", "Q=<{z}>", "-r", "cpu=0.5,memory=100M",
                     "--timeout", "1m30s", "--retries", "1", "--exclude", "*.tmp", "--fetch", "o",
                     "printf '%s|' {z} {f} {a} \"$Q\" \"$KQ_PARAM_a\"; cat ../{f}; test -x ../{f} && echo x; touch a.tmp ../b.tmp")
    assert result.code == 0, result
    spec = home.kq("dumpjob", "--spec", "j")
    home.file("again.json", spec.out)
    os.unlink(os.path.join(home.cwd, "i1"))
    result = home.kq("sub", "-n", "k", "-f", "again.json", "--fetch", "p")
    assert result.code == 0, result
    for n in "12":
        assert home.read(f"o/{n}/stdout.txt") == home.read(f"p/{n}/stdout.txt"), home.read(f"p/{n}/stdout.txt")
    assert outputs(home, "o") == outputs(home, "p") == {"1": ["w1"], "2": ["w2"]}, outputs(home, "p")
    assert home.kq("dumpjob", "--spec", "k").out == spec.out
    assert home.kq("listparams", "k", "-").out == home.read("p.csv")


@test("listparams: values above 32 KiB, odd columns, -i, a FILE that cannot be")
def _(home):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["v", "x y", "é", "code"])
    writer.writerows([["y" * 32768, "1 2", "ü", "0"], ["y" * 32769, '"q"\nz', "", "1"], ["y" * 100000, " ", "^a,", "2"]])
    home.file("p.csv", text.getvalue())
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "--fetch", "o",
                     "echo ${#KQ_PARAM_v} ${KQ_PARAM_v+set}; python3 -c 'import json,os; d=json.load(open(os.environ[\"KQ_PARAMS\"])); print(len(d[\"v\"]), *sorted(d), sep=\"|\")'; "
                     "test ! -e \"$KQ_WORK/${KQ_PARAMS##*/}\" && exit {code}")
    assert result.code == 1, result
    assert home.read("o/1/stdout.txt") == "32768 set\n32768|code|v|x y|é\n", home.read("o/1/stdout.txt")
    assert home.read("o/2/stdout.txt") == "0\n32769|code|v|x y|é\n" and home.read("o/3/stdout.txt").startswith("0\n100000|")
    home.file("out.csv", "old")
    assert home.kq("listparams", "j", "out.csv").code == 0 and home.read("out.csv") == text.getvalue()
    assert home.kq("listparams", "j", "/dev/stdout").out == text.getvalue()
    assert home.kq("listparams", "j.1", "-").out.count("\n") == 2
    failed = home.kq("listparams", "-i", "j", "-").out
    assert [row[3] for row in csv.reader(io.StringIO(failed))] == ["code", "1", "2"], failed[-200:]
    os.mkdir(os.path.join(home.cwd, "d"))
    for name in ("d", "no/such"):
        result = home.kq("listparams", "j", name)
        assert result.code == 2 and name in result.err and "kubeque-" not in result.err, result
    assert home.kq("listparams", "j.4", "-").code == 3


main()
