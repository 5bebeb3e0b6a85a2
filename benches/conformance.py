#!/usr/bin/env python3
"""Compares values and gradients of wengert's operations with PyTorch's, in f64, on random calls.

Each operation's largest difference is printed, relative to the larger of 1 and the largest element compared. The exit
code is 1 if any is above the bound. PyTorch is installed as for peers.py.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from environment import ROOT, torch_python

BOUND = 1e-9
# The operations with an exception: a wider bound if PyTorch itself is less exact, or inputs that are avoided (with the same
# bound as for all) if conventions differ.
EXPLAINED = {
    "celu": (1e-7, "PyTorch's gradient has 1/alpha in single precision"),
    "hardsigmoid": (1e-8, "PyTorch's gradient has 1/6 in single precision"),
    "digamma": (1e-8, "PyTorch's trigamma is exact to 1e-9 only"),
    "digamma (negative)": (1e-8, "PyTorch's trigamma is exact to 1e-9 only"),
    "polygamma (1)": (1e-8, "PyTorch's trigamma is exact to 1e-9 only"),
    "softplus": (BOUND, "without the threshold beyond which PyTorch gives x itself"),
    "clamp_between": (BOUND, "values apart from their bounds: equals share here, PyTorch gives all to the value"),
    "cummax": (BOUND, "different numbers: of equals the first is taken here, the last by PyTorch"),
    "cummin": (BOUND, "different numbers: of equals the first is taken here, the last by PyTorch"),
    "median": (BOUND, "different numbers: of equals PyTorch takes any"),
    "median_along": (BOUND, "different numbers: of equals PyTorch takes any"),
    "topk": (BOUND, "different numbers: of equals PyTorch takes any"),
    "quantile": (BOUND, "different numbers: of equals PyTorch takes any"),
    "argsort": (BOUND, "different numbers: of equals PyTorch takes any"),
    "scatter": (BOUND, "no place twice: PyTorch gives the gradient to all that write there, not to the last alone"),
    "put": (BOUND, "no place twice: as for scatter"),
    "index_copy": (BOUND, "no place twice: as for scatter"),
    "index_put": (BOUND, "no place twice: as for scatter"),
    "max_unpool1d": (BOUND, "no place twice: as for scatter"),
    "max_unpool2d": (BOUND, "no place twice: as for scatter"),
    "diagonal": (BOUND, "inside the matrix: PyTorch refuses others, here they are empty"),
    "group_norm": (BOUND, "more than one element a group: PyTorch refuses one"),
    "instance_norm": (BOUND, "more than one element a channel: PyTorch refuses one"),
    "cross_entropy (options)": (BOUND, "not all rows ignored: PyTorch's mean is NaN, here it is 0"),
    "conv_transpose1d": (BOUND, "output padding below the stride: PyTorch takes it below the dilation too"),
    "conv_transpose2d": (BOUND, "output padding below the stride: PyTorch takes it below the dilation too"),
    "margin_ranking": (BOUND, "apart from the margin: there the gradient is 0 here, PyTorch's passes"),
    "hinge_embedding": (BOUND, "apart from the margin: there the gradient is 0 here, PyTorch's passes"),
    "triplet_margin": (BOUND, "apart from the margin: there the gradient is 0 here, PyTorch's passes"),
    "cosine_embedding": (BOUND, "apart from the margin: there the gradient is 0 here, PyTorch's passes"),
}


def evaluate(lines) -> int:
    """Evaluates and compares, in a Python that has PyTorch."""
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
        where_it_was = f"case {case['case']}: {case['torch']} of {[t['shape'] for t in case['x']]}"
        try:
            y = eval(case["torch"], {"torch": torch, "F": F, "x": x, "i": i})
            if list(y.shape) != case["y"]["shape"]:
                raise ValueError(f"shape {list(y.shape)} in PyTorch, {case['y']['shape']} in wengert")
        except Exception as e:
            worst[case["op"]] = (worst.get(case["op"], (0,))[0] + 1, float("inf"), float("inf"))
            where.setdefault(case["op"], f"{where_it_was}: {e}")
            continue
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
            where[case["op"]] = where_it_was
    width = max(map(len, worst), default=9)
    print(f"{'operation':{width}}  calls     value  gradient")
    for op, (count, value, gradient) in worst.items():
        mark = ""
        if op in where:
            mark = f"   TOO FAR in {where[op]}"
        elif op in EXPLAINED:
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
    theirs = subprocess.run([torch_python(), __file__, "--evaluate"], stdin=ours.stdout)
    # Otherwise ours would wait for a reader forever if theirs ended early.
    ours.stdout.close()
    sys.exit(theirs.returncode or ours.wait())


if __name__ == "__main__":
    main()
