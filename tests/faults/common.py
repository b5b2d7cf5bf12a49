"""What the fault tests share: looking at a store from outside."""
import hashlib
import json
import os
import signal
import sqlite3

ROUNDS = int(os.environ.get("KUBEQUE_FAULT_ROUNDS", "1"))  # more by hand: the same test, longer


def rows(home, sql, *values):
    db = sqlite3.connect(f"file:{os.path.join(home.path, 'queue.db')}?mode=ro", uri=True, timeout=30)
    try:
        return db.execute(sql, values).fetchall()
    finally:
        db.close()


def counts(home, job):
    """The labels of a job, as a dict."""
    result = home.kq("status", job)
    if result.code == 3:
        return None
    assert result.code == 0, result
    text = result.out.strip().split(": ", 1)[1].split("  nodes")[0]
    return {label: int(count) for label, count in (part.rsplit(": ", 1) for part in text.split(", "))}


def results_dir(home, job):
    return os.path.join(home.path, "results", job)


def check_results(home, job, count, text=None, place=None):
    """Every result is there, whole, and of the accepted attempt; returns the parsed result.json."""
    dump = json.loads(home.kq("dumpjob", job).out)
    assert len(dump["tasks"]) == count, len(dump["tasks"])
    found = []
    for task in dump["tasks"]:
        n = task["task"]
        where = os.path.join(place or results_dir(home, job), str(n))
        with open(os.path.join(where, "result.json"), encoding="utf-8") as source:
            result = json.load(source)
        accepted = [attempt for attempt in task["attempts"] if attempt["attempt"] == task["accepted"]]
        assert len(accepted) == 1, task
        assert result["attempt"] == task["accepted"] and result["node"] == accepted[0]["node"], (result, task)
        for entry in result["files"]:
            path = os.path.join(where, os.path.basename(entry["dst_url"]) if entry["src"] != entry["dst_url"] and "/" not in entry["src"] else entry["src"])
            with open(path, "rb") as source:
                data = source.read()
            assert len(data) == entry["bytes"] and hashlib.sha256(data).hexdigest() == entry["sha256"], (path, entry)
        if text is not None:
            with open(os.path.join(where, "stdout.txt"), encoding="utf-8") as source:
                assert source.read() == text(n), (n, where)
        found.append(result)
    return found


def leftovers(home):
    """What should not be there once everything ended and `clean` has run."""
    bad = []
    for folder, names, files in os.walk(home.path):
        here = os.path.relpath(folder, home.path)
        for name in files + names:
            path = os.path.join(here, name)
            if path == "CAS/.tmp":  # where temporary names live; it stays, empty
                continue
            if ".tmp" in here or name.endswith(".tmp") or "/.attempts/" in f"/{here}/":
                bad.append(path)
            if here == "work" or here.startswith("work/"):
                bad.append(path)
    return bad


def kill9(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
