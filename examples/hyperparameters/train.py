#!/usr/bin/env python3
"""Train a small model: train.py LR L2 EPOCHS [SEED]

Logistic regression by stochastic gradient descent on two interleaved half moons with a polynomial
basis, in plain Python. Writes score.json: {"loss": validation loss, "accuracy": ..}.
"""
import json
import math
import random
import sys


def moons(rng, count):
    """Points (x, y) of two noisy half moons and the class of each."""
    points = []
    for i in range(count):
        angle = rng.uniform(0, math.pi)
        x, y, label = math.cos(angle), math.sin(angle), i % 2
        if label:
            x, y = 1 - x, 0.5 - y
        points.append((x + rng.gauss(0, 0.12), y + rng.gauss(0, 0.12), label))
    return points


def features(x, y):
    return [x ** i * y ** j for i in range(4) for j in range(4 - i)]


def probability(weights, row):
    z = sum(w * f for w, f in zip(weights, row))
    return 1 / (1 + math.exp(-max(-30, min(30, z))))


def evaluate(weights, data):
    loss = hits = 0
    for row, label in data:
        p = probability(weights, row)
        loss -= math.log(max(p if label else 1 - p, 1e-12))
        hits += (p > 0.5) == bool(label)
    return loss / len(data), hits / len(data)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: train.py LR L2 EPOCHS [SEED]")
    rate, l2, epochs = float(sys.argv[1]), float(sys.argv[2]), int(float(sys.argv[3]))
    rng = random.Random(1)
    data = [(features(x, y), label) for x, y, label in moons(rng, 300)]
    train, check = data[:200], data[200:]
    rng = random.Random(int(sys.argv[4]) if len(sys.argv) == 5 else 0)
    weights = [rng.gauss(0, 0.1) for _ in train[0][0]]
    for _ in range(epochs):
        rng.shuffle(train)
        for row, label in train:
            error = probability(weights, row) - label
            weights = [w - rate * (error * f + l2 * w) for w, f in zip(weights, row)]
    loss, accuracy = evaluate(weights, check)
    with open("score.json", "w", encoding="utf-8") as out:
        json.dump({"loss": loss, "accuracy": accuracy}, out)
    print(f"loss {loss:.4f}, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
