"""Configuration files, precedence, stores that must be refused."""
import os
import sqlite3
import subprocess

from kq import BINARY, Skip, main, test


def value(home, key, **options):
    result = home.kq("config", "--format", "tsv", **options)
    assert result.code == 0, result
    for line in result.out.splitlines():
        cells = line.split("\t")
        if cells[0] == key:
            return cells[1], cells[2]
    raise AssertionError((key, result))


@test("every key is printed with its value and where it came from")
def _(home):
    home.file(".kubeque", "[config]\ndefault_resource_cpu = 0.5\n")
    got = value(home, "default_resource_cpu")
    assert got[0] == "0.5" and ".kubeque" in got[1], got
    for key in ("cas_url_prefix", "default_url_prefix", "default_image", "linger", "grace_period", "backend"):
        value(home, key)


@test("flags beat the environment, which beats files; nearest file first, key by key")
def _(home):
    home.file("../.kubeque", "[config]\nlinger=11\ngrace_period=3\n")
    home.file(".kubeque", "[config]\nlinger=12\n")
    assert value(home, "linger")[0].startswith("12")
    assert value(home, "grace_period")[0].startswith("3")
    assert value(home, "linger", env={"KUBEQUE_LINGER": "13"})[0].startswith("13")
    home.file("other.ini", "[config]\nlinger=14\n")
    result = home.kq("--config", "other.ini", "config", "--format", "tsv")
    assert "linger\t14" in result.out and "grace_period\t3" not in result.out, result
    assert value(home, "linger", env={"KUBEQUE_CONFIG": os.path.join(home.cwd, "other.ini")})[0].startswith("14")


@test("an unknown key warns with the nearest name; an unknown section, a stray line, a long line are errors")
def _(home):
    home.file(".kubeque", "[config]\ndefualt_image=none\n")
    result = home.kq("config")
    assert result.code == 0 and "default_image" in result.err and "defualt_image" in result.err, result
    for text, where in (("[confg]\nx=1\n", ":1"), ("[config]\nnonsense\n", ":2"), ("[config]\n\nlinger=" + "1" * 5000 + "\n", ":3"),
                        ("[config]\nlinger=1\n  continued\n", ":3")):
        home.file(".kubeque", text)
        result = home.kq("config")
        assert result.code == 5 and ".kubeque" in result.err and where.strip(":") in result.err, (text[:40], result)
    result = home.kq("config", env={"KUBEQUE_LINGR": "1"})
    assert "KUBEQUE_LINGR" in result.err, result


@test("a configuration file of another user or writable by others is not read, and one line says so")
def _(home):
    home.file(".kubeque", "[config]\nlinger=77\n", mode=0o666)
    result = home.kq("config", "--format", "tsv")
    assert "linger\t77" not in result.out and "--config" in result.err, result
    if os.getuid() == 0:
        path = home.file(".kubeque", "[config]\nlinger=77\n", mode=0o644)
        os.chown(path, 12345, 12345)
        result = home.kq("config", "--format", "tsv")
        assert "linger\t77" not in result.out and "--config" in result.err, result


@test("the walk upwards stops at HOME")
def _(home):
    home.file("sub/x", "")
    home.file(".kubeque", "[config]\nlinger=55\n")
    result = home.kq("config", "--format", "tsv", cwd=os.path.join(home.cwd, "sub"), env={"HOME": os.path.join(home.cwd, "sub")})
    assert "linger\t55" not in result.out, result


@test("default_image other than none, and gs:// beside backend=local, are refused")
def _(home):
    home.file(".kubeque", "[config]\n\ndefault_image=debian\n")
    result = home.kq("sub", "--no-wait", "true")
    assert result.code == 2 and ".kubeque" in result.err and "3" in result.err, result
    home.file(".kubeque", "[config]\nbackend=local\ndefault_url_prefix=gs://b/x\n")
    result = home.kq("sub", "--no-wait", "true")
    assert result.code in (2, 5) and "Cloud Storage" in result.err, result


@test("default_url_prefix moves the results and the CAS")
def _(home):
    home.file(".kubeque", "[config]\ndefault_url_prefix=store/\n")
    assert home.kq("sub", "-n", "j", "echo x").code == 0
    assert home.read("store/j/1/stdout.txt") == "x\n"
    assert os.path.isdir(os.path.join(home.cwd, "store/CAS"))


@test("a home that cannot be written, or of another owner, is exit 5")
def _(home):
    result = home.kq("sub", "--no-wait", "true", env={"KUBEQUE_HOME": "/proc/nope"})
    assert result.code == 5 and "set KUBEQUE_HOME" in result.err, result
    if os.getuid() == 0:
        os.mkdir(home.path, 0o700)
        os.chown(home.path, 12345, 12345)
        result = home.kq("sub", "--no-wait", "true")
        assert result.code == 5 and "12345" in result.err, result


@test("a queue that is no database, or of a newer schema, is exit 5 and is not touched")
def _(home):
    home.kq("sub", "--no-nodes", "--no-wait", "true")
    path = os.path.join(home.path, "queue.db")
    db = sqlite3.connect(path)
    tables = [row[0] for row in db.execute("select name from sqlite_master where type='table'")]
    assert "task" in tables, tables
    uses_meta = "meta" in tables and [row[1] for row in db.execute("pragma table_info(meta)")]
    db.execute("pragma user_version = 9999")
    if uses_meta and "key" in uses_meta:
        db.execute("update meta set value='9999' where key='schema'")
    elif uses_meta and "schema" in uses_meta:
        db.execute("update meta set schema=9999")
    db.commit()
    db.close()
    result = home.kq("status")
    assert result.code == 5 and "9999" in result.err, result
    for name in os.listdir(home.path):
        if name.startswith("queue.db"):
            os.unlink(os.path.join(home.path, name))
    with open(path, "wb") as out:
        out.write(b"this is no database\n" * 300)
    for words in (("status",), ("sub", "--no-wait", "true")):
        result = home.kq(*words)
        assert result.code == 5 and "queue.db" in result.err, result
    with open(path, "rb") as source:
        assert source.read(7) == b"this is"


@test("a queue locked by another process is waited for")
def _(home):
    home.kq("sub", "--no-nodes", "--no-wait", "true")
    db = sqlite3.connect(os.path.join(home.path, "queue.db"), isolation_level=None)
    db.execute("begin immediate")
    child = home.start("sub", "--no-nodes", "--no-wait", "-n", "later", "true")
    try:
        child.wait(0.7)
        raise AssertionError("it did not wait for the lock")
    except subprocess.TimeoutExpired:
        pass
    assert home.kq("status").code == 0, "reading works meanwhile"
    db.execute("rollback")
    assert child.wait(10) == 0


@test("a store on a full disk: exit 6, nothing stored; it works when there is room")
def _(home):
    point = os.path.join(home.top, "small")
    os.mkdir(point)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", point], check=False, capture_output=True).returncode:
        raise Skip("mounting a tmpfs needs root")
    try:
        env = {"KUBEQUE_HOME": os.path.join(point, "kq")}
        assert home.kq("sub", "--no-nodes", "--no-wait", "-n", "a", "true", env=env).code == 0
        home.file("big", b"x" * 3_000_000)
        result = home.kq("sub", "--no-nodes", "--no-wait", "-n", "b", "-u", "big", "true", env=env)
        assert result.code == 6 and "space" in result.err.lower(), result
        assert home.kq("list", "-q", env=env).out == "a\n"
        leftovers = [name for _, _, names in os.walk(point) for name in names if "tmp" in name]
        assert not leftovers, leftovers
        assert home.kq("sub", "--no-nodes", "--no-wait", "-n", "c", "true", env=env).code == 0
    finally:
        subprocess.run(["umount", "-l", point], check=False)


@test("a read-only store: reading works, submitting is exit 5 or 6")
def _(home):
    home.kq("sub", "--no-nodes", "--no-wait", "-n", "a", "true")
    if subprocess.run(["mount", "--bind", home.path, home.path], check=False, capture_output=True).returncode:
        raise Skip("a bind mount needs root")
    try:
        if subprocess.run(["mount", "-o", "remount,ro,bind", home.path], check=False, capture_output=True).returncode:
            raise Skip("a read-only remount needs root")
        result = home.kq("sub", "--no-nodes", "--no-wait", "-n", "b", "true")
        assert result.code in (5, 6) and "Traceback" not in result.err, result
    finally:
        subprocess.run(["umount", "-l", home.path], check=False)


@test("a long KUBEQUE_HOME works, with blanks too")
def _(home):
    long = os.path.join(home.top, "a b", *["d" * 100] * 8)
    result = home.kq("sub", "-n", "j", "--fetch", "o", "pwd | grep -c ' '; true", env={"KUBEQUE_HOME": long})
    try:
        assert result.code == 0 and home.read("o/1/stdout.txt") == "0\n", (result, home.read("o/1/stdout.txt"))
    finally:
        home.path = long


@test("without HOME the passwd entry is used; KUBEQUE_HOME alone is enough")
def _(home):
    env = dict(home.env)
    env.pop("HOME")
    done = subprocess.run([BINARY, "sub", "--no-nodes", "--no-wait", "true"], env=env, cwd=home.cwd, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done


@test("the store is private, also in an empty directory that was there before")
def _(home):
    os.mkdir(home.path, 0o755)
    home.kq("sub", "-n", "j", "true")
    assert os.stat(home.path).st_mode & 0o777 == 0o700
    for folder, _, names in os.walk(home.path):
        if "/results" in folder or "/work" in folder or "/bells" in folder:
            continue
        for name in names:
            mode = os.lstat(os.path.join(folder, name)).st_mode & 0o777
            assert mode & 0o077 == 0, (folder, name, oct(mode))


main()
