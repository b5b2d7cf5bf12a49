"""The pages say what the program does: commands in README and guide run, references are up to date."""
import os
import re

from kq import main, test

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def page(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as source:
        return source.read()


@test("the README's own sweep works word for word")
def _(home):
    text = page("README.md")
    block = re.search(r"Make `params.csv`:\n\n((?:    .*\n)+)", text).group(1)
    home.file("params.csv", re.sub(r"^    ", "", block, flags=re.M))
    script = re.search(r"a script `train.sh`:\n\n((?:    .*\n)+)", text).group(1)
    home.file("train.sh", re.sub(r"^    ", "", script, flags=re.M))
    command = re.search(r"^    kubeque (sub -n sweep .*)$", text, re.M).group(1)
    import shlex
    result = home.kq(*shlex.split(command))
    assert result.code == 0, result
    assert home.kq("status", "sweep").out == "sweep: complete(code=0): 3  nodes: RUNNING: 1\n"
    assert home.kq("fetch", "sweep").code == 0
    assert home.read("sweep/1/model.txt") == "seed 1, rate 0.1\n"
    assert home.kq("logs", "sweep.2").out == "training with seed 2\n"
    assert "3" in home.kq("explain", "sweep.3").out
    assert home.kq("retry", "sweep").code == 0


@test("every link between the pages leads somewhere")
def _(home):
    for name in ["README.md"] + ["docs/" + entry for entry in os.listdir(os.path.join(ROOT, "docs"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page(name)):
            assert os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)), (name, target)


@test("docs/commands.md, docs/configuration.md and docs/lua-reference.md are what the program prints")
def _(home):
    for name, words in (("docs/commands.md", ("help", "--markdown")), ("docs/configuration.md", ("config", "--markdown")),
                        ("docs/lua-reference.md", ("help", "--lua-api=markdown"))):
        result = home.kq(*words)
        assert result.code == 0 and result.out == page(name), f"{name} is not up to date: make docs"


@test("every command that the guide and README name exists")
def _(home):
    known = home.kq("help").out
    for name in ("README.md", "docs/guide.md", "docs/formats.md"):
        for command in re.findall(r"`kubeque ([a-z]+)", page(name)) + re.findall(r"^    kubeque ([a-z]+)", page(name), re.M):
            assert re.search(rf"\b{command}\b", known), (name, command)


main()
