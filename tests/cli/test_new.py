"""Lists of scripts, copies of stock ones, and what `kubeque new` writes."""
import json
import os
import subprocess

from kq import main, test
from kqscripts import GREET, line_of, says, script


# ---- scripts, eject, new ----

@test("scripts lists kind, name, place, path and what is overridden; why one is not used")
def _(home):
    script(home, "commands/greet.lua", GREET)
    bad = script(home, "policies/memory.lua", "return {{")
    script(home, "commands/theirs.lua", says("theirs", "x"), "project")
    rows = json.loads(home.kq("scripts", "--json").out)
    by_name = {(r["kind"], r["name"]): r for r in rows}
    assert by_name["command", "status"]["place"] == "builtin" and by_name["policy", "default"]["place"] == "builtin"
    assert by_name["command", "greet"]["place"] == "user" and by_name["command", "greet"]["note"] == ""
    memory = by_name["policy", "memory"]
    assert memory["path"] == bad and [o["place"] for o in memory["overrides"]] == ["builtin"], memory
    assert memory["note"].startswith(f"{bad}:1: unexpected symbol"), memory
    theirs = by_name["command", "theirs"]
    assert theirs["place"] == "project" and "is not trusted (look at its scripts, then: kubeque trust)" in theirs["note"], theirs
    own = home.kq("scripts", "--own", "--kind", "command", "--format", "csv").out.splitlines()
    assert len(own) == 3 and own[0] == "kind,name,place,overrides,path,note", own
    assert "memory" not in home.kq("scripts", "--kind", "command").out


@test("scripts eject copies a stock script to edit, and does not overwrite")
def _(home):
    result = home.kq("scripts", "eject", "status")
    path = os.path.join(home.top, ".config/kubeque/lua/commands/status.lua")
    assert result.code == 0 and result.out == path + "\n", result
    text = open(path, encoding="utf-8").read()
    assert "replaces = true" in text and 'require "builtin.commands.status"' in text
    assert home.kq("status").code == 0 and home.kq("status").lines == ["no jobs"]
    result = home.kq("scripts", "eject", "status")
    assert result.code == 2 and line_of(result).startswith(f"kubeque scripts: {path} is there already"), result
    assert open(path, encoding="utf-8").read() == text
    result = home.kq("scripts", "eject", "failfast", "--to", "project")
    assert result.code == 0 and result.out.endswith(".kubeque.d/lua/policies/failfast.lua\n"), result
    for words, message in ((["eject", "stauts"], 'there is no stock script "stauts" (did you mean status?)'),
                           (["eject", "status", "--kind", "policy"], 'there is no stock policy "status"'),
                           (["eject", "command"], None), (["eject"], "eject takes one name"),
                           (["ejct", "x"], 'scripts does not know "ejct" (did you mean eject?)')):
        result = home.kq("scripts", *words)
        if message:
            assert result.code == 2 and message in line_of(result), result


@test("every stock command can be ejected and is then in effect, unchanged")
def _(home):
    names = [c["name"] for c in json.loads(home.kq("help", "--json").out)["commands"]]
    for name in names:
        assert home.kq("scripts", "eject", name, "--kind", "command").code == 0, name
    rows = json.loads(home.kq("scripts", "--own", "--json").out)
    assert len(rows) == len(names) and all(r["note"] == "" for r in rows), [r for r in rows if r["note"]]
    assert home.kq("config", "--help").code == 0 and home.kq("version", "--json").code == 0
    assert home.kq("sub", "-q", "--no-nodes", "--no-wait", "-n", "j", "true").code == 0
    assert home.kq("list", "-q").out == "j\n"


@test("scripts check says what is wrong in a file without running it")
def _(home):
    path = home.file("commands/x.lua", GREET.replace("kubeque.out", "kubeque.uot").replace('"greet"', '"x"'))
    result = home.kq("scripts", "check", path)
    assert result.code == 7 and "kubeque.uot" in result.out + result.err, result
    good = home.file("commands/greet.lua", GREET)
    assert home.kq("scripts", "check", good).code == 0


@test("new writes a start of each kind that checks clean, with files for editors; it overwrites nothing")
def _(home):
    place = os.path.join(home.top, ".config/kubeque/lua")
    for kind, folder in (("command", "commands"), ("policy", "policies"), ("recipe", "recipes"), ("provider", "providers")):
        result = home.kq("new", kind, "my-own")
        path = os.path.join(place, folder, "my-own.lua")
        assert result.code == 0 and result.out == path + "\n", result
        assert "NAME" not in open(path, encoding="utf-8").read().replace("NAME =", "")
        assert home.kq("scripts", "check", path).code == 0, home.kq("scripts", "check", path)
        result = home.kq("new", kind, "my-own")
        assert result.code == 2 and "is there already" in line_of(result), result
    assert json.load(open(os.path.join(place, ".luarc.json"), encoding="utf-8"))["runtime.version"] == "Lua 5.4"
    assert "kubeque" in open(os.path.join(place, ".luacheckrc"), encoding="utf-8").read()
    assert open(os.path.join(place, ".api/kubeque.lua"), encoding="utf-8").read().startswith("---@meta")
    done = subprocess.run(["luacheck", "-q", "."], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@test("new: unknown kinds, bad names and names of stock scripts are refused")
def _(home):
    for words, message in ((["comand", "x"], 'there is no kind of script "comand" (did you mean command?)'),
                           (["command", "a/b"], '"a/b" is no name for a command'),
                           (["command", "Big"], '"Big" is no name for a command'),
                           (["command", "status"], "status is a command of kubeque"),
                           (["policy", "memory"], "memory is a policy of kubeque"), (["command"], "NAME is missing")):
        result = home.kq("new", *words)
        assert result.code == 2 and message in line_of(result), result


@test("the command that new writes works")
def _(home):
    assert home.kq("new", "command", "failures").code == 0
    result = home.kq("failures")
    assert result.code == 3 and line_of(result) == "kubeque failures: there are no jobs yet", result
    assert home.kq("sub", "-q", "-n", "good", "true").code == 0
    assert home.kq("failures").lines == ["all is well"]
    assert home.kq("sub", "-q", "-n", "bad", "--seq", "3", "test {index} = 1").code == 1
    assert home.kq("failures").out == "bad: 2 of 3 tasks did not succeed\n"
    assert home.kq("failures", "g*").out == "" and home.kq("failures", "-n", "0").code == 2


@test("the recipe that new writes runs, and goes on where it was")
def _(home):
    assert home.kq("new", "recipe", "mine").code == 0
    result = home.kq("run", "mine")
    assert result.code == 0 and result.out == "sum of the squares: 30; the largest is that of 4\nthe largest is 16\n", result
    again = home.kq("run", "mine")
    assert again.out == result.out and not again.has("Submitting"), again
    assert home.kq("run", "mine", "--set", "n=3").out == "sum of the squares: 14; the largest is that of 3\n"
    result = home.kq("run", "mine", "--set", "n=x")
    assert result.code == 7 and "recipes/mine.lua:10: --set n=N takes a whole number" in result.lines[0], result


@test("the policy that new writes tries again")
def _(home):
    assert home.kq("new", "policy", "mine").code == 0
    mark = os.path.join(home.top, "mark")
    result = home.kq("sub", "-q", "-n", "j", "--policy", "mine:after=0.05,times=2",
                     f"test $(echo x >> {mark}; wc -l < {mark}) = 2 || exit 75")
    assert result.code == 0 and open(mark, encoding="utf-8").read() == "x\nx\n", result
    assert "there was no licence" in home.kq("explain", "j.1").out + home.kq("dumpjob", "j").out
    result = home.kq("sub", "-q", "-n", "k", "--policy", "mine:after=0.05,times=1", "exit 75")
    assert result.code == 1 and "no licence after 1 further attempts" in home.kq("dumpjob", "k").out, home.kq("dumpjob", "k")


@test("the provider that new writes starts, lists and ends nodes")
def _(home):
    assert home.kq("new", "provider", "mine").code == 0
    env = {"KUBEQUE_PROVIDER": "mine"}
    assert home.kq("sub", "-q", "-n", "j", "true", env=env).code == 0
    nodes = json.loads(home.kq("nodes", "--json", env=env).out)
    assert nodes and nodes[0]["state"] in ("RUNNING", "DRAINING"), nodes
    node = nodes[0]["node"]
    assert home.kq("nodes", "--stop", node, env=env).code == 0


main()
