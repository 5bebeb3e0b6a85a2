#!/usr/bin/env python3
"""PyTorch's side of the table of operations.

    ops.py ROWS --threads 2

ROWS is a file of the rows that `bench-ops --describe` prints. Commands are read from the standard input, `check ROW` or
`time ROW MILLISECONDS`, and each is answered with a line of JSON, as `benches/src/opbench/main.rs` does.
"""

import argparse
import functools
import gc
import json
import statistics
import sys
import time
from math import prod

import torch
import torch.nn.functional as F

MASK = 0xFFFFFFFF


@functools.lru_cache(maxsize=16)
def noise(n: int, salt: int) -> torch.Tensor:
    """The random integers of `noise` in `main.rs`."""
    h = torch.arange(n, dtype=torch.int64) + (salt * 0x01000193 & MASK)
    h = ((h & MASK) * 0x9E3779B1) & MASK
    h ^= h >> 15
    h = (h * 0x85EBCA77) & MASK
    return h ^ (h >> 13)


def floats(shape: list, salt: int, low: float, high: float, values: str = "ordinary") -> torch.Tensor:
    v = low + (high - low) * (noise(prod(shape), salt).double() / 4294967296.0)
    if values == "denormal":
        v *= 1e-39
    if values == "special":
        v[3::16] = float("inf")
        v[11::16] = float("nan")
    return v.float().reshape(shape)


def filled(x: dict, salt: int, values: str) -> torch.Tensor:
    shape = list(x["shape"])
    if x["turned"]:
        shape[-2], shape[-1] = shape[-1], shape[-2]
    if x["fill"] == "between":
        t = floats(shape, salt, x["low"], x["high"], values)
    else:
        n = shape[-1]
        t = floats(shape, salt, -1.0, 1.0)
        t = (t + t.mT) * 0.5 if x["fill"] == "symmetric" else t
        t = t + torch.eye(n) * n
    return t.mT if x["turned"] else t


def plain(p: dict, salt: int) -> torch.Tensor:
    n = prod(p["shape"])
    if p["kind"] == "index":
        return (noise(n, salt) % p["below"]).reshape(p["shape"])
    if p["kind"] == "distinct":
        return (torch.arange(n) * 7919 % p["below"]).reshape(p["shape"])
    if p["kind"] == "mask":
        return (noise(n, salt) >> 31 == 1).reshape(p["shape"])
    return floats(p["shape"], salt, p["low"], p["high"])


class Bench:
    def __init__(self, row: dict):
        self.x = [filled(x, k, row["values"]).detach().requires_grad_() for k, x in enumerate(row["x"])]
        i = [plain(p, 100 + k) for k, p in enumerate(row["i"])]
        names = {"torch": torch, "F": F, "x": self.x, "i": i}
        self.call = eval(f"lambda: {row['torch']}", names)  # The expressions are ours: those of main.rs.
        self.cotangents = [floats(list(y.shape), 200 + k, -1.0, 1.0) for k, y in enumerate(self.outputs())]

    def outputs(self) -> tuple:
        y = self.call()
        return (y,) if isinstance(y, torch.Tensor) else tuple(y)

    def both(self):
        y = self.call()
        if isinstance(y, torch.Tensor):
            return torch.autograd.grad(y, self.x, self.cotangents[0], allow_unused=True)
        used = [(v, g) for v, g in zip(y, self.cotangents) if v.requires_grad]
        return torch.autograd.grad([v for v, _ in used], self.x, [g for _, g in used], allow_unused=True)

    def check(self) -> dict:
        y = self.outputs()
        size = lambda t: 0.0 if t is None else t.detach().double().abs().sum().item()
        return {
            "shapes": [list(v.shape) for v in y],
            "values": [str(size(v)) for v in y],
            "gradients": [str(size(g)) for g in self.both()],
        }

    def time(self, budget: float) -> dict:
        return {"forward": median(budget, self.call), "both": median(budget, self.both)}


def median(budget: float, f) -> float:
    """As `median` in `main.rs`."""
    clock = time.perf_counter
    f()
    start = clock()
    f()
    once = max(clock() - start, 50e-9)
    calls = min(max(int(20e-6 / once), 1), 200)
    times = [once] if calls == 1 else []
    start = clock()
    least = 1 if once > 0.2 else 3
    while len(times) < least or clock() - start + once < budget:
        turn = clock()
        for _ in range(calls):
            f()
        times.append((clock() - turn) / calls)
    return statistics.median_high(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    with open(args.rows) as file:
        rows = [json.loads(line) for line in file]
    # The collector of cycles would stop a measure now and then; what it would collect goes between two rows.
    gc.disable()
    gc.freeze()
    current, bench = None, None
    for line in sys.stdin:
        command, row, *rest = line.split()
        try:
            if current != row:
                current, bench = None, None
                gc.collect()
                bench, current = Bench(rows[int(row)]), row
            reply = bench.check() if command == "check" else bench.time(float(rest[0]) / 1e3)
        except Exception as e:  # One row that fails must not end the run.
            reply = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
