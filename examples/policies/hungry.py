#!/usr/bin/env python3
"""Uses as much memory as it is told: hungry.py MIB"""
import sys
import time

block = bytearray(int(sys.argv[1]) << 20)
for i in range(0, len(block), 4096):
    block[i] = 1
time.sleep(0.3)
print(f"used {sys.argv[1]} MiB")
