#!/usr/bin/env python3
"""Checks the one-way layers: a file may include headers of its own layer and of those below.

cas, queue and nodes are siblings that do not know each other; only script includes Lua headers.
Prints TAP.
"""
import os
import re
import sys

LEVEL = {"base": 1, "model": 2, "sys": 3, "net": 4, "cas": 5, "queue": 5, "nodes": 5, "work": 6,
         "script": 7, "cli": 8}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)
LUA = ("lua.h", "lauxlib.h", "lualib.h", "lua-cjson.h")


def faults(root):
    for folder, _, names in sorted(os.walk(os.path.join(root, "src"))):
        for name in sorted(names):
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.join(folder, name)
            layer = os.path.relpath(path, os.path.join(root, "src")).split(os.sep)[0]
            if layer not in LEVEL:
                yield path, f"lies in no known layer ({layer})"
                continue
            with open(path, encoding="utf-8") as source:
                text = source.read()
            for own, system in INCLUDE.findall(text):
                if system in LUA and layer not in ("script", "cli"):
                    yield path, f"includes <{system}>: only script knows Lua"
                other = own.split("/")[0] if "/" in own else None
                if own and other not in LEVEL:
                    yield path, f'includes "{own}": write the path from src/'
                elif own and other != layer and LEVEL[other] >= LEVEL[layer]:
                    yield path, f'includes "{own}": {other} is not below {layer}'


def main():
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    found = [f"{os.path.relpath(path, root)} {why}" for path, why in faults(root)]
    print(("not " if found else "") + "ok 1 - includes run downwards only")
    for line in found:
        print("#   " + line)
    print("1..1")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
