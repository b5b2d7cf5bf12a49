"""`kubeque lua`: scripts, a line of code, and the interactive shell on a real terminal."""
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import time

from kq import BINARY, Skip, main, test


class Shell:
    """The interactive shell on a pseudo-terminal."""

    def __init__(self, home, *argv, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home.cwd)
            os.execve(BINARY, [BINARY, "lua", *argv], dict(home.env, TERM="xterm", **(env or {})))
        self.seen = ""

    def until(self, pattern, seconds=15):
        """Reads until the pattern shows up behind what was matched before; returns the text."""
        end = time.monotonic() + seconds
        while True:
            hit = re.search(pattern, self.seen)
            if hit:
                text, self.seen = self.seen[:hit.end()], self.seen[hit.end():]
                return text
            assert time.monotonic() < end, (pattern, self.seen)
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace").replace("\r", "")
                except OSError:
                    raise AssertionError((pattern, self.seen)) from None

    def say(self, text, pattern=r"\n> $"):
        """Types text and Enter; what came until the next prompt."""
        os.write(self.fd, text.encode() + b"\n")
        return self.until(pattern)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def ended(self):
        """Its exit status; what it prints until then is read away."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(("the shell did not end", self.seen))

    def end(self):
        os.write(self.fd, b"\x04")
        return self.ended()


@test("what is typed is run, its value printed; mistakes are told with a trace, and it goes on")
def _(home):
    shell = Shell(home)
    assert "help() says what there is" in shell.until(r"> $")
    assert "\n42\n" in shell.say("6 * 7")
    assert '\n"a"  2\n' in shell.say('"a", 1 + 1')
    assert '\n{ 1, 2, a = { b = true } }\n' in shell.say("{1, 2, a = {b = true}}")
    shell.say("x = 3")
    assert "\n3\n" in shell.say("x")
    assert "\nparams(a: 2 rows)\n" in shell.say("params.range(1, 2):as 'a'") and "\njob" in shell.say("job { command = 'true' }")
    assert "unexpected symbol near '='" in shell.say("x = = 3")
    text = shell.say("local t = nil; return t.y")
    assert "attempt to index a nil value (local 't')" in text and "stack traceback:" in text, text
    assert "did you mean kubeque.fs.read?" in shell.say("kubeque.fs.raed")
    assert '\nnil  "cannot' in shell.say('kubeque.fs.read "/nosuch"')
    assert '\n"ä€"\n' in shell.say('"ä€"')
    assert shell.end() == 0


@test("an input may take several lines")
def _(home):
    shell = Shell(home, "-q")
    assert "help()" not in shell.until(r"> $")
    shell.say("for i = 1, 2 do", r"\n>> $")
    assert "\n1\n2\n" in shell.say("print(i) end")
    shell.say("{", r"\n>> $")
    assert "\n{ 5 }\n" in shell.say("5 }")
    assert shell.end() == 0


@test("the store is opened when something is asked of it, and a machine without one is left alone")
def _(home):
    shell = Shell(home)
    shell.until(r"> $")
    assert "there is no store yet" in shell.say("kubeque.queue.jobs()")
    assert not os.path.exists(home.path)
    assert home.kq("sub", "-n", "j", "-q", "true").code == 0
    assert '\n"j"\n' in shell.say('kubeque.queue.job("LAST").id')
    assert "complete(code=0)" in shell.say('kubeque.queue.counts(kubeque.queue.job("j").born)')
    assert shell.end() == 0


@test("help says what is declared")
def _(home):
    shell = Shell(home)
    shell.until(r"> $")
    assert "kubeque.fs.read(path[, max[, offset]]) -> string, or nil, why, code" in shell.say("help(kubeque.fs.read)")
    assert "Reads a file as a whole" in shell.say(":help fs.read")
    assert "\n  read(path" in shell.say('help "kubeque.fs"')
    assert "did you mean kubeque.fs.read?" in shell.say('help "fs.raed"')
    assert "files and directories" in shell.say("help()")
    assert shell.end() == 0


@test("Tab completes names; one that could be several shows them")
def _(home):
    shell = Shell(home)
    shell.until(r"> $")
    assert "\nfunction" in shell.say("kubeque.fs.rem\t_t\t")
    assert '\n"number"\n' in shell.say("type(kubeque.time.mo\t())")
    shell.type("kubeque.time.\t\t")
    text = shell.until("utc")
    assert "kubeque.time.mono" in text and "kubeque.time.id" in text, text
    shell.type("\x15")  # clear the line
    shell.say("answer = { question = 7 }")
    assert "\n7\n" in shell.say("answer.que\t")
    assert "nosuchname\n" in shell.say("nosuchn\tame")
    assert shell.end() == 0


@test("the history is kept, private, and comes back")
def _(home):
    shell = Shell(home)
    shell.until(r"> $")
    shell.say("'one'")
    shell.say("do", r"\n>> $")
    shell.say("print 'two' end")
    assert shell.end() == 0
    path = os.path.join(home.top, ".local/state/kubeque/history")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, encoding="utf-8") as source:
        assert source.read() == "'one'\ndo\\nprint 'two' end\n"
    shell = Shell(home)
    shell.until(r"> $")
    shell.type("\x1b[A\x1b[A\n")
    assert '\n"one"\n' in shell.until(r"\n> $")
    assert shell.end() == 0
    other = os.path.join(home.top, "state")
    shell = Shell(home, env={"XDG_STATE_HOME": other})
    shell.until(r"> $")
    shell.say("1")
    shell.end()
    assert os.path.exists(other + "/kubeque/history")


@test("Ctrl-C takes back a line, or stops what runs; SIGTERM ends the shell")
def _(home):
    shell = Shell(home)
    shell.until(r"> $")
    shell.type("some half line")
    shell.until("half line")
    shell.type("\x03")
    shell.until(r"\n> $")
    assert "\n2\n" in shell.say("1 + 1")
    for code in ("while true do end", "kubeque.sleep(100) error 'went on'", "print(io.stdout) while true do kubeque.time.now() end"):
        os.write(shell.fd, code.encode() + b"\n")
        shell.until(r"end\n|on'\n")
        time.sleep(0.05)
        shell.type("\x03")
        shell.until(r"\n> $")
    assert "\n3\n" in shell.say("1 + 2")
    os.kill(shell.pid, signal.SIGTERM)
    assert shell.ended() == 143


@test("without libedit plain reading works, and says so once")
def _(home):
    fake = os.path.join(home.top, "lib")
    os.mkdir(fake)
    with open(os.path.join(fake, "libedit.so.2"), "w", encoding="ascii"):
        pass
    shell = Shell(home, env={"LD_LIBRARY_PATH": fake})
    text = shell.until(r"> $")
    assert text.count("install the package libedit2") == 1, text
    assert "\n42\n" in shell.say("6 * 7")
    shell.say("for i = 1, 2 do", r"\n>> $")
    assert "\n2\n" in shell.say("print(i) end")
    assert shell.end() == 0


@test("a script file, a line of code, and standard input as the program")
def _(home):
    home.file("s.lua", "#!/usr/bin/env kubeque\nprint(arg[0], #arg, ...)\n")
    assert home.kq("lua", "s.lua", "a", "--json").out == "s.lua\t2\ta\t--json\n"
    assert home.kq("--debug", "lua", "s.lua", "b").out == "s.lua\t1\tb\n"
    assert home.kq("lua", "-e", "print(#arg, ...)", "x", "-y").out == "2\tx\t-y\n"
    assert home.kq("lua", stdin="print('from', 'stdin')").out == "from\tstdin\n"
    assert home.kq("lua", "-", "w", stdin="print(...)").out == "w\n"
    assert home.kq("lua", "-e", "print(kubeque.open())").out == "false\n"


@test("a script that fails: file and line, exit 7; a fault keeps its code")
def _(home):
    home.file("bad.lua", "\nerror 'broken'\n")
    for words in (("lua", "bad.lua"), ("lua", "--", "bad.lua")):
        result = home.kq(*words)
        assert result.code == 7 and "bad.lua:2: broken" in result.err, result
    result = home.kq("lua", "-e", "x = = 1")
    assert result.code == 7 and "(command line):1: unexpected symbol near '='" in result.err, result
    assert home.kq("lua", stdin="error { code = 'not_found', message = 'gone' }").code == 3
    result = home.kq("lua", "nosuch.lua")
    assert result.code in (3, 7) and "nosuch.lua" in result.err, result


@test("luacheck with the .luacheckrc made from the declarations finds a mistyped name, and no other")
def _(home):
    if not shutil.which("luacheck"):
        raise Skip("luacheck is missing, install it with: apt-get install lua-check")
    home.file(".luacheckrc", home.kq("help", "--lua-api=luacheckrc").out)
    home.file("recipes/r.lua", "local j = job { command = args[1], params = params }\nprint(kubeque.fs.read(set.x), j)\n")
    home.file("c.lua", "return kubeque.fs.raed 'x', kubeque.queue.jobs()\n")
    done = subprocess.run(["luacheck", "--codes", "--no-color", "."], cwd=home.cwd, capture_output=True, text=True, check=False, timeout=30)
    assert re.findall(r"(\S+\.lua):(\d+):\d+: \((\w+)\)", done.stdout) == [("c.lua", "1", "W143")], done.stdout


main()
