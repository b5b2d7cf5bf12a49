"""What the shells complete."""
import os
import subprocess

from kq import BINARY, Skip, main, test
from kqscripts import GREET, script


# ---- completion ----

def complete(home, *words, **options):
    result = home.kq("complete", "--", *words, **options)
    assert result.code == 0 and result.err == "", result
    return [line.split("\t")[0] for line in result.out.splitlines()]


@test("completion: commands, options, choices, job ids, files, one's own commands")
def _(home):
    script(home, "commands/greet.lua", GREET)
    assert "status" in complete(home, "") and "greet" in complete(home, "")
    assert complete(home, "gr") == ["greet"] and "complete" not in complete(home, "")
    assert complete(home, "greet", "--l") == ["--loud"]
    assert complete(home, "greet", "--mood", "") == ["good", "bad"] and complete(home, "greet", "--mood=g") == ["--mood=good"]
    assert complete(home, "greet", "x", "") == [":files"] and complete(home, "greet", "x", "y", "") == []
    assert complete(home, "status", "") == [], "no store: nothing, and none is made"
    assert not os.path.exists(home.path)
    assert home.kq("sub", "-q", "--no-nodes", "--no-wait", "-n", "my-job", "true").code == 0
    assert complete(home, "status", "") == ["LAST", "my-job"] and complete(home, "--plain", "logs", "my") == ["my-job"]
    assert complete(home, "sub", "--params", "") == [":files"] and complete(home, "fetch", "--dest", "") == [":dirs"]
    assert complete(home, "sub", "-n", "x", "echo", "-") == [":files"], "the command's own words"
    assert complete(home, "completion", "") == ["bash", "zsh", "fish"] and complete(home, "help", "expl") == ["explain"]
    assert complete(home, "--config", "") == [":files"] and complete(home, "scripts", "eject", "statu") == ["status"]
    assert complete(home, "nosuch", "") == [] and complete(home) != []
    script(home, "recipes/mine.lua", "")
    assert complete(home, "run", "m") == ["mine"] and complete(home, "run", "./") == [":files"]
    assert "memory" in complete(home, "sub", "--policy", "m")


@test("completion says nothing on stderr whatever is wrong")
def _(home):
    script(home, "commands/status.lua", "return {{")
    script(home, "commands/greet.lua", "while true do end")
    assert "--tasks" in complete(home, "status", "--")
    assert complete(home, "greet", "") == [] and "status" in complete(home, "s")
    home.file(".kubeque", "[config]\nlease = nonsense\n")
    assert complete(home, "status", "") == []


@test("bash completes with the function that completion prints")
def _(home):
    assert home.kq("sub", "-q", "--no-nodes", "--no-wait", "-n", "my-job", "true").code == 0
    home.file("a file.csv")
    driver = """
set -u
PATH=%s:$PATH
eval "$(kubeque completion bash)"
try() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _kubeque 2>&1; echo "${COMPREPLY[@]}"; }
try kubeque sta
try kubeque status my
try kubeque list --format = cs
complete -p kubeque
""" % os.path.dirname(BINARY)
    if os.path.basename(BINARY) != "kubeque":
        os.symlink(BINARY, os.path.join(home.top, "kubeque"))
        driver = driver.replace(os.path.dirname(BINARY), home.top)
    done = subprocess.run(["bash", "-c", driver], cwd=home.cwd, env=home.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["status", "my-job", "csv", "complete -F _kubeque kubeque"], done


def shell(home, name, text):
    """Runs text in a shell in which `kubeque` is the binary, or skips."""
    if subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, check=False).returncode != 0:
        raise Skip(f"{name} is not installed (apt install {name})")
    folder = os.path.join(home.top, "bin")
    os.makedirs(folder)
    os.symlink(BINARY, os.path.join(folder, "kubeque"))
    env = dict(home.env, PATH=folder + ":" + os.environ["PATH"])
    return subprocess.run([name, "-c", text], cwd=home.cwd, env=env, capture_output=True, text=True, timeout=60, check=False)


@test("fish completes with the function that completion prints")
def _(home):
    assert home.kq("sub", "-q", "--no-nodes", "--no-wait", "-n", "my-job", "true").code == 0
    done = shell(home, "fish", "kubeque completion fish | source; complete -C'kubeque status my'; complete -C'kubeque lis'")
    assert done.returncode == 0 and [w.split("\t")[0] for w in done.stdout.splitlines()] == ["my-job", "list", "listparams"], done


@test("zsh takes the function that completion prints")
def _(home):
    done = shell(home, "zsh", 'autoload -Uz compinit && compinit -u -D; eval "$(kubeque completion zsh)"; '
                              "echo $_comps[kubeque]; words=(kubeque stat) CURRENT=2; "
                              "_describe() { print -l ${(P)2} }; _kubeque")
    assert done.stdout.splitlines() == ["_kubeque", "status:show how jobs are doing"], done


main()
