#!/usr/bin/env python3
"""Count the words of a file: count.py FILE writes counts.json."""
import collections
import json
import re
import sys

with open(sys.argv[1], encoding="utf-8") as source:
    words = collections.Counter(re.findall(r"[a-z]+", source.read().lower()))
with open("counts.json", "w", encoding="utf-8") as out:
    json.dump(words, out, sort_keys=True)
