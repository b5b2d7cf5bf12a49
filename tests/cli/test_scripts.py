"""Scripts of one's own: where they come from, commands, require, and what a broken one does."""
import json
import os

from kq import main, test
from kqscripts import GREET, line_of, says, script


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
    ('sumary = "x"', 3, "kubeque.command: unknown key 'sumary' (did you mean summary?)"),
    ("summary = 5", 3, "kubeque.command: 'summary' is a string, not a number"),
    ("options = { { } }", 3, "kubeque.command: bad: option 1: it has no name"),
    ('options = { { "a b" } }', 3, 'kubeque.command: bad: option 1: "a b" is no name of an option (letters, digits and -)'),
    ('options = { { "abc", hlep = "x" } }', 3, "kubeque.command: option --abc: unknown key 'hlep' (did you mean help?)"),
    ('options = { { "abc", value = "N", type = "itn" } }', 3,
     "kubeque.command: option --abc: unknown type itn (did you mean int?)"),
    ('options = { { "abc", type = "int" } }', 3, 'kubeque.command: option --abc: a type needs a value (value = "INT")'),
    ('options = { { "abc", value = "X", type = "choice" } }', 3,
     'kubeque.command: option --abc: type = "choice" and choices = {...} go together'),
    ('options = { { "abc" }, { "abc" } }', 3, "kubeque.command: bad: option 2: the name abc is used twice"),
    ('options = { { "help" } }', 3, "kubeque.command: bad: option 1: --help is an option of every command: choose another name"),
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


@test("what a command returns is an exit status or nil and why; anything else is exit 7, not success")
def _(home):
    for value, shown in (("false", "a boolean"), ("true", "a boolean"), ("256", "256"), ("-1", "-1"), ("1.5", "1.5"),
                         ("'no'", "a string"), ("{}", "a table"), ("nil, {}", "nil and a table")):
        path = script(home, "commands/r.lua", f'return kubeque.command {{ name = "r", summary = "s", run = function() return {value} end }}')
        result = home.kq("r")
        assert result.code == 7 and line_of(result).startswith(f"kubeque r: {path}: run returned {shown}: it returns "), (value, result)
    for value, code in (("0", 0), ("255", 255), ("nil", 0), ("", 0), ("nil, 'why', 'not_found'", 3)):
        script(home, "commands/r.lua", f'return kubeque.command {{ name = "r", summary = "s", run = function() return {value} end }}')
        assert home.kq("r").code == code, value
    path = script(home, "commands/r.lua", 'return kubeque.command { name = "r", summary = "s", run = function() error() end }')
    result = home.kq("r")
    assert result.code == 7 and line_of(result) == f"kubeque r: {path}: error raised with nil", result
    assert "traceback" not in home.kq("--debug", "r").out


@test("scripts lists no command that kubeque gives itself")
def _(home):
    names = [s["name"] for s in json.loads(home.kq("scripts", "--json").out)]
    assert "status" in names and not {"complete", "deliver", "provide"} & set(names), names


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
        f"kubeque: {path}:2: there is no module 'helpr' (did you mean helper?); searched: the folder of the script, "
        f"{user}, kubeque's own"), result
    script(home, "helper.lua", "return {{")
    script(home, "commands/x.lua", '\nrequire "helper"\n' + says("x", "x"))
    result = home.kq("x")
    assert result.code == 7 and line_of(result).startswith(f"kubeque: {user}/helper.lua:1: unexpected symbol"), result


main()
