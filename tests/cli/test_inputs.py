"""What is uploaded: -u in every form, ^, destinations, refusals, the CAS."""
import os

from kq import main, test


def refused(home, *words, says=()):
    result = home.kq("sub", "--no-nodes", "--no-wait", *words)
    assert result.code == 2, result
    for word in says:
        assert word in result.err, (word, result)
    assert home.kq("list", "-q").out == "", "something was stored"
    return result


def ls(home, *words, job="j"):
    """The files a task sees, as find prints them, sorted."""
    result = home.kq("sub", "-n", job, "--fetch", "out-" + job, *words, "find . -type f | LC_ALL=C sort")
    assert result.code == 0, result
    return home.read(f"out-{job}/1/stdout.txt").split()


@test("files, directories, src:dst and lists land where the contract says")
def _(home):
    home.file("a.txt", "a")
    home.file("d/x.txt", "x")
    home.file("d/.hidden", "h")
    home.file("d/sub/y.txt", "y")
    absolute = home.file("abs.txt", "abs")
    home.file("list", "# a comment\n\na.txt:from-list\r\nd/sub\n")
    seen = ls(home, "-u", "a.txt", "-u", "d", "-u", absolute, "-u", "a.txt:b/renamed", "-u", "a.txt:c/", "-u", "d:dd", "-u", "@list", "-u", "a.txt:.")
    assert seen == sorted(["./a.txt", "./d/x.txt", "./d/.hidden", "./d/sub/y.txt", "./abs.txt", "./b/renamed", "./c/a.txt",
                           "./dd/x.txt", "./dd/.hidden", "./dd/sub/y.txt", "./from-list"]), seen


@test("quoted patterns are expanded; no match is refused")
def _(home):
    for name in ("data/1.csv", "data/2.csv", "data/deep/3.csv", "data/x.txt"):
        home.file(name, name)
    assert ls(home, "-u", "data/*.csv") == ["./data/1.csv", "./data/2.csv"]
    assert ls(home, "-u", "data/**/*.csv", job="k") == ["./data/1.csv", "./data/2.csv", "./data/deep/3.csv"]
    result = home.kq("sub", "--no-wait", "-u", "data/*.nope", "true")
    assert result.code == 2 and "data/*.nope" in result.err, result


@test("the unquoted glob after -u is noticed")
def _(home):
    for name in ("data/1.csv", "data/2.csv"):
        home.file(name, name)
    refused(home, "-u", "data/1.csv", "data/2.csv", "python3", "x.py", says=("data/2.csv", "quote"))


@test("missing, unreadable, special and dangling inputs are refused with their path")
def _(home):
    refused(home, "-u", "missing.txt", "true", says=("missing.txt",))
    os.mkfifo(os.path.join(home.cwd, "fifo"))
    refused(home, "-u", "fifo", "true", says=("fifo",))
    home.file("d/f", "x")
    os.symlink("nowhere", os.path.join(home.cwd, "d/dangling"))
    refused(home, "-u", "d", "true", says=("d/dangling",))
    os.unlink(os.path.join(home.cwd, "d/dangling"))
    os.symlink("..", os.path.join(home.cwd, "d/loop"))
    refused(home, "-u", "d", "true", says=("loop",))
    os.unlink(os.path.join(home.cwd, "d/loop"))
    with open(os.path.join(os.fsencode(home.cwd), b"d", b"bad\xff"), "wb"):
        pass
    refused(home, "-u", "d", "true", says=("\\x",))
    if os.getuid() != 0:
        home.file("secret", "x", mode=0)
        refused(home, "-u", "secret", "true", says=("secret",))


@test("destinations that climb or are absolute, and two sources for one, are refused")
def _(home):
    home.file("a", "1")
    home.file("b", "2")
    for dst in ("../x", "/x", "y/../../x"):
        refused(home, "-u", f"a:{dst}", "true", says=("a",))
    refused(home, "-u", "a:z", "-u", "b:z", "true", says=("a", "b", "z"))
    refused(home, "-u", "a:z", "-u", "b:z/y", "true", says=("z",))
    home.file("same", "1")
    assert home.kq("sub", "--no-nodes", "--no-wait", "-u", "a:z", "-u", "same:z", "-u", "./a:./z", "true").code == 0


@test("a list that includes itself is refused")
def _(home):
    home.file("l1", "@l2\n")
    home.file("l2", "@l1\n")
    refused(home, "-u", "@l1", "true", says=("l1",))


@test("symlinks bring their content; mode and mtime are kept; inputs are the task's own")
def _(home):
    path = home.file("real.sh", "#!/bin/sh\necho ran\n", mode=0o755)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    os.symlink("real.sh", os.path.join(home.cwd, "link.sh"))
    result = home.kq("sub", "-n", "j", "--fetch", "o", "-u", "link.sh", "-u", "real.sh",
                     "./link.sh; test ! -L link.sh; stat -c %Y real.sh; echo changed > real.sh; cat real.sh")
    assert result.code == 0, result
    assert home.read("o/1/stdout.txt") == "ran\n1000000000\nchanged\n", home.read("o/1/stdout.txt")
    assert home.read("real.sh").startswith("#!"), "the user's own file was changed"
    assert home.read("o/1/real.sh") == "changed\n", "a changed input is an output"
    assert not os.path.exists(os.path.join(home.cwd, "o/1/link.sh")), "an unchanged input is no output"


@test("^file uploads and names it; a climbing path lands under its base name; ^^ is a literal ^")
def _(home):
    home.file("s/b.py", "print('b')")
    home.file("../up.py", "print('up')")
    result = home.kq("sub", "-n", "j", "--fetch", "o", "sh", "-c", 'echo "$@"; python3 "$1"; python3 "$2"', "x", "^s/b.py", "^../up.py", "^^lit")
    assert result.code == 0, result
    assert home.read("o/1/stdout.txt") == "s/b.py up.py ^lit\nb\nup\n", home.read("o/1/stdout.txt")


@test("a ^word that is no file is refused in the fine print's words")
def _(home):
    refused(home, "grep", "^ERROR", says=('no file "ERROR" (to pass a word that begins with ^, write ^^ERROR)',))


@test("^program as the first word runs it; not executable is refused with the mend")
def _(home):
    home.file("run.sh", "#!/bin/sh\necho \"$0 $1\"\n", mode=0o755)
    result = home.kq("sub", "-n", "j", "--fetch", "o", "^run.sh", "x")
    assert result.code == 0 and home.read("o/1/stdout.txt") == "./run.sh x\n", result
    home.file("plain.sh", "echo\n")
    result = home.kq("sub", "--no-wait", "^plain.sh", "x")
    assert result.code == 2 and "plain.sh is not executable (chmod +x, or: sh '^plain.sh')" in result.err, result


@test("^ inside a one-word line is pointed out")
def _(home):
    home.file("a.py", "")
    refused(home, "python3 ^a.py", says=("-u a.py",))


@test("^ and --cd: the word is the path as seen from there")
def _(home):
    home.file("a.py", "import os;print(os.path.basename(os.getcwd()), 'a')")
    home.file("s/r.py", "print('r')")
    result = home.kq("sub", "-n", "j", "--cd", "s", "--fetch", "o", "sh", "-c", 'echo "$@"; python3 "$1"; python3 "$2"', "x", "^a.py", "^s/r.py")
    assert result.code == 0, result
    assert home.read("o/1/stdout.txt") == "../a.py r.py\ns a\nr\n", home.read("o/1/stdout.txt")
    for bad in ("/tmp", "../x"):
        result = home.kq("sub", "--no-wait", "--cd", bad, "true")
        assert result.code == 2, result


@test("inputs by placeholder belong to their task only")
def _(home):
    home.file("d/1.txt", "one")
    home.file("d/2.txt", "two")
    home.file("p.csv", "f\n1\n2\n")
    result = home.kq("sub", "-n", "j", "-p", "p.csv", "-u", "d/{f}.txt", "--fetch", "o", "sh", "-c", "find . -type f; cat d/*.txt", "x", "^d/{f}.txt")
    assert result.code == 0, result
    assert home.read("o/2/stdout.txt") == "./d/2.txt\ntwo", home.read("o/2/stdout.txt")
    home.file("q.csv", "f\n1\n3\n")
    result = home.kq("sub", "--no-wait", "-p", "q.csv", "-u", "d/{f}.txt", "true")
    assert result.code == 2 and "d/3.txt" in result.err, result


@test("nothing is uploaded twice, and the lines say so in the seed's words")
def _(home):
    home.file("a.txt", "hello\n")
    first = home.kq("sub", "-n", "j1", "--no-nodes", "--no-wait", "-u", "a.txt", "true")
    assert "Uploading a.txt (6 bytes)" in first.err, first
    second = home.kq("sub", "-n", "j2", "--no-nodes", "--no-wait", "-u", "a.txt", "true")
    assert "Already in CAS cache, skipping upload of a.txt" in second.err, second
    os.rename(os.path.join(home.cwd, "a.txt"), os.path.join(home.cwd, "b.txt"))
    third = home.kq("sub", "-n", "j3", "--no-nodes", "--no-wait", "-u", "b.txt", "true")
    assert "Already in CAS cache, skipping upload of b.txt" in third.err, third


@test("the same size and time with other content is noticed")
def _(home):
    path = home.file("a.txt", "first\n")
    home.kq("sub", "-n", "j1", "--no-nodes", "--no-wait", "-u", "a.txt", "true")
    st = os.stat(path)
    home.file("a.txt", "other\n")
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
    result = home.kq("sub", "-n", "j2", "--fetch", "o", "-u", "a.txt", "cat a.txt")
    assert result.code == 0 and home.read("o/1/stdout.txt") == "other\n", result


@test("--dry-run prints what would be and changes nothing")
def _(home):
    home.file("a.txt", "x" * 1000)
    result = home.kq("sub", "--dry-run", "-u", "a.txt", "--seq", "7", "true")
    assert result.code == 0, result
    text = result.out + result.err
    assert "7" in text and "1000" in text.replace(",", ""), result
    assert home.kq("list", "-q").out == ""
    assert home.kq("sub", "--dryrun", "-u", "nope", "true").code == 2


main()
