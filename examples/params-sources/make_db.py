#!/usr/bin/env python3
"""Make samples.db, a small SQLite data base: make_db.py FILE"""
import sqlite3
import sys

with sqlite3.connect(sys.argv[1]) as db:
    db.execute("CREATE TABLE sample(id INTEGER PRIMARY KEY, site TEXT, depth REAL, usable INTEGER)")
    db.executemany("INSERT INTO sample(site, depth, usable) VALUES (?,?,?)",
                   [("north", 1.5, 1), ("north", 3.25, 0), ("south", 2.0, 1), ("o'hara, east", 0.75, 1)])
