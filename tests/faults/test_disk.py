"""Full disks and power cuts."""
import fcntl
import json
import os
import random
import sqlite3
import struct
import subprocess
import time

from common import ROUNDS, check_results, counts, kill9, results_dir, rows
from kq import BINARY, Skip, main, test, wait_for

SEED = int(os.environ.get("KUBEQUE_SEED", "20170915"))


def mount_tmpfs(point, size):
    os.makedirs(point, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", point], check=False, capture_output=True).returncode:
        raise Skip("mounting a tmpfs needs root")


@test("the work directory's disk is full: attempts are given back, the node says so, and goes on when there is room")
def _(home):
    point = os.path.join(home.top, "small")
    mount_tmpfs(point, "4m")
    try:
        home.file(".kubeque", f"[config]\nwork_dir={point}/work\nlinger=60\n")
        assert home.kq("sub", "-n", "ok", "head -c 1000 /dev/zero >f").code == 0
        ballast = os.path.join(point, "ballast")
        try:
            with open(ballast, "wb") as out:
                while True:
                    out.write(b"x" * 65536)
                    out.flush()
        except OSError:
            pass
        home.file("in.bin", b"y" * 200_000)
        child = home.start("sub", "-n", "j", "-u", "in.bin", "--seq", "3", "wc -c <in.bin")
        wait_for(lambda: "full" in home.kq("nodes", "--jsonl").out.lower() or "space" in home.kq("nodes", "--jsonl").out.lower(), 30)
        assert "failed" not in str(counts(home, "j")), counts(home, "j")
        os.unlink(ballast)
        assert child.wait(60) == 0, child.stderr.read()
        assert counts(home, "j") == {"complete(code=0)": 3}
    finally:
        for pid in home.node_pids():
            kill9([pid])
        wait_for(lambda: not home.node_pids(), check=False)
        subprocess.run(["umount", "-l", point], check=False)


@test("the results' disk is full: no task is complete without its files")
def _(home):
    point = os.path.join(home.top, "small")
    mount_tmpfs(point, "4m")
    try:
        home.file(".kubeque", f"[config]\ndefault_url_prefix={point}/res\ncas_url_prefix={home.path}/CAS\nlinger=60\n")
        child = home.start("sub", "-n", "j", "--seq", "12", "head -c 1000000 /dev/zero >f")
        wait_for(lambda: (counts(home, "j") or {}).get("complete(code=0)", 0) >= 1, 30)
        time.sleep(2)
        got = counts(home, "j")
        for n in range(1, 13):
            path = os.path.join(point, "res", "j", str(n))
            if os.path.isdir(path):
                assert os.stat(os.path.join(path, "f")).st_size == 1_000_000, n
        assert got.get("complete(code=0)", 0) <= 4, got
        home.kq("kill", "j")
        assert child.wait(60) == 1
    finally:
        for pid in home.node_pids():
            kill9([pid])
        wait_for(lambda: not home.node_pids(), check=False)
        subprocess.run(["umount", "-l", point], check=False)


def fill(path):
    try:
        with open(path, "wb") as out:
            while True:
                out.write(b"x" * 4096)
                out.flush()
    except OSError:
        pass


@test("the store's disk is full: a submission is refused whole, what runs waits and is accepted when there is room")
def _(home):
    point = os.path.join(home.top, "small")
    mount_tmpfs(point, "8m")
    home.path = os.path.join(point, "kq")
    home.env["KUBEQUE_HOME"] = home.path
    try:
        home.file(".kubeque", f"[config]\ndefault_url_prefix={home.top}/res\ncas_url_prefix={home.path}/CAS\nwork_dir={home.top}/work\nlinger=60\n")
        go = os.path.join(home.top, "go")
        assert home.kq("sub", "-n", "j", "--no-wait", "--seq", "40", f"while test ! -e {go}; do sleep 0.05; done; echo {{index}}").code == 0
        wait_for(lambda: (counts(home, "j") or {}).get("claimed"))
        ballast = os.path.join(point, "ballast")
        fill(ballast)
        home.file("in.bin", os.urandom(300_000))
        refused = home.kq("sub", "-n", "k", "--no-wait", "-u", "in.bin", "true")
        assert refused.code not in (0, 1) and ("space" in refused.err or "full" in refused.err), refused
        assert len(refused.lines) <= 2, refused
        with open(go, "w", encoding="ascii"):
            pass
        time.sleep(1.5)
        assert home.node_pids(), "the node did not live on"
        got = counts(home, "j")
        assert not [label for label in got if "failed" in label], got
        os.unlink(ballast)
        assert home.kq("status", "k").code == 3
        assert home.kq("watch", "j").code == 0
        results = check_results(home, "j", 40, lambda n: f"{n}\n", place=os.path.join(home.top, "res", "j"))
        assert all(entry["attempt"] == 1 for entry in results), "a task ran again although its node lived"
        assert home.kq("sub", "-n", "k", "-u", "in.bin", "wc -c <in.bin").code == 0
    finally:
        for pid in home.node_pids():
            kill9([pid])
        wait_for(lambda: not home.node_pids(), check=False)
        subprocess.run(["umount", "-l", point], check=False)


NO_LOG_FLUSH, LOG_FLUSH = 2, 1


def shut_down(point, how):
    """The last writes are dropped, as in a power cut: EXT4_IOC_SHUTDOWN, with or without the journal's end."""
    fd = os.open(point, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x8004587D, struct.pack("I", how))
    finally:
        os.close(fd)


class Disk:
    """A loop image with ext4, whose power can be cut, and commands that see a boot of their own."""

    def __init__(self, home):
        self.home = home
        self.image, self.point = os.path.join(home.top, "image"), os.path.join(home.top, "disk")
        self.boot = os.path.join(home.top, "boot_id")
        self.boots = 0
        os.mkdir(self.point)
        with open(self.image, "wb") as out:
            out.truncate(96 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        if subprocess.run(["mount", "-o", "loop", self.image, self.point], check=False, capture_output=True).returncode:
            raise Skip("mounting a loop image needs root and loop devices")
        home.path = os.path.join(self.point, "kq")
        home.env["KUBEQUE_HOME"] = home.path
        self.new_boot()

    def new_boot(self):
        self.boots += 1
        with open(self.boot, "w", encoding="ascii") as out:
            out.write(f"00000000-0000-4000-8000-{self.boots:012d}\n")

    def argv(self, *words):
        # seen only by what runs in this mount namespace
        return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"', self.boot, BINARY, *words]

    def kq(self, *words):
        return subprocess.run(self.argv(*words), env=self.home.env, cwd=self.home.cwd, capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL)

    def alive(self):
        """Everything of this machine's life: nodes, what they run, what is about to become one."""
        mine, found = os.readlink("/proc/self/ns/mnt"), []
        mark = b"HOME=" + self.home.top.encode()
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/ns/mnt") != mine:
                    with open(f"/proc/{entry}/environ", "rb") as source:
                        if mark in source.read().split(b"\0"):
                            found.append(int(entry))
            except OSError:
                continue
        return found

    def end_all(self):
        def none_left():
            pids = self.alive()
            kill9(pids)
            return not pids
        wait_for(none_left)

    def cut(self, child, how):
        shut_down(self.point, how)
        child.kill()
        child.wait()
        self.end_all()
        wait_for(lambda: subprocess.run(["umount", self.point], check=False, capture_output=True).returncode == 0, 20)
        # gone for good: what the old mount still had in memory must never reach the disk
        wait_for(lambda: not subprocess.run(["losetup", "-j", self.image], check=False, capture_output=True).stdout)
        subprocess.run(["mount", "-o", "loop", self.image, self.point], check=True)
        self.new_boot()

    def close(self):
        self.end_all()
        subprocess.run(["umount", "-l", self.point], check=False)


def succeeded(home):
    """Numbers of the tasks that succeeded so far; the queue may not be there yet."""
    try:
        return {n for (n,) in rows(home, "select k & 4294967295 from task where state=7")}
    except sqlite3.OperationalError:
        return set()


def said_complete(disk, job):
    """Tasks that the queue calls complete, by number: the accepted attempt."""
    dump = disk.kq("dumpjob", job)
    assert dump.returncode == 0, dump
    return {task["task"]: task["accepted"] for task in json.loads(dump.stdout)["tasks"] if task["label"] == "complete(code=0)"}


def check_said(home, job, said):
    """What is called complete lies there whole (published, or staged and about to be)."""
    for n in said:
        places = [os.path.join(results_dir(home, job), str(n)), os.path.join(results_dir(home, job), ".attempts", f"{n}.{said[n]}")]
        place = next(p for p in places if os.path.exists(os.path.join(p, "result.json")))
        with open(os.path.join(place, "result.json"), encoding="utf-8") as source:
            result = json.load(source)
        assert result["attempt"] == said[n], (n, result)
        with open(os.path.join(place, "out"), "rb") as source:
            assert source.read() == b"".join(b"%d\n" % i for i in range(1, 2001)), n
        with open(os.path.join(place, "stdout.txt"), encoding="ascii") as source:
            assert source.read() == f"{n}\n", n


def power_cuts(home, rounds, seed, power):
    rng = random.Random(seed)
    disk = Disk(home)
    again = seen = 0
    if power:
        home.file(".kubeque", "[config]\ndurability=power\n")
    try:
        for i in range(rounds):
            job = f"p{i}"
            child = subprocess.Popen(disk.argv("sub", "-n", job, "--seq", "60", "seq 1 2000 >out; echo {index}"), env=home.env, cwd=home.cwd,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(rng.uniform(0.02, 0.3))
            if i % 3 == 1:  # some of it reached the disk by itself
                os.sync()
                time.sleep(rng.uniform(0.0, 0.1))
            before = succeeded(home)
            disk.cut(child, (NO_LOG_FLUSH, LOG_FLUSH)[i % 2])
            text = child.stdout.read()
            submitted = "Saved job definition" in text
            status = disk.kq("status", job)
            if status.returncode == 3:
                assert not submitted, ("a job was lost of which the user had been told", i, text, status)
                continue
            assert status.returncode == 0, status
            said = said_complete(disk, job)
            try:
                check_said(home, job, said)
            except Exception as why:
                raise AssertionError((i, status)) from why
            seen += len(said)
            if power:
                assert before <= set(said) or not submitted, (before - set(said), "durability=power lost a result")
            assert disk.kq("addnodes", job, "1").returncode == 0
            finished = disk.kq("watch", job)
            assert finished.returncode == 0, finished
            assert counts(home, job) == {"complete(code=0)": 60}, counts(home, job)
            results = check_results(home, job, 60, lambda n: f"{n}\n")
            again += sum(1 for entry in results if entry["attempt"] > 1)
            assert disk.kq("clean", "--results", "--yes", job).returncode == 0
        print(f"# {seen} results outlived the cuts, {again} were made again, seed {seed}")
    finally:
        disk.close()


@test("a power cut at 20 random points: no task is complete whose files are missing or cut short")
def _(home):
    power_cuts(home, 20 * ROUNDS, SEED, False)


@test("a power cut with durability=power: what was complete before is complete after")
def _(home):
    power_cuts(home, 6 * ROUNDS, SEED + 1, True)


main()
