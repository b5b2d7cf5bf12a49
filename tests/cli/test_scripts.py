"""Scripts of one's own: where they come from, commands, what a broken one does, new, eject, completion."""
import json
import os
import subprocess

from kq import BINARY, main, test

GREET = """
return kubeque.command {
  name = "greet",
  summary = "greet somebody",
  options = {
    { "loud", "l", help = "shout" },
    { "times", "n", value = "N", type = "int", min = 1, help = "so often" },
    { "mood", value = "MOOD", type = "choice", choices = { "good", "bad" }, help = "how" },
  },
  args = { { "NAME" }, { "FILE", optional = true } },
  run = function(opt, args, ctx)
    kubeque.out(("%s %s\\n"):format(opt.loud and "HELLO" or "hello", args[1]):rep(opt.times or 1))
    return opt.mood == "bad" and 3 or 0
  end,
}
"""


def script(home, path, text, place="user"):
    """Writes a script into a place; returns its path."""
    base = {"user": os.path.join(home.top, ".config/kubeque/lua"), "site": os.path.join(home.top, "etc/lua"),
            "project": os.path.join(home.cwd, ".kubeque.d/lua")}[place]
    path = os.path.join(base, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    home.env["KUBEQUE_ETC"] = os.path.join(home.top, "etc")
    return path


def says(name, text, extra=""):
    return f'return kubeque.command {{ name = "{name}", summary = "says {text}", {extra}\n' \
           f'  run = function() kubeque.out("{text}\\n") end }}\n'


def line_of(result, number=0):
    assert "traceback" not in result.err, result
    return result.lines[number]


# ---- commands ----

@test("a file in a commands folder is a subcommand: options, arguments, usage errors, exit status")
def _(home):
    script(home, "commands/greet.lua", GREET)
    assert home.kq("greet", "you").out == "hello you\n"
    assert home.kq("greet", "-l", "-n", "2", "you").out == "HELLO you\nHELLO you\n"
    assert home.kq("greet", "you", "--mood=bad").code == 3
    for words, message in ((["greet"], "kubeque greet: NAME is missing; usage: kubeque greet [options] NAME [FILE]"),
                           (["greet", "--luod", "x"], "kubeque greet: unknown option --luod (did you mean --loud?)"),
                           (["greet", "-n", "0", "x"], 'kubeque greet: option -n: "0" is too small (at least 1)'),
                           (["greet", "--mood", "so", "x"], 'kubeque greet: option --mood: "so" is none of good, bad')):
        result = home.kq(*words)
        assert result.code == 2 and line_of(result) == message, result


@test("help lists it with its place, and shows it; help --json has it")
def _(home):
    script(home, "commands/greet.lua", GREET)
    script(home, "commands/site-wide.lua", says("site-wide", "x"), "site")
    out = home.kq("help").out
    assert "Not built in:" in out and "greet somebody (yours)" in out and "says x (of this site)" in out, out
    for words in (("help", "greet"), ("greet", "--help")):
        result = home.kq(*words)
        assert result.code == 0 and "usage: kubeque greet [options] NAME [FILE]" in result.out, result
        assert "-n, --times N           so often" in result.out, result
    commands = {c["name"]: c for c in json.loads(home.kq("help", "--json").out)["commands"]}
    assert commands["greet"]["place"] == "user" and commands["status"]["place"] == "builtin"


@test("a plain returned table is a command as well")
def _(home):
    script(home, "commands/plain.lua", 'return { name = "plain", summary = "p", run = function() return 4 end }')
    assert home.kq("plain").code == 4


@test("a command of one's own wins over the names that people bring from elsewhere")
def _(home):
    assert "logs" in home.kq("cat", "x").err
    script(home, "commands/cat.lua", says("cat", "meow"))
    result = home.kq("cat")
    assert result.out == "meow\n" and result.err == "", result


@test("the nearest name of an unknown command may be one's own")
def _(home):
    script(home, "commands/greet.lua", GREET)
    result = home.kq("gret")
    assert result.code == 2 and line_of(result) == 'kubeque: unknown command "gret" (did you mean greet?)', result


@test("an error in run is exit 7 with file and line; `nil, why, code` is that code's")
def _(home):
    path = script(home, "commands/x.lua", 'return kubeque.command { name = "x", summary = "x",\n  run = function()\n'
                                          '    local t = nil\n    return t.field\n  end }')
    result = home.kq("x")
    assert result.code == 7 and line_of(result).startswith(f"kubeque x: {path}:4: attempt to index"), result
    script(home, "commands/x.lua", 'return kubeque.command { name = "x", summary = "x",\n'
                                   '  run = function() return nil, "no such thing", "not_found" end }')
    result = home.kq("x")
    assert result.code == 3 and line_of(result) == "kubeque x: no such thing", result


@test("a name that kubeque does not have raises where it is used, with the nearest")
def _(home):
    path = script(home, "commands/x.lua", 'return kubeque.command { name = "x", summary = "x",\n'
                                          '  run = function()\n    return kubeque.fs.raed("/dev/null") end }')
    result = home.kq("x")
    assert result.code == 7, result
    assert line_of(result) == f"kubeque x: {path}:3: there is no kubeque.fs.raed (did you mean kubeque.fs.read?)", result


# ---- declarations that are wrong: exit 7 with file and line, before anything is done ----

WRONG = (
    ('sumary = "x"', 3, "kubeque.command: unknown key 'sumary' (did you mean 'summary'?)"),
    ("summary = 5", 3, "kubeque.command: 'summary' is a string, not a number"),
    ("options = { { } }", 3, "kubeque.command: bad: option 1: it has no name"),
    ('options = { { "a b" } }', 3, 'kubeque.command: bad: option 1: "a b" is no name of an option (letters, digits and -)'),
    ('options = { { "abc", hlep = "x" } }', 3, "kubeque.command: option --abc: unknown key 'hlep' (did you mean 'help'?)"),
    ('options = { { "abc", value = "N", type = "itn" } }', 3,
     "kubeque.command: option --abc: unknown type 'itn' (did you mean 'int'?)"),
    ('options = { { "abc", type = "int" } }', 3, 'kubeque.command: option --abc: a type needs a value (value = "INT")'),
    ('options = { { "abc", value = "X", type = "choice" } }', 3,
     'kubeque.command: option --abc: type = "choice" and choices = {...} go together'),
    ('options = { { "abc" }, { "abc" } }', 3, "kubeque.command: bad: option 2: the name abc is used twice"),
    ('args = { { "A", optional = true }, { "B" } }', 3,
     "kubeque.command: bad: argument 2: B must come before A, which may be left out or repeated"),
    ('args = { "A" }', 3, "kubeque.command: bad: argument 1: a table expected, got string"),
    ("words = true, args = {}", 3, "kubeque.command: args and words exclude each other"),
    ('name = "other"', 2, 'name = "other" must be that of the file, "bad"'),
)


@test("wrong keys, types, options and arguments of a declaration: file, line, nearest name, exit 7")
def _(home):
    for line, number, message in WRONG:
        fields = ['name = "bad"', 'summary = "s"', "run = function() kubeque.out 'ran' end"]
        fields = [f for f in fields if f.split()[0] != line.split()[0]]
        head = line if number == 2 else fields[0]
        body = "return kubeque.command {\n  %s,\n  %s, %s }\n" % (
            head, "summary = 's'" if number == 2 else line, ", ".join(fields[-2:] if number == 3 else fields[-1:]))
        path = script(home, "commands/bad.lua", body)
        result = home.kq("bad")
        assert result.code == 7 and result.out == "", (body, result)
        assert line_of(result) == f"kubeque: {path}:{number}: {message}", (body, result)


@test("syntax error, error in the body, wrong return type, missing parts: file and line, exit 7")
def _(home):
    for text, message in (("return kubeque.command {\n  name = = }", ":2: unexpected symbol near '='"),
                          ("\n\nerror 'broken'", ":3: broken"),
                          ("local x = nil\nreturn x.y", ":2: attempt to index a nil value (local 'x')"),
                          ("return 5", ": it returns a number: it has to end with `return kubeque.command{...}`"),
                          ("", ": it returns a nil: it has to end with `return kubeque.command{...}`"),
                          ('return kubeque.command { name = "bad", run = print }', ":1: kubeque.command: 'summary' is missing"),
                          ('\nreturn kubeque.command { name = "bad", summary = "s" }', ":2: kubeque.command: 'run' is missing")):
        path = script(home, "commands/bad.lua", text)
        result = home.kq("bad")
        assert result.code == 7 and line_of(result) == f"kubeque: {path}{message}", (text, result)


@test("a body that does not end is stopped after half a second, pcall or not")
def _(home):
    for text in ("while true do end", "while true do pcall(function() while true do end end) end",
                 "local function f() pcall(f) return f() end f()"):
        path = script(home, "commands/slow.lua", text)
        result = home.kq("slow", timeout=20)
        assert result.code == 7, (text, result)
        assert line_of(result) == (f"kubeque: {path}:1: it took longer than 0.5 s to load: do the work in its functions, "
                                   "not in the body of the file"), (text, result)


# ---- stock commands stay ----

@test("a stock command may not be shadowed without replaces = true; it goes on working")
def _(home):
    path = script(home, "commands/version.lua", says("version", "mine"))
    result = home.kq("version", "-q")
    assert result.code == 0 and result.out.startswith("kubeque "), result
    assert line_of(result) == f"{path}:1: version is a command of kubeque: a script that is to stand for it says " \
                              "replaces = true", result


@test("with replaces = true it stands for the stock one, which it can hand over to")
def _(home):
    script(home, "commands/version.lua", """
local stock = require "builtin.commands.version"
return kubeque.command { name = "version", summary = "mine", replaces = true, options = stock.options,
  run = function(opt, args, ctx)
    kubeque.out "before\\n"
    return stock.run(opt, args, ctx)
  end }""")
    result = home.kq("version", "-q")
    assert result.code == 0 and result.out.startswith("before\nkubeque ") and result.err == "", result
    assert "version  " in home.kq("help").out and "mine (yours, instead of kubeque's)" in home.kq("help").out


@test("what kubeque calls itself cannot be replaced")
def _(home):
    script(home, "commands/complete.lua", says("complete", "mine", "replaces = true,"))
    assert home.kq("complete", "--", "versio").out.split()[0] == "version"


@test("a broken script never breaks stock commands: a warning where it is asked for, nothing elsewhere")
def _(home):
    path = script(home, "commands/status.lua", "return {{")
    result = home.kq("status")
    assert result.code == 0 and line_of(result).startswith(f"{path}:1: unexpected symbol"), result
    for words in (("list",), ("version",), ("config",)):
        result = home.kq(*words)
        assert result.code == 0 and path not in result.err, result
    result = home.kq("help")
    assert result.code == 0 and "cannot be used:" in result.out, result


# ---- places ----

@test("project before user before site before built-in")
def _(home):
    for place in ("site", "user", "project"):
        script(home, "commands/where.lua", says("where", place), place)
        if place == "project":
            assert home.kq("where").out == "user\n", "not before it is trusted"
            assert home.kq("trust", "-q").code == 0
        assert home.kq("where").out == f"{place}\n", place
    row = [r for r in json.loads(home.kq("scripts", "--json").out) if r["name"] == "where"][0]
    assert row["place"] == "project" and row["path"].endswith(".kubeque.d/lua/commands/where.lua"), row
    assert [o["place"] for o in row["overrides"]] == ["user", "site"], row


@test("XDG_CONFIG_HOME moves the user's place")
def _(home):
    script(home, "commands/greet.lua", GREET)
    moved = os.path.join(home.top, "moved")
    os.rename(os.path.join(home.top, ".config"), moved)
    assert home.kq("greet", "x").code == 2
    assert home.kq("greet", "x", env={"XDG_CONFIG_HOME": moved}).code == 0


@test("a place that others can write is not used, and says so when it matters")
def _(home):
    path = script(home, "commands/greet.lua", GREET)
    place = os.path.dirname(os.path.dirname(path))
    os.chmod(place, 0o777)
    result = home.kq("greet", "x")
    assert result.code == 7 and line_of(result) == (f"kubeque: command greet of yours is not used: {place}: others can "
                                                    "write it"), result
    assert home.kq("version").err == ""


# ---- require ----

@test("require searches the script's folder, the places, then what is built in")
def _(home):
    script(home, "commands/x.lua", 'local h, d = require "helper", require "deep.er"\n'
                                   + says("x", "").replace('"\\n"', 'h .. " " .. d .. "\\n"'))
    script(home, "helper.lua", 'return "user"')
    script(home, "deep/er.lua", 'return "deep"', "site")
    assert home.kq("x").out == "user deep\n"
    script(home, "commands/helper.lua", 'return "beside"')
    assert home.kq("x").out == "beside deep\n"


@test("require in a file that is run by name: its folder first")
def _(home):
    home.file("dir/main.lua", 'print(require "helper", require "builtin.policies.default" ~= nil, require "kubeque.fs" == kubeque.fs)')
    home.file("dir/helper.lua", 'return "beside"')
    script(home, "helper.lua", 'return "user"')
    assert home.kq("lua", "dir/main.lua").out == "beside\ttrue\ttrue\n"
    os.unlink(os.path.join(home.cwd, "dir/helper.lua"))
    assert home.kq("lua", "dir/main.lua").out == "user\ttrue\ttrue\n"


@test("a module of the user's cannot take the place of kubeque's own")
def _(home):
    script(home, "kubeque/options.lua", "error 'taken'")
    script(home, "builtin/kubeque/fault.lua", "error 'taken'")
    script(home, "commands/version.lua", "error 'taken'")
    script(home, "commands/x.lua", 'require "kubeque.options" require "builtin.kubeque.fault"\n' + says("x", "fine"))
    assert home.kq("x").out == "fine\n"


@test("a cycle in require is named with file and line, exit 7")
def _(home):
    script(home, "commands/x.lua", 'require "a"\n' + says("x", "x"))
    script(home, "a.lua", 'return require "b"')
    path = script(home, "b.lua", 'local x = 1\nreturn require "a"')
    result = home.kq("x")
    assert result.code == 7 and line_of(result) == f"kubeque: {path}:2: cycle in require: a -> b -> a", result
    home.file("main.lua", 'require "a"')
    result = home.kq("lua", "main.lua")
    assert result.code == 7 and f"{path}:2: cycle in require: a -> b -> a" in result.err, result


@test("a module that is not there: the line that asks, the nearest name, where was looked")
def _(home):
    path = script(home, "commands/x.lua", '\nrequire "helpr"\n' + says("x", "x"))
    script(home, "helper.lua", "return 1")
    result = home.kq("x")
    user = os.path.join(home.top, ".config/kubeque/lua")
    assert result.code == 7 and line_of(result) == (
        f"kubeque: {path}:2: there is no module 'helpr' (did you mean 'helper'?); searched: the folder of the script, "
        f"{user}, kubeque's own"), result
    script(home, "helper.lua", "return {{")
    script(home, "commands/x.lua", '\nrequire "helper"\n' + says("x", "x"))
    result = home.kq("x")
    assert result.code == 7 and line_of(result).startswith(f"kubeque: {user}/helper.lua:1: unexpected symbol"), result


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
    luacheck = subprocess.run(["luacheck", "--version"], capture_output=True, check=False)
    if luacheck.returncode == 0:
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


# ---- completion ----

def complete(home, *words, **options):
    result = home.kq("complete", "--", *words, **options)
    assert result.code == 0 and result.err == "", result
    return [line.split("\t")[0] for line in result.out.splitlines()]


@test("completion: commands, options, choices, job ids, files, one's own commands")
def _(home):
    script(home, "commands/greet.lua", GREET)
    assert "status" in complete(home, "") and "greet" in complete(home, "")
    assert complete(home, "gr") == ["greet"] and "complete" not in complete(home, "")
    assert complete(home, "greet", "--l") == ["--loud"]
    assert complete(home, "greet", "--mood", "") == ["good", "bad"] and complete(home, "greet", "--mood=g") == ["--mood=good"]
    assert complete(home, "greet", "x", "") == [":files"] and complete(home, "greet", "x", "y", "") == []
    assert complete(home, "status", "") == [], "no store: nothing, and none is made"
    assert not os.path.exists(home.path)
    assert home.kq("sub", "-q", "--no-nodes", "--no-wait", "-n", "my-job", "true").code == 0
    assert complete(home, "status", "") == ["LAST", "my-job"] and complete(home, "--plain", "logs", "my") == ["my-job"]
    assert complete(home, "sub", "--params", "") == [":files"] and complete(home, "fetch", "--dest", "") == [":dirs"]
    assert complete(home, "sub", "-n", "x", "echo", "-") == [":files"], "the command's own words"
    assert complete(home, "completion", "") == ["bash", "zsh", "fish"] and complete(home, "help", "expl") == ["explain"]
    assert complete(home, "--config", "") == [":files"] and complete(home, "scripts", "eject", "statu") == ["status"]
    assert complete(home, "nosuch", "") == [] and complete(home) != []
    script(home, "recipes/mine.lua", "")
    assert complete(home, "run", "m") == ["mine"] and complete(home, "run", "./") == [":files"]
    assert "memory" in complete(home, "sub", "--policy", "m")


@test("completion says nothing on stderr whatever is wrong")
def _(home):
    script(home, "commands/status.lua", "return {{")
    script(home, "commands/greet.lua", "while true do end")
    assert "--tasks" in complete(home, "status", "--")
    assert complete(home, "greet", "") == [] and "status" in complete(home, "s")
    home.file(".kubeque", "[config]\nlease = nonsense\n")
    assert complete(home, "status", "") == []


@test("bash completes with the function that completion prints")
def _(home):
    assert home.kq("sub", "-q", "--no-nodes", "--no-wait", "-n", "my-job", "true").code == 0
    home.file("a file.csv")
    driver = """
set -u
PATH=%s:$PATH
eval "$(kubeque completion bash)"
try() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _kubeque 2>&1; echo "${COMPREPLY[@]}"; }
try kubeque sta
try kubeque status my
try kubeque list --format = cs
complete -p kubeque
""" % os.path.dirname(BINARY)
    if os.path.basename(BINARY) != "kubeque":
        os.symlink(BINARY, os.path.join(home.top, "kubeque"))
        driver = driver.replace(os.path.dirname(BINARY), home.top)
    done = subprocess.run(["bash", "-c", driver], cwd=home.cwd, env=home.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["status", "my-job", "csv", "complete -F _kubeque kubeque"], done


def shell(home, name, text):
    """Runs text in a shell in which `kubeque` is the binary, or skips."""
    from kq import Skip
    if subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, check=False).returncode != 0:
        raise Skip(f"{name} is not installed (apt install {name})")
    folder = os.path.join(home.top, "bin")
    os.makedirs(folder)
    os.symlink(BINARY, os.path.join(folder, "kubeque"))
    env = dict(home.env, PATH=folder + ":" + os.environ["PATH"])
    return subprocess.run([name, "-c", text], cwd=home.cwd, env=env, capture_output=True, text=True, timeout=60, check=False)


@test("fish completes with the function that completion prints")
def _(home):
    assert home.kq("sub", "-q", "--no-nodes", "--no-wait", "-n", "my-job", "true").code == 0
    done = shell(home, "fish", "kubeque completion fish | source; complete -C'kubeque status my'; complete -C'kubeque lis'")
    assert done.returncode == 0 and [w.split("\t")[0] for w in done.stdout.splitlines()] == ["my-job", "list", "listparams"], done


@test("zsh takes the function that completion prints")
def _(home):
    done = shell(home, "zsh", 'autoload -Uz compinit && compinit -u -D; eval "$(kubeque completion zsh)"; '
                              "echo $_comps[kubeque]; words=(kubeque stat) CURRENT=2; "
                              "_describe() { print -l ${(P)2} }; _kubeque")
    assert done.stdout.splitlines() == ["_kubeque", "status:show how jobs are doing"], done


main()
