#!/usr/bin/env python3
"""Trains models of wengert's zoo and the same models in PyTorch, and compares.

Curves: the same initial weights, data, batches, noise and options; compared are the losses of 50 steps in f64 and of 10 in f32,
and the final weights. Metrics: a short training from each side's own initial weights, over several seeds; compared are the
metrics on held-out samples. The exit code is 1 if a difference is above its bound. PyTorch is installed as for peers.py.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from environment import HERE, ROOT, torch_python

# The largest relative differences of losses, by element type; for f64 also of the final weights and buffers.
BOUNDS = {"f64": 1e-6, "f32": 1e-3}
# The largest difference of two means, in its standard errors.
ERRORS = 2.0


def run(command: str, arguments: list) -> list:
    """The output lines of both sides, in pairs."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    call = [str(target / "release" / "parity"), command, *arguments]
    ours = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
    call = [torch_python(), str(HERE / "peers" / "torch" / "parity.py"), command]
    theirs = subprocess.run(call, check=True, input=ours, stdout=subprocess.PIPE, text=True).stdout
    return list(zip(map(json.loads, ours.splitlines()), map(json.loads, theirs.splitlines()), strict=True))


def difference(ours: list, theirs: list) -> float:
    """The largest relative difference of two curves; infinite if a loss is NaN (null) or infinite."""
    if len(ours) != len(theirs):
        return math.inf
    worst = 0.0
    for a, b in zip((x for step in ours for x in step), (x for step in theirs for x in step), strict=True):
        finite = a is not None and math.isfinite(a) and math.isfinite(b) and b != 0
        worst = max(worst, abs(a - b) / abs(b) if finite else math.inf)
    return worst


def curves(models: list, folder: str) -> dict:
    print("Losses of the same steps: largest relative difference\n")
    head = ["model", "optimizer", "schedule", "clip", "losses f64", "weights f64", "losses f32", "first loss", "last loss"]
    row(head)
    row(["---"] * len(head))
    far, lines = {}, {}
    for ours, theirs in run("curves", ["--folder", folder, *models]):
        lines.setdefault(ours["model"], {})[ours["dtype"]] = (ours, theirs)
    for name, both in lines.items():
        gaps = {dtype: difference(o["losses"], t["losses"]) for dtype, (o, t) in both.items()}
        ours, theirs = both["f64"]
        plan = ours["plan"]
        schedule = plan["schedule"]["class"] if plan["schedule"] else "-"
        row([name, plan["optimizer"]["class"], schedule, plan["clip"] or "-", f"{gaps['f64']:.1e}",
             f"{theirs['weights']:.1e}", f"{gaps['f32']:.1e}", numbers(ours["losses"][0]), numbers(ours["losses"][-1])])
        for dtype, gap in gaps.items():
            if gap > BOUNDS[dtype]:
                far[name] = f"losses in {dtype} are {gap:.1e} apart, the bound is {BOUNDS[dtype]:.0e}"
        if theirs["weights"] > BOUNDS["f64"]:
            far[name] = f"{theirs['worst']} is {theirs['weights']:.1e} apart, the bound is {BOUNDS['f64']:.0e}"
    print(f"\nPyTorch {theirs['version']}; bounds: " + ", ".join(f"{k} {v:.0e}" for k, v in BOUNDS.items()))
    return far


def metrics(models: list, folder: str, seeds: int, again: int) -> dict:
    print(f"\nHeld-out samples after a short training: mean ± standard error over {seeds} seeds\n")
    head = ["model", "metric", "steps", "wengert", "PyTorch", "difference", "in standard errors", "seconds"]
    row(head)
    row(["---"] * len(head))
    far, total = {}, [0.0, 0.0]
    for ours, theirs in run("metrics", ["--folder", folder, "--seeds", str(seeds), *models]):
        apart = compare(ours, theirs, seeds, total)
        if not apart <= ERRORS and again:
            # With few seeds, some of a dozen models differ by more than this by chance: new seeds decide.
            arguments = ["--folder", folder, "--seed", str(seeds), "--seeds", str(again), "--model", ours["model"]]
            apart = compare(*run("metrics", arguments)[0], again, total)
        if not apart <= ERRORS:
            far[ours["model"]] = f"metrics are {apart:.1f} standard errors apart, the bound is {ERRORS}"
    print(f"\n{total[0]:.0f} s of training here, {total[1]:.0f} s in PyTorch")
    return far


def compare(ours: dict, theirs: dict, seeds: int, total: list) -> float:
    """Prints a line; returns the difference of the means in standard errors."""
    sides = [ours["metrics"], theirs["metrics"]]
    mean = [statistics.mean(side) for side in sides]
    error = [statistics.stdev(side) / math.sqrt(len(side)) for side in sides]
    gap = mean[0] - mean[1]
    apart = abs(gap) / math.hypot(*error) if gap else 0.0
    cells = [f"{m:.4g} ± {e:.2g}" for m, e in zip(mean, error)]
    times = [ours["seconds"], theirs["seconds"]]
    total[:] = [a + b for a, b in zip(total, times)]
    name = ours["model"] if ours["seed"] == 0 else f"{ours['model']}, {seeds} new seeds"
    row([name, ours["plan"]["metric"], ours["plan"]["steps"], *cells, f"{gap:+.2g}", f"{apart:.1f}",
         " / ".join(f"{t:.1f}" for t in times)])
    return apart


def numbers(losses: list) -> str:
    return ", ".join(f"{x:.3f}" for x in losses)


def row(cells: list) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="", help="only these, separated by commas")
    parser.add_argument("--seeds", type=int, default=3, help="of each side, for the metrics")
    parser.add_argument("--again", type=int, default=12, help="new seeds for a model that is too far, or 0")
    parser.add_argument("--only", choices=["curves", "metrics"])
    args = parser.parse_args()
    build = ["cargo", "build", "--release", "--quiet", "-p", "wengert-benches", "--bin", "parity"]
    subprocess.run(build, check=True, cwd=ROOT)
    models = ["--model", args.model] if args.model else []
    far = {}
    with tempfile.TemporaryDirectory() as folder:
        if args.only != "metrics":
            far |= curves(models, folder)
        if args.only != "curves":
            far |= metrics(models, folder, args.seeds, args.again)
    for name, why in far.items():
        print(f"{name}: {why}", file=sys.stderr)
    sys.exit(1 if far else 0)


if __name__ == "__main__":
    main()
