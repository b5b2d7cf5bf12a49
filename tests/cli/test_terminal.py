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

    def resize(self, width):
        self.tmux("resize-window", "-x", str(width), "-y", "30")

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


def live_lines(text):
    return [line for line in text.splitlines() if re.search(r"\b\d+/\d+\b|\d ?%|last failure|\[#", line)]


@test("the window may be made narrower and wider while it waits: one whole line is left each time")
def _(home):
    screen = Screen(home, 200, 30, f"{BINARY} sub -n r --seq 60 \"sleep 0.2; exit \\$((KQ_TASK % 5 == 3))\"")
    try:
        wait_for(lambda: "last failure" in screen.text(), 20)
        for width in (60, 40, 25, 20, 30, 80, 150, 35):
            screen.resize(width)
            before = screen.text()
            wait_for(lambda before=before: screen.text() != before, 10)  # it was drawn at least once since
            text = wait_for(lambda width=width: (lambda t: t if len(live_lines(t)) == 1 and len(live_lines(t)[0]) < width else None)(
                screen.text()), 5, check=False)
            if "ended" in screen.text():
                break
            assert text, screen.text()
    finally:
        screen.close()


@test("lines in between push the live line down; colour only without NO_COLOR")
def _(home):
    for number, extra in enumerate(({}, {"NO_COLOR": "1"})):
        log = os.path.join(home.top, f"raw{number}")
        home.env.pop("NO_COLOR", None)
        home.env.update(extra)
        home.file(f"job{number}", f"exec {BINARY} sub -n c{number} --show=any --seq 12 "
                  "'sleep 0.2; echo out $KQ_TASK; exit $((KQ_TASK == 2))'\n")
        recorder = f"script -qec \"sh job{number}\" {log}" if shutil.which("script") else f"sh job{number}"
        screen = Screen(home, 100 + number, 40, "".join(f"{k}={v} " for k, v in extra.items()) + recorder)
        try:
            wait_for(lambda screen=screen: "ended" in screen.text(), 30)
            lines = screen.text().splitlines()
            shown = [line for line in lines if line.startswith("out ")]
            assert len(shown) == 12, "\n".join(lines)
            assert not live_lines("\n".join(line for line in lines if "Tasks:" not in line)), "\n".join(lines)
            if os.path.exists(log):
                with open(log, encoding="utf-8", errors="replace") as raw:
                    assert ("\x1b[31m" in raw.read()) == (not extra), extra
        finally:
            screen.close()
    home.env.pop("NO_COLOR", None)


@test("FORCE_COLOR colours status when piped, NO_COLOR wins; piped output has none by itself")
def _(home):
    home.kq("sub", "-n", "j", "-q", "false")
    home.env.pop("NO_COLOR", None)
    assert "\x1b" not in home.kq("status", "j").out
    assert "\x1b[31mcomplete(code=1): 1\x1b[0m" in home.kq("status", "j", env={"FORCE_COLOR": "1"}).out
    assert "\x1b" not in home.kq("status", "j", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).out
    assert "\x1b" not in home.kq("status", "j", "--json", env={"FORCE_COLOR": "1"}).out


@test("a COLUMNS wider than the terminal does not make the live line wrap")
def _(home):
    screen = Screen(home, 50, 30, f"COLUMNS=300 {BINARY} sub -n r --seq 12 \"sleep 0.2; exit \\$((KQ_TASK == 2))\"")
    try:
        seen = wait_for(lambda: (lambda t: t if " 1 failed" in t else None)(screen.text()), 20)
        assert len(live_lines(seen)) == 1, seen
        wait_for(lambda: "ended" in screen.text(), 20)
        assert not [line for line in live_lines(screen.text()) if "Tasks:" not in line], screen.text()
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
