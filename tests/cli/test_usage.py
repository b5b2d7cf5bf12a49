"""Words on the command line: usage errors, exit codes, help."""
import re

from kq import main, test


def refused(result, code=2):
    assert result.code == code, result
    assert result.out == "", result
    stamped = [line for line in result.err.splitlines() if re.match(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line)]
    assert stamped, result
    assert "stack traceback" not in result.err, result


@test("no command: help on stderr, exit 2")
def _(home):
    result = home.kq()
    assert result.code == 2 and result.out == "" and "sub" in result.err and "fetch" in result.err, result


@test("help goes to stdout, for all and for one command")
def _(home):
    result = home.kq("help")
    assert result.code == 0 and "sub" in result.out and result.err == "", result
    for words in (("help", "sub"), ("sub", "--help"), ("sub", "-h")):
        result = home.kq(*words)
        assert result.code == 0 and "--params" in result.out, result


@test("every command of the contract has help")
def _(home):
    for name in ("sub status watch logs fetch kill reset retry clean du list shell listparams addnodes nodes explain "
                 "dumpjob validate config version help consume").split():
        result = home.kq(name, "--help")
        assert result.code == 0 and name in result.out, result


@test("unknown command: the nearest name is offered")
def _(home):
    result = home.kq("stauts")
    refused(result)
    assert "status" in result.err, result


@test("unknown option: the nearest name is offered, in the fine print's words")
def _(home):
    result = home.kq("sub", "--parms", "x.csv", "true")
    refused(result)
    assert "kubeque sub: unknown option --parms (did you mean --params?)" in result.err, result


@test("an abbreviated option is refused and the full name offered")
def _(home):
    result = home.kq("sub", "--param", "x.csv", "true")
    refused(result)
    assert "--params" in result.err, result


@test("an option without its value, and a flag with one, are refused")
def _(home):
    refused(home.kq("sub", "--name"))
    refused(home.kq("sub", "--no-wait=1", "true"))


@test("sub without a command is refused")
def _(home):
    refused(home.kq("sub"))


@test("version says its own and the libraries' versions")
def _(home):
    result = home.kq("version")
    assert result.code == 0, result
    for word in ("kubeque", "Lua", "SQLite", "OpenSSL"):
        assert word.lower() in result.out.lower(), result
    assert home.kq("--version").code == 0


@test("common options are taken before and after the command's name")
def _(home):
    assert home.kq("--debug", "version").code == 0
    assert home.kq("version", "--debug").code == 0


@test("no such job: exit 3, also for LAST in an empty store")
def _(home):
    for command in ("status", "watch", "logs", "fetch", "kill", "retry", "dumpjob", "explain"):
        for job in ("nosuchjob", "LAST"):
            result = home.kq(command, job)
            assert result.code == 3, result
            assert job in result.err or "no job" in result.err.lower(), result


@test("a glob that matches nothing is no error")
def _(home):
    for command in ("status", "kill", "clean", "reset"):
        result = home.kq(command, "nosuch*")
        assert result.code == 0, result


@test("memory 5Q, negative timeout, bad numbers are refused, nothing is stored")
def _(home):
    for words in (("-r", "memory=5Q"), ("--timeout", "-1"), ("--retries", "x"), ("--priority", "1.5"), ("-r", "cpu=-1"),
                  ("--max-running", "0"), ("--seq", "0"), ("--seq", "1..5..0"), ("--seq", "200000000"), ("--timeout", "5x"),
                  ("-r", "cpu"), ("--env", "=x"), ("--env", "KQ_JOB=1"), ("-j", "0")):
        result = home.kq("sub", "--no-wait", *words, "true")
        refused(result)
    assert home.kq("list", "-q").out == "", "something was stored"


@test("a resource larger than any node can have is refused at submission")
def _(home):
    for words in ("cpu=100000", "memory=100000T", "licence=3", "gpu=64"):
        result = home.kq("sub", "--no-wait", "-r", words, "true")
        refused(result)
        assert words.split("=")[0] in result.err, result
    result = home.kq("sub", "--no-wait", "-r", "memroy=1G", "true")
    refused(result)
    assert "memory" in result.err, result


@test("an image is refused for now with a sentence; none is not")
def _(home):
    result = home.kq("sub", "--no-wait", "-i", "debian:12", "true")
    refused(result)
    assert "container" in result.err or "image" in result.err, result
    assert home.kq("sub", "--no-nodes", "--no-wait", "-i", "none", "true").code == 0


@test("job ids: bad ones are refused with the reason")
def _(home):
    for name in ("a/b", "", "x" * 500, "-x", ".x", "LAST", "job.3", "job.3-7", "a b", "ä"):
        result = home.kq("sub", "--no-nodes", "--no-wait", f"--name={name}", "true")
        refused(result)
    for name in ("a", "sample-job", "A_b.c-1", "x" * 100, "v1.2x"):
        assert home.kq("sub", "--no-nodes", "--no-wait", "-n", name, "true").code == 0, name


@test("an id in use is refused in the contract's words, with a way out")
def _(home):
    assert home.kq("sub", "--no-nodes", "--no-wait", "-n", "sample-job", "true").code == 0
    result = home.kq("sub", "--no-nodes", "--no-wait", "-n", "sample-job", "true")
    refused(result)
    assert 'Existing job with id "sample-job", aborting!' in result.err, result
    assert "use another name, or --clean to replace it, or --rerun to run what did not succeed" in result.err, result


@test("generated ids look as the contract says")
def _(home):
    result = home.kq("sub", "-q", "--no-nodes", "--no-wait", "true")
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}\n", result.out), result


@test("options that exclude each other are refused")
def _(home):
    home.file("p.csv", "a\n1\n")
    refused(home.kq("sub", "-p", "p.csv", "--seq", "3", "true"))
    refused(home.kq("sub", "--no-wait", "--fetch", "d", "true"))
    refused(home.kq("sub", "--clean", "--rerun", "-n", "x", "true"))


@test("a broken pipe on stdout ends quietly")
def _(home):
    import subprocess
    from kq import BINARY
    home.kq("sub", "--no-nodes", "--no-wait", "--seq", "20000", "-n", "big", "echo", "{index}")
    done = subprocess.run(["bash", "-c", f"'{BINARY}' listparams big - | head -1; echo ${{PIPESTATUS[0]}}"], env=home.env, cwd=home.cwd,
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.splitlines()[-1] in ("141", "0"), done
    assert done.stderr == "", done


main()
