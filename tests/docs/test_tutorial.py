"""The tutorial of docs/lua.md, word for word."""
import os
import re
import shlex

from kq import main, test

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "lua.md")


@test("every file of the tutorial is saved, every command run, in order")
def _(home):
    with open(PAGE, encoding="utf-8") as source:
        text = source.read()
    for name, body in re.findall(r"as `([\w.]+)`:\n\n```\w+\n(.*?)```", text, re.S):
        home.file(name, body)
    seen = {}
    for line in re.findall(r"^    kubeque (.*)$", text, re.M):
        done = seen[line] = home.kq(*shlex.split(line))
        assert done.code == 0, done
    assert "best: x=0.3 k=1" in seen["run tune.lua"].out, seen["run tune.lua"]
    assert "mean loss: 0.15" in seen["run tune.lua"].out
    assert seen["sweep x=lin:0..1:11 k=1..3"].out.count("\n") == 34
    assert "75 means: try again later" in seen["explain shaky.1"].out
    assert "75 means: try again later" in seen["policy test ./flaky.lua shaky.1"].out
    assert "failures" in home.kq("help").out and home.kq("failures", "--help").code == 0


@test("the pieces of Lua in the tutorial compile")
def _(home):
    with open(PAGE, encoding="utf-8") as source:
        pieces = re.findall(r"```lua\n(.*?)```", source.read(), re.S)
    assert len(pieces) >= 3
    for i, piece in enumerate(pieces):
        name = home.file(f"piece{i}.lua", piece)
        done = home.kq("scripts", "check", name)
        assert done.code == 0, done


main()
