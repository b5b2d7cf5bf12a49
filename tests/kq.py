"""What end-to-end tests share: a store of their own, the real binary, and TAP.

    from kq import test, Home, main

    @test("a sentence that says what holds")
    def _(home):
        result = home.kq("sub", "--no-wait", "true")
        assert result.code == 0, result

    main()

Each test gets a fresh Home (KUBEQUE_HOME, HOME and a working directory in TMPDIR); its nodes are
ended, by the ids they registered, when the test is over.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

BINARY = os.environ.get("KUBEQUE", os.path.join(os.path.dirname(__file__), "..", "build", "kubeque"))
BINARY = os.path.abspath(BINARY)
TESTS = []


class Skip(Exception):
    """Raised to skip a test: the text says what is missing and how to install it."""


class Result:
    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    @property
    def lines(self):
        """stderr without the time stamps."""
        return [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", line) for line in self.err.splitlines()]

    def has(self, text):
        return text in self.err or text in self.out

    def __repr__(self):
        return (f"\n$ {' '.join(self.argv)}\n-> {self.code}\n--- stdout\n{self.out[-3000:]}"
                f"\n--- stderr\n{self.err[-3000:]}\n---")


class Home:
    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="home-")
        self.path = os.path.join(self.top, "kq")
        self.cwd = os.path.join(self.top, "cwd")
        os.mkdir(self.cwd)
        self.env = dict(os.environ, KUBEQUE_HOME=self.path, HOME=self.top)
        for name in ("KUBEQUE_SEED", "KUBEQUE_FAULT_ROUNDS"):  # the tests' own, no configuration
            self.env.pop(name, None)
        self.children = []

    def file(self, name, text="", mode=None):
        """Writes a file below the working directory; returns its path."""
        path = os.path.join(self.cwd, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        if mode is not None:
            os.chmod(path, mode)
        return path

    def read(self, name):
        with open(os.path.join(self.cwd, name), encoding="utf-8", errors="surrogateescape") as source:
            return source.read()

    def kq(self, *argv, stdin=None, timeout=60, env=None, cwd=None, binary=None):
        argv = [binary or BINARY, *[str(word) for word in argv]]
        done = subprocess.run(argv, input=stdin.encode() if isinstance(stdin, str) else (stdin or b""),
                              capture_output=True, timeout=timeout, cwd=cwd or self.cwd,
                              env=dict(self.env, **(env or {})), check=False)
        return Result(argv, done.returncode, done.stdout.decode(errors="surrogateescape"),
                      done.stderr.decode(errors="surrogateescape"))

    def start(self, *argv, **options):
        """Starts the binary and returns the Popen (text mode, own process group)."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        child = subprocess.Popen([BINARY, *[str(word) for word in argv]], cwd=self.cwd, env=self.env,
                                 stdin=subprocess.DEVNULL, text=True, start_new_session=True, **options)
        self.children.append(child)
        return child

    def node_pids(self):
        """Pids of this home's consumers: whose command line names a node of this home."""
        pids = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                with open(f"/proc/{entry}/environ", "rb") as source:
                    env = source.read().split(b"\0")
                with open(f"/proc/{entry}/cmdline", "rb") as source:
                    words = source.read().split(b"\0")
            except OSError:
                continue
            if b"KUBEQUE_HOME=" + self.path.encode() not in env or b"consume" not in words[:8]:
                continue
            try:
                # a task looks like its node between fork and exec; a node leads a session
                if os.getsid(int(entry)) == int(entry):
                    pids.append(int(entry))
            except OSError:
                continue
        return pids

    def end_nodes(self):
        """Ends this home's consumers and waits until they are gone."""
        for pid in self.node_pids():
            for sig in (signal.SIGCONT, signal.SIGTERM, signal.SIGTERM):
                try:
                    os.kill(pid, sig)
                except OSError:
                    pass
        wait_for(lambda: not self.node_pids(), 5, check=False)
        for pid in self.node_pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        self.end_nodes()
        subprocess.run(["chmod", "-R", "u+rwX", self.top], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.top, ignore_errors=True)


def wait_for(condition, seconds=20, check=True):
    """Polls until the condition holds; returns its value, or fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            if check:
                raise AssertionError(f"did not happen within {seconds} s")
            return value
        time.sleep(0.01)


def test(sentence):
    def register(function):
        TESTS.append((sentence, function))
        return function
    return register


def main():
    count = failed = 0
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    for sentence, function in TESTS:
        if only not in sentence:
            continue
        count += 1
        home = Home()
        try:
            function(home)
            print(f"ok {count} - {sentence}", flush=True)
        except Skip as why:
            print(f"ok {count} - {sentence} # skip {why}", flush=True)
        except BaseException as error:  # a test may fail in any way; the next one still runs
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            print(f"not ok {count} - {sentence}", flush=True)
            for line in traceback.format_exc().splitlines()[-60:]:
                print("#   " + line, flush=True)
        finally:
            home.close()
    print(f"1..{count}")
    sys.exit(1 if failed else 0)
