"""Scripts that come with a project run only once the user has agreed to exactly their content."""
import os
import re
import subprocess

from kq import BINARY, Skip, main, test, wait_for

HELLO = 'return kubeque.command { name = "hello", summary = "h", run = function() kubeque.out("%s\\n") end }\n'


def project(home, name="commands/hello.lua", text=HELLO % "hello", base=None):
    """Writes a file below .kubeque.d/lua; returns the directory."""
    top = os.path.join(base or home.cwd, ".kubeque.d/lua")
    path = os.path.join(top, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return top


def user(home, name, text):
    path = os.path.join(home.top, ".config/kubeque/lua", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def trusted_file(home):
    return os.path.join(home.top, ".config/kubeque/trusted")


def refused(result, message):
    assert result.code == 7 and result.out == "" and len(result.lines) == 1, result
    assert result.lines[0] == message, (message, result)


@test("a command found only in an untrusted project: exit 7, one line that names directory and remedy")
def _(home):
    top = project(home)
    refused(home.kq("hello"), f"kubeque: command hello of this project is not used: {top} is not trusted "
                              "(look at its scripts, then: kubeque trust)")
    refused(home.kq("help", "hello"), f"kubeque help: command hello of this project is not used: {top} is not trusted "
                                      "(look at its scripts, then: kubeque trust)")
    refused(home.kq("hello", "--help"),
            f"kubeque: command hello of this project is not used: {top} is not trusted (look at its scripts, then: kubeque trust)")


@test("a policy, a recipe and a provider found only there: the same")
def _(home):
    top = project(home, "policies/mine.lua", 'return kubeque.policy { name = "mine" }')
    project(home, "recipes/mine.lua", 'print "ran"')
    result = home.kq("sub", "--no-wait", "--no-nodes", "--policy", "mine", "true")
    assert result.code == 7 and f"{top} is not trusted (look at its scripts, then: kubeque trust)" in result.lines[-1], result
    assert home.kq("list", "-q").out == ""
    project(home, "providers/mine.lua", 'return kubeque.provider { name = "mine" }')
    result = home.kq("sub", "--no-wait", "true", env={"KUBEQUE_PROVIDER": "mine"})
    assert result.code == 7 and f"{top} is not trusted" in result.lines[-1] and home.kq("list", "-q").out == "", result
    result = home.kq("run", "mine")
    assert result.code == 7 and result.out == "", result
    assert f"{top} is not trusted (look at its scripts, then: kubeque trust)" in result.lines[-1], result


@test("nothing of an untrusted or changed project is run, and of an untrusted one nothing is opened")
def _(home):
    mark = os.path.join(home.top, "ran")
    body = f'io.open("{mark}", "w"):close()\n'
    project(home, text=body + HELLO % "x")
    top = project(home, "helper.lua", body + "return 1")
    user(home, "commands/uses.lua", 'require "helper"\n' + (HELLO % "x").replace('"hello"', '"uses"'))
    commands = (["hello"], ["help"], ["scripts"], ["uses"], ["version"], ["complete", "--", ""], ["status"])
    for words in commands:
        log = os.path.join(home.top, "log")
        done = subprocess.run(["strace", "-f", "-e", "trace=open,openat,openat2", "-o", log, BINARY, *words], cwd=home.cwd,
                              env=home.env, capture_output=True, timeout=60, check=False)
        if done.returncode == 127:
            raise Skip("strace is not installed (apt install strace)")
        opened = re.findall(r'"([^"]*\.kubeque\.d[^"]*\.lua)"', open(log, encoding="utf-8").read())
        assert opened == [] and not os.path.exists(mark), (words, opened)
    assert home.kq("trust", "-q").code == 0
    assert not os.path.exists(mark), "trusting reads, and does not run"
    project(home, "other.lua", "return 2")
    for words in commands:
        home.kq(*words)
        assert not os.path.exists(mark), words
    assert f"{top} has changed" in home.kq("uses").err


@test("trust shows files and sizes, records, and the scripts run; --dry-run only shows")
def _(home):
    top = project(home)
    project(home, "deep/er/x.lua", "x" * 2000)
    result = home.kq("trust", "--dry-run")
    assert result.code == 0 and not os.path.exists(trusted_file(home)), result
    lines = result.out.splitlines()
    size = len(HELLO % "hello") + 2000
    assert lines[0] == f"{top}: 2 files, {size / 1000:.3g}K", lines
    assert [line.split() for line in lines[1:]] == [["commands/hello.lua", str(len(HELLO % "hello"))], ["deep/er/x.lua", "2K"]], lines
    assert home.kq("hello").code == 7
    result = home.kq("trust")
    assert result.code == 0 and result.out.splitlines() == lines, result
    assert home.kq("hello").out == "hello\n"


# ---- a project's .kubeque ----

EVIL = "return kubeque.policy { name = 'evil', %s = function() return { command = { 'touch', '%s' } } end }"


def ended(home):
    """Submits with the configuration of the working directory; the result."""
    return home.kq("sub", "-q", "true")


@test("a project's .kubeque that makes kubeque run programs counts only after trust: policies that act, provider options")
def _(home):
    mark = os.path.join(home.top, "ran")
    path = home.file(".kubeque", "[config]\n\npolicy = evil.lua\n")
    home.file("evil.lua", EVIL % ("on_event", mark))
    result = ended(home)
    assert result.code == 7 and len(result.lines) == 1 and home.kq("list", "-q").out == "", result
    assert result.lines[0] == (f"kubeque sub: {path}:3: policy={home.cwd}/evil.lua is not used: it came with the project and makes "
                               "kubeque run programs (look at it, then: kubeque trust)"), result
    assert home.kq("sub", "-q", "--policy", "none", "true").code == 0 and not os.path.exists(mark)
    assert home.kq("status", "LAST").code == 0, "looking at jobs needs no agreement"
    result = home.kq("trust", "--dry-run")
    assert result.code == 0 and result.out == f"{path}:\n  policy={home.cwd}/evil.lua\n" and ended(home).code == 7, result
    assert home.kq("trust", "-q").code == 0 and ended(home).code == 0
    wait_for(lambda: os.path.exists(mark))
    assert home.kq("trust", "--list", "-q").code == 0 and f"{path}:policy" in home.kq("trust", "--list").out
    home.file(".kubeque", "[config]\nlinger=3\npolicy = evil.lua\n")
    assert ended(home).code == 0, "other lines of the file are not part of it"
    home.file("evil.lua", EVIL % ("on_event", mark + "2"))
    result = ended(home)
    assert result.code == 7 and "it has changed since you agreed to it" in result.err, result
    assert "changed" in home.kq("trust", "--list").out
    home.file("evil.lua", "require 'helper'\n" + EVIL % ("on_event", mark))
    home.file("helper.lua", "return 1")
    assert home.kq("trust", "-q").code == 0 and ended(home).code == 0
    home.file("helper.lua", "return 2")
    assert ended(home).code == 7, "what it requires is part of it"
    assert home.kq("trust", "-q").code == 0 and ended(home).code == 0
    assert home.kq("trust", "--remove").code == 0 and ended(home).code == 7
    home.file(".kubeque", f"[config]\npolicy = command:command='touch {mark}3'\n".replace("'", ""))
    assert ended(home).code != 0 and not os.path.exists(mark + "3")


@test("policies that only decide need no agreement, nor does the user's own configuration")
def _(home):
    home.file(".kubeque", "[config]\npolicy = memory failfast calm.lua\n")
    home.file("calm.lua", EVIL % ("on_task_failed", "x"))
    assert ended(home).code == 0
    home.file("evil.lua", EVIL % ("on_event", "/dev/null"))
    os.rename(os.path.join(home.cwd, ".kubeque"), os.path.join(home.cwd, "conf"))
    home.file("conf", "[config]\npolicy = evil.lua\n")
    assert home.kq("--config", "conf", "sub", "-q", "true").code == 0
    home.file("../.kubeque", "[config]\npolicy = cwd/evil.lua\n")
    assert ended(home).code == 0


@test("options of a provider, and a provider that is a file, run nothing of an untrusted project, whatever the command")
def _(home):
    mark = os.path.join(home.top, "ran")
    home.file("ssh", f"#!/bin/sh\ntouch {mark}\n", mode=0o755)
    path = home.file(".kubeque", f"[config]\nprovider=ssh\nprovider.hosts=nowhere\nprovider.ssh={home.cwd}/ssh\n")
    for words in (("nodes",), ("sub", "--wait-timeout", "1", "true"), ("validate",), ("config",), ("status",), ("list",)):
        result = home.kq(*words)
        assert not os.path.exists(mark), words
        assert (words[0] in ("status", "list")) == (result.code == 0) or words[0] == "config", (words, result)
    result = home.kq("nodes")
    assert result.code == 7 and f"{path}:3: provider.hosts is not used: it came with the project" in result.err, result
    result = home.kq("trust")
    assert result.code == 0 and result.out == f"{path}:\n  provider.hosts=nowhere\n  provider.ssh={home.cwd}/ssh\n", result
    home.kq("nodes")
    assert os.path.exists(mark)
    assert home.kq("trust", "--remove").code == 0
    os.unlink(mark)
    home.kq("nodes")
    assert not os.path.exists(mark)
    home.file("p.lua", f"os.execute('touch {mark}')")
    home.file(".kubeque", "[config]\nprovider=./p.lua\n")
    result = home.kq("nodes")
    assert result.code == 7 and "a project's provider is a name, and its file in .kubeque.d/lua/providers" in result.err, result
    assert not os.path.exists(mark) and home.kq("nodes", env={"KUBEQUE_PROVIDER": "local"}).code == 0


@test("the record is private, replaced by rename, and holds a sha256 and a path")
def _(home):
    top = project(home)
    assert home.kq("trust", "-q").code == 0
    path = trusted_file(home)
    before = os.stat(path)
    assert before.st_mode & 0o777 == 0o600 and os.stat(os.path.dirname(path)).st_mode & 0o077 == 0
    text = open(path, encoding="utf-8").read()
    assert re.fullmatch(r"[0-9a-f]{64} " + re.escape(top) + "\n", text), text
    project(home, text=HELLO % "other")
    assert home.kq("trust", "-q").code == 0
    assert os.stat(path).st_ino != before.st_ino and open(path, encoding="utf-8").read() != text
    moved = os.path.join(home.top, "moved")
    assert home.kq("trust", "-q", env={"XDG_CONFIG_HOME": moved}).code == 0 and os.path.exists(moved + "/kubeque/trusted")


@test("any change takes the agreement away: content, a new file, a removed one, a renamed one, a module")
def _(home):
    top = project(home)
    project(home, "helper.lua", "return 1")
    message = f"kubeque: command hello of this project is not used: {top} has changed since it was trusted (look at its " \
              "scripts, then: kubeque trust)"

    def changed(change, undo):
        assert home.kq("trust", "-q").code == 0 and home.kq("hello").out == "hello\n"
        change()
        refused(home.kq("hello"), message)
        undo()
        assert home.kq("hello").out == "hello\n", "the same content is the same"

    helper = os.path.join(top, "helper.lua")
    changed(lambda: project(home, "helper.lua", "return 2"), lambda: project(home, "helper.lua", "return 1"))
    changed(lambda: project(home, "extra.txt", ""), lambda: os.unlink(os.path.join(top, "extra.txt")))
    changed(lambda: os.unlink(helper), lambda: project(home, "helper.lua", "return 1"))
    changed(lambda: os.rename(helper, helper + "x"), lambda: os.rename(helper + "x", helper))
    assert home.kq("trust", "-q").code == 0
    project(home, text=HELLO % "other")
    refused(home.kq("hello"), message)


@test("a stock command with an untrusted project script of its name stays the stock one, with a line")
def _(home):
    top = project(home, "commands/version.lua", (HELLO % "theirs").replace('"hello"', '"version"'))
    result = home.kq("version", "-q")
    assert result.code == 0 and result.out.startswith("kubeque "), result
    assert result.lines == [f"command version of this project is not used: {top} is not trusted (look at its scripts, then: "
                            "kubeque trust)"], result
    assert home.kq("list").lines == ["no jobs"], "nothing is said where it does not matter"


@test("a script of one's own with the same name is used meanwhile, with a line")
def _(home):
    top = project(home, text=HELLO % "theirs")
    user(home, "commands/hello.lua", HELLO % "mine")
    result = home.kq("hello")
    assert result.code == 0 and result.out == "mine\n" and f"{top} is not trusted" in result.lines[0], result
    assert home.kq("trust", "-q").code == 0
    result = home.kq("hello")
    assert result.out == "theirs\n" and result.err == "", result


@test("the project is found from its folders; not over another home, not in one's own")
def _(home):
    project(home)
    assert home.kq("trust", "-q").code == 0
    deep = os.path.join(home.cwd, "a/b")
    os.makedirs(deep)
    assert home.kq("hello", cwd=deep).out == "hello\n"
    assert home.kq("hello", cwd=deep, env={"HOME": os.path.join(home.cwd, "a"), "XDG_CONFIG_HOME": home.top + "/.config"}).code == 2
    assert home.kq("hello", cwd=home.top).code == 2
    project(home, base=home.top)
    assert home.kq("hello", cwd=home.top).code == 2, "the home directory is no project"


@test("DIR may be the project, .kubeque.d or .kubeque.d/lua, also by a link; others are refused")
def _(home):
    top = project(home)
    link = os.path.join(home.top, "link")
    os.symlink(home.cwd, link)
    for word in (home.cwd, ".", os.path.dirname(top), top, link, home.cwd + "/"):
        assert home.kq("trust", "-q", word).code == 0 and home.kq("hello").code == 0, word
        assert home.kq("trust", "--remove", word).code == 0 and home.kq("hello").code == 7, word
    for word, message in (("nosuch", "there is no directory nosuch"), (home.top, "has no .kubeque.d/lua")):
        result = home.kq("trust", word)
        assert result.code == 2 and message in result.lines[0], result
    result = home.kq("trust", cwd=home.top)
    assert result.code == 2 and "there is no .kubeque.d/lua here or above" in result.lines[0], result


@test("trust --list says what still is as it was; --remove takes it back, also of what is gone")
def _(home):
    top = project(home)
    other = project(home, base=os.path.join(home.top, "other"))
    gone = project(home, base=os.path.join(home.top, "gone"))
    for path in (top, other, gone):
        assert home.kq("trust", "-q", path).code == 0
    project(home, "x.lua", "", base=os.path.join(home.top, "other"))
    os.rename(os.path.join(home.top, "gone"), os.path.join(home.top, "moved"))
    rows = [line.split(",") for line in home.kq("trust", "--list", "--format", "csv").out.splitlines()[1:]]
    assert {row[0]: row[1] for row in rows} == {top: "trusted", other: "changed", gone: "missing"}, rows
    assert home.kq("trust", "--remove", gone).code == 0 and home.kq("trust", "--remove").code == 0
    assert home.kq("trust", "--list", "-q").out == other + "\n" and home.kq("hello").code == 7
    result = home.kq("trust", "--remove")
    assert result.code == 2 and "is not trusted" in result.lines[0], result
    for words in (("--list", "--remove"), ("--list", "x"), ("--remove", "--dry-run")):
        assert home.kq("trust", *words).code == 2, words


@test("directories and files that others can write are refused, before and after")
def _(home):
    top = project(home)
    for path in (top, os.path.dirname(top), os.path.join(top, "commands"), os.path.join(top, "commands/hello.lua")):
        assert home.kq("trust", "-q").code == 0 and home.kq("hello").code == 0
        mode = os.stat(path).st_mode
        os.chmod(path, 0o777)
        result = home.kq("hello")
        refused(result, f"kubeque: command hello of this project is not used: {path}: others can write it")
        result = home.kq("trust")
        assert result.code == 7 and result.lines == [f"kubeque trust: {path}: others can write it"], result
        os.chmod(path, mode)


@test("what belongs to another user is refused")
def _(home):
    if os.getuid() != 0:
        raise Skip("only root can give files away")
    top = project(home)
    for path in (top, os.path.join(top, "commands/hello.lua")):
        os.chown(path, 4242, 4242)
        result = home.kq("trust")
        assert result.code == 7 and result.lines == [f"kubeque trust: {path}: it belongs to another user"], result
        os.chown(path, 0, 0)


@test("links that leave the directory are refused, those inside are followed")
def _(home):
    top = project(home)
    outside = home.file("outside.lua", HELLO % "outside")
    link = os.path.join(top, "commands/linked.lua")
    for target, why in ((outside, "this link leaves the directory"), ("../../../outside.lua", "this link leaves the directory"),
                        ("nowhere", "this link leads nowhere"), (".", "this link does not lead to a file"),
                        ("/dev/null", "this link leaves the directory")):
        os.symlink(target, link)
        result = home.kq("trust")
        assert result.code == 7 and result.lines == [f"kubeque trust: {link}: {why}"], (target, result)
        os.unlink(link)
    os.symlink("hello.lua", link)
    assert home.kq("trust", "-q").code == 0 and home.kq("hello").code == 0
    os.unlink(link)
    os.symlink(outside, link)
    refused(home.kq("hello"), f"kubeque: command hello of this project is not used: {link}: this link leaves the directory")


@test("a .kubeque.d that is itself a link, or holds something that is no file, is refused")
def _(home):
    top = project(home)
    os.mkfifo(os.path.join(top, "pipe"))
    result = home.kq("trust", timeout=10)
    assert result.code == 7 and result.lines == [f"kubeque trust: {top}/pipe: this is no file"], result
    os.unlink(os.path.join(top, "pipe"))
    os.rename(os.path.join(home.cwd, ".kubeque.d"), os.path.join(home.top, "elsewhere"))
    os.symlink(os.path.join(home.top, "elsewhere"), os.path.join(home.cwd, ".kubeque.d"))
    link = os.path.join(home.cwd, ".kubeque.d")
    assert home.kq("trust").lines == [f"kubeque trust: {link}: it is a link"]
    refused(home.kq("hello"), f"kubeque: command hello of this project is not used: {link}: it is a link")


@test("too much to be scripts is refused; an empty directory too")
def _(home):
    top = project(home, "big.bin", "x")
    with open(os.path.join(top, "big.bin"), "wb") as out:
        out.truncate(17 << 20)
    result = home.kq("trust")
    assert result.code == 7 and "this is more than 1000 files or 16 MiB" in result.lines[0], result
    os.unlink(os.path.join(top, "big.bin"))
    result = home.kq("trust")
    assert result.code == 2 and "is empty" in result.lines[0], result


@test("a list of trusted directories that others can write, or that is damaged, trusts nothing")
def _(home):
    project(home)
    assert home.kq("trust", "-q").code == 0
    os.chmod(trusted_file(home), 0o666)
    result = home.kq("hello")
    assert result.code == 7 and "trusted is not used: others can write it" in result.lines[0], result
    assert home.kq("version").err == ""
    os.chmod(trusted_file(home), 0o600)
    assert home.kq("hello").code == 0
    with open(trusted_file(home), "a", encoding="utf-8") as out:
        out.write("rubbish\n")
    result = home.kq("hello")
    assert result.code == 7 and f"{trusted_file(home)}:2: this is no line of a sha256 and a path" in result.lines[0], result
    assert home.kq("trust").code == 5


@test("paths with blanks, line ends and backslashes are trusted as they are")
def _(home):
    for name in ("a b", "a\nb", "a\\nb", "ä"):
        base = os.path.join(home.top, name)
        project(home, base=base)
        assert home.kq("hello", cwd=base).code == 7, repr(name)
        assert home.kq("trust", "-q", cwd=base).code == 0 and home.kq("hello", cwd=base).code == 0, repr(name)
    assert len(open(trusted_file(home), encoding="utf-8").read().splitlines()) == 4


@test("what one writes into a project with new stays trusted; what was there untrusted does not become so")
def _(home):
    result = home.kq("new", "command", "mine", "--project")
    assert result.code == 0 and "is trusted as it is now" in result.err, result
    assert home.kq("mine").lines == ["kubeque mine: there are no jobs yet"]
    assert home.kq("scripts", "eject", "list", "--to", "project").code == 0 and home.kq("list").code == 0
    project(home)
    result = home.kq("new", "command", "other", "--project")
    assert result.code == 0 and "do not run yet" in result.err, result
    assert home.kq("hello").code == 7 and home.kq("other").code == 7


main()
