#!/usr/bin/env python3
"""Put the fetched tiles of the sample job together into one PNG: montage.py RESULTS_DIR OUT.png

RESULTS_DIR is what `kubeque fetch` made: tasks.csv says which task rendered which place, and
RESULTS_DIR/<n>/tile.pgm is the picture of it.
"""
import csv
import math
import os
import struct
import sys
import zlib


def read_pgm(path):
    with open(path, "rb") as source:
        data = source.read()
    magic, width, height, _ = data.split(b"\n", 1)[0].split()
    if magic != b"P5":
        sys.exit(f"{path} is no grey picture")
    return int(width), int(height), data.split(b"\n", 1)[1]


def palette():
    """Colours by iteration count: dark blue over gold to white, black inside."""
    colours = []
    for count in range(255):
        t = math.sqrt(count / 254)
        colours.append(bytes(
            int(255 * max(0.0, min(1.0, channel)))
            for channel in (1.6 * t - 0.1, 1.4 * t * t, 0.35 + 0.9 * math.sin(math.pi * t) * (1 - t))))
    colours.append(b"\0\0\0")
    return colours


def write_png(path, width, rows):
    """PNG, 8 bits a channel (RFC 2083), by temporary name and rename."""
    def chunk(kind, body):
        return (struct.pack(">I", len(body)) + kind + body
                + struct.pack(">I", zlib.crc32(kind + body)))
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    part = path + ".part"
    with open(part, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n")
        out.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)))
        out.write(chunk(b"IDAT", packed))
        out.write(chunk(b"IEND", b""))
    os.replace(part, path)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: montage.py RESULTS_DIR OUT.png")
    results, target = sys.argv[1:]
    with open(os.path.join(results, "tasks.csv"), newline="", encoding="utf-8") as source:
        tasks = list(csv.DictReader(source))
    bad = [task["kq_task"] for task in tasks if task["kq_state"] != "complete(code=0)"]
    if not tasks or bad:
        sys.exit(f"these tasks did not succeed: {', '.join(bad) or '(there are none)'}")
    xs = sorted({float(task["x_scale"]) for task in tasks})
    ys = sorted({float(task["y_scale"]) for task in tasks}, reverse=True)
    colours = palette()
    place = {(float(t["x_scale"]), float(t["y_scale"])): t["kq_task"] for t in tasks}
    rows = []
    width = 0
    for y in ys:
        tiles = [read_pgm(os.path.join(results, place[x, y], "tile.pgm")) for x in xs]
        width = sum(tile[0] for tile in tiles)
        for line in range(tiles[0][1]):
            rows.append(b"".join(
                b"".join(colours[value] for value in tile[2][line * tile[0]:(line + 1) * tile[0]])
                for tile in tiles))
    write_png(target, width, rows)
    print(f"{len(tasks)} tiles, {width} x {len(rows)} pixels")


if __name__ == "__main__":
    main()
