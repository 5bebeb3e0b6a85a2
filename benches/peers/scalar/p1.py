#!/usr/bin/env python3
"""P1, the network of benches/src/scalar/programs.rs, in micrograd and in plain Python.

Prints one JSON object per line, like the other engines' binaries with --json or with --check.
"""
import argparse
import json
import math
import time

from micrograd.engine import Value

WIDTHS, WEIGHTS, OPS = (16, 32, 32, 1), 1633, 3202


def numbers(n: int) -> list[float]:
    return [(i * 7919 + 13) % 10_007 / 5003.5 - 1.0 for i in range(n)]


def tanh(x: Value) -> Value:
    """tanh, defined as micrograd's documentation adds a function, since micrograd has only relu."""
    t = math.tanh(x.data)
    out = Value(t, (x,), "tanh")

    def backward():
        x.grad += (1 - t * t) * out.grad

    out._backward = backward
    return out


def network(w, x, tanh):
    h, at = x, 0
    for layer, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        after = []
        for _ in range(outputs):
            total = w[at]
            for i in range(inputs):
                total = total + w[at + 1 + i] * h[i]
            at += inputs + 1
            after.append(tanh(total) if layer < 2 else total)
        h = after
    e = h[0] - 0.5
    return e * e


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", default="p1")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--millis", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="as it is without")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if "p1" not in args.programs.lower().split(","):
        return
    weights, x = [0.3 * w for w in numbers(WEIGHTS)], numbers(WIDTHS[0])

    def gradient() -> list[float]:
        w = [Value(v) for v in weights]
        network(w, x, tanh).backward()
        return [v.grad for v in w]

    if args.check:
        terms = [g * d for g, d in zip(gradient(), numbers(WEIGHTS))]
        size = sum(map(abs, terms))
        print(json.dumps({"program": "P1", "variant": "micrograd", "slope": sum(terms), "size": size}))
        return
    runs = {"plain": lambda: network(weights, x, math.tanh), "micrograd": gradient}
    best = dict.fromkeys(runs, math.inf)
    for _ in range(args.rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            while time.perf_counter() - begin < args.millis / 1000:
                one = time.perf_counter()
                run()
                best[name] = min(best[name], time.perf_counter() - one)
    for name, seconds in best.items():
        print(json.dumps({"program": "P1", "variant": name, "ns": seconds * 1e9 / OPS, "bytes": 0}))


if __name__ == "__main__":
    main()
