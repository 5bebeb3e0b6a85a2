#!/usr/bin/env python3
"""Compares values and gradients of wengert's operations with PyTorch's, in f64, on random calls.

Each operation's largest difference is printed, relative to the larger of 1 and the largest element compared. The exit
code is 1 if any is above the bound. PyTorch is installed as for compare.py.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from compare import ROOT, peer_python

BOUND = 1e-9
# Where PyTorch itself is less exact: a wider bound, and why.
EXPLAINED = {
    "celu": (1e-7, "PyTorch's gradient has 1/alpha in single precision"),
    "hardsigmoid": (1e-8, "PyTorch's gradient has 1/6 in single precision"),
}


def evaluate(lines) -> int:
    """Runs under the Python that has PyTorch."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)

    def tensor(t, grad=False):
        values = [float(v) for v in t["values"]]
        return torch.tensor(values, dtype=torch.float64).reshape(t["shape"]).requires_grad_(grad)

    def plain(t):
        return torch.tensor(t["values"], dtype=getattr(torch, t["type"])).reshape(t["shape"])

    def difference(got, want):
        if list(got.shape) != list(want.shape):
            return float("inf")
        if got.numel() == 0:
            return 0.0
        same = (got == want) | (got.isnan() & want.isnan())
        finite = want[want.isfinite()]
        scale = max(1.0, finite.abs().max().item() if finite.numel() else 1.0)
        gap = torch.where(same, torch.zeros_like(got), (got - want).abs())
        gap = gap.nan_to_num(nan=float("inf")).max().item()
        return gap / scale

    worst, where = {}, {}
    for line in lines:
        case = json.loads(line)
        x = [tensor(t, grad=True) for t in case["x"]]
        i = [plain(t) for t in case["i"]]
        y = eval(case["torch"], {"torch": torch, "F": F, "x": x, "i": i})
        value = difference(tensor(case["y"]), y.detach())
        gradient = 0.0
        grads = (
            torch.autograd.grad(y, x, tensor(case["gy"]), allow_unused=True)
            if y.requires_grad
            else [None] * len(x)
        )
        for ours, theirs, of in zip(case["gx"], grads, x):
            zero = torch.zeros_like(of)
            ours = zero if ours is None else tensor(ours)
            gradient = max(gradient, difference(ours, zero if theirs is None else theirs))
        count, v, g = worst.get(case["op"], (0, 0.0, 0.0))
        worst[case["op"]] = (count + 1, max(v, value), max(g, gradient))
        bound, _ = EXPLAINED.get(case["op"], (BOUND, ""))
        if max(value, gradient) > bound and case["op"] not in where:
            where[case["op"]] = f"case {case['case']}: {case['torch']} of {[t['shape'] for t in case['x']]}"
    width = max(map(len, worst), default=9)
    print(f"{'operation':{width}}  calls     value  gradient")
    for op, (count, value, gradient) in worst.items():
        mark = ""
        if op in where:
            mark = f"   TOO FAR in {where[op]}"
        elif max(value, gradient) > BOUND:
            mark = f"   {EXPLAINED[op][1]}"
        print(f"{op:{width}}  {count:5}  {value:8.1e}  {gradient:8.1e}{mark}")
    print(
        f"{len(worst)} operations, {sum(c for c, _, _ in worst.values())} calls, PyTorch {torch.__version__}: "
        f"largest difference {max((max(v, g) for _, v, g in worst.values()), default=0.0):.1e}, "
        f"{len(where)} operations too far ({BOUND:g} unless explained)"
    )
    return 1 if where or not worst else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=50, help="calls of each operation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--op", default="", help="only operations whose name contains this")
    parser.add_argument("--evaluate", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.evaluate:
        sys.exit(evaluate(sys.stdin))
    build = ["cargo", "build", "--release", "--quiet", "-p", "wengert-benches", "--bin", "conformance"]
    subprocess.run(build, check=True, cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    calls = [target / "release" / "conformance", "--cases", str(args.cases), "--seed", str(args.seed), "--op", args.op]
    ours = subprocess.Popen(calls, stdout=subprocess.PIPE)
    theirs = subprocess.run([peer_python(), __file__, "--evaluate"], stdin=ours.stdout)
    sys.exit(ours.wait() or theirs.returncode)


if __name__ == "__main__":
    main()
