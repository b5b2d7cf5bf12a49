#!/usr/bin/env python3
"""Add up the counts of many files: merge.py FILE... writes total.csv, most frequent first."""
import collections
import json
import sys

total = collections.Counter()
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as source:
        total.update(json.load(source))
with open("total.csv", "w", encoding="utf-8") as out:
    out.write("word,count\n")
    for word, count in sorted(total.items(), key=lambda item: (-item[1], item[0])):
        out.write(f"{word},{count}\n")
