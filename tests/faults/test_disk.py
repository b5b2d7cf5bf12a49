"""Full disks and power cuts."""
import fcntl
import os
import random
import struct
import subprocess
import time

from common import ROUNDS, check_results, counts, kill9
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


def shut_down(point):
    """The last writes are dropped, as in a power cut: EXT4_IOC_SHUTDOWN without flushing the journal."""
    fd = os.open(point, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
    finally:
        os.close(fd)


@test("a power cut at 20 random points: no task is complete whose files are missing or cut short")
def _(home):
    rng = random.Random(SEED)
    image, point = os.path.join(home.top, "image"), os.path.join(home.top, "disk")
    os.mkdir(point)
    with open(image, "wb") as out:
        out.truncate(96 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, point], check=False, capture_output=True).returncode:
        raise Skip("mounting a loop image needs root and loop devices")
    home.path = os.path.join(point, "kq")
    home.env["KUBEQUE_HOME"] = home.path
    repaired = 0
    try:
        for i in range(20 * ROUNDS):
            boot = os.path.join(home.top, "boot_id")
            with open(boot, "w", encoding="ascii") as out:
                out.write(f"00000000-0000-4000-8000-{i:012d}\n")
            # a boot id of this life's own, seen only by what runs in this mount namespace
            inside = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"', boot, BINARY]

            def kq(*words):
                return subprocess.run([*inside, *words], env=home.env, cwd=home.cwd, capture_output=True, text=True, timeout=60, check=False,
                                      stdin=subprocess.DEVNULL)

            if i:
                done = kq("status")
                assert done.returncode == 0, done
                for job in (f"p{i - 1}",):
                    status = kq("status", job)
                    if status.returncode == 3:
                        continue
                    got = counts(home, job)
                    again = kq("sub", "-n", f"again{i}", "true")
                    assert again.returncode == 0, again
                    finished = kq("watch", job)
                    assert finished.returncode == 0, (finished, got)
                    assert counts(home, job) == {"complete(code=0)": 60}, counts(home, job)
                    results = check_results(home, job, 60, lambda n: f"{n}\n")
                    repaired += sum(1 for entry in results if entry["attempt"] > 1)
                    kq("clean", "--results", "--yes", job)
            child = subprocess.Popen([*inside, "sub", "-n", f"p{i}", "--seq", "60", "seq 1 2000 >out; echo {index}"], env=home.env, cwd=home.cwd,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.02, 0.5))
            shut_down(point)
            child.kill()
            child.wait()
            kill9(home.node_pids())
            wait_for(lambda: not home.node_pids())
            wait_for(lambda: subprocess.run(["umount", point], check=False, capture_output=True).returncode == 0, 20)
            subprocess.run(["mount", "-o", "loop", image, point], check=True)
        print(f"# {repaired} results were made again, seed {SEED}")
    finally:
        kill9(home.node_pids())
        wait_for(lambda: not home.node_pids(), check=False)
        subprocess.run(["umount", "-l", point], check=False)


main()
