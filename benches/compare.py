#!/usr/bin/env python3
"""Times training steps of wengert and of PyTorch in turns and prints their ratio.

PyTorch is installed from PyPI into a temporary environment (benches/peers/.venv), unless PEER_PYTHON is the path of a Python
that has it.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TORCH = HERE / "peers" / "torch"


def peer_python() -> str:
    if "PEER_PYTHON" in os.environ:
        return os.environ["PEER_PYTHON"]
    venv = HERE / "peers" / ".venv"
    python = venv / "bin" / "python"
    if not python.exists():
        print("installing PyTorch into", venv.relative_to(ROOT), file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", TORCH / "requirements.txt"], check=True)
    return str(python)


def lines(command: list) -> dict:
    """The JSON objects that a benchmark prints, by workload."""
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    rows = (json.loads(line) for line in out.splitlines() if line.startswith("{"))
    return {row["workload"]: row for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", default="w1,w9,w10")
    parser.add_argument("--seconds", type=float, default=3.0, help="measuring time per workload and turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()

    subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "wengert-benches"], check=True, cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    common = ["--threads", str(args.threads), "--seconds", str(args.seconds), "--json"]
    ours = [str(target / "release" / "steps"), *common]
    theirs = [peer_python(), str(TORCH / "bench.py"), *common]

    print(f"{args.threads} threads, medians of {args.turns} turns of {args.seconds} s each\n")
    print(f"{'':4} {'wengert':>22} {'PyTorch eager':>22} {'ratio':>7}   (ms a step; peak resident MB)")
    for name in args.workload.split(","):
        turns = []
        for _ in range(args.turns):
            a, b = lines([*ours, "--workload", name]), lines([*theirs, "--workload", name])
            key = next(iter(a))
            turns.append((a[key], b[key]))
        ms = [statistics.median(t[i]["ms"] for t in turns) for i in (0, 1)]
        mb = [max(t[i].get("peak_rss_mb") or 0 for t in turns) for i in (0, 1)]
        ratio = statistics.median(a["ms"] / b["ms"] for a, b in turns)
        cells = [f"{m:.4f} ({r:.0f})" for m, r in zip(ms, mb)]
        variant = turns[0][1].get("variant", "")
        print(f"{key:4} {cells[0]:>22} {cells[1]:>22} {ratio:7.2f}   {variant}", flush=True)


if __name__ == "__main__":
    main()
