"""What a person sees: the live line on a real terminal (tmux), plain lines elsewhere."""
import os
import re
import shutil
import subprocess
import time

from kq import BINARY, Skip, main, test, wait_for


class Screen:
    def __init__(self, home, width, height, command):
        if not shutil.which("tmux"):
            raise Skip("tmux is missing, install it with: apt-get install tmux")
        self.socket = os.path.join(home.top, f"tmux-{width}-{height}")
        self.env = dict(home.env, TERM="xterm-256color", LC_ALL="C.UTF-8")
        self.env.pop("NO_COLOR", None)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "-c", home.cwd,
                  f"exec sh -c '{command}; echo ended $?; exec sleep 1000'")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *words], env=self.env, capture_output=True, text=True, check=True, timeout=20).stdout

    def text(self):
        return self.tmux("capture-pane", "-p")

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], check=False, capture_output=True)


@test("one live line while it waits, at any width; nothing torn; it is gone at the end")
def _(home):
    for width in (20, 40, 80, 200):
        screen = Screen(home, width, 30, f"{BINARY} sub -n w{width} --seq 9 \"sleep 0.25; exit \\$((KQ_TASK == 3))\"")
        try:
            seen = []

            def look():
                text = screen.text()
                if re.search(r"\d+/9|\d+ ?%", text):
                    seen.append(text)
                return "ended" in text
            wait_for(look, 30)
            assert seen, "no live line was seen"
            for text in seen:
                live = [line for line in text.splitlines() if re.search(r"\b\d+/9\b|\d ?%", line)]
                assert len(live) <= 1, text
            end = screen.text()
            assert "ended 1" in end, end
            if width >= 80:
                assert not [line for line in end.splitlines() if re.search(r"\b\d/9\b", line)] or "Tasks:" in end, end
        finally:
            screen.close()


@test("--plain and a dumb terminal give plain lines, without escapes")
def _(home):
    for words, env in ((("--plain",), {}), ((), {"TERM": "dumb"}), ((), {})):
        result = home.kq("sub", *words, "--seq", "3", "true", env=env)
        assert result.code == 0 and "\x1b" not in result.err and "\r" not in result.err, result
        assert any(line.startswith("Tasks: ") for line in result.lines), result
        for line in result.err.splitlines():
            assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line), line


@test("a job of one task shows its last lines on a terminal when it ends")
def _(home):
    screen = Screen(home, 100, 40, f"{BINARY} sub -n one \"echo the answer is 42\"")
    try:
        wait_for(lambda: "ended" in screen.text(), 20)
        assert "the answer is 42" in screen.text().replace("sub -n", ""), screen.text()
    finally:
        screen.close()


@test("tables are not cut when piped; COLUMNS is honoured")
def _(home):
    home.kq("sub", "-n", "x" * 100, "--no-nodes", "--no-wait", "true")
    assert "x" * 100 in home.kq("list", env={"COLUMNS": "40"}).out


@test("the number format does not depend on the locale")
def _(home):
    result = home.kq("sub", "-n", "j", "-r", "cpu=0.5", "true", env={"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"})
    assert result.code == 0, result
    assert "0,5" not in home.kq("dumpjob", "j").out


main()
