#!/usr/bin/env python3
"""Counts the instructions of ten small training steps with valgrind, and compares them with benches/instructions.tsv.

The exit status is 1 if a count is more than 3 % larger than the one in the file. A count depends on the compiler: with another
version of Rust than the file's, the comparison is printed but fails nothing.

    python3 benches/instructions.py             compare
    python3 benches/instructions.py --write     write the file; the commit says why the counts changed

valgrind presents the same processor (AVX2, one cache hierarchy) on every machine, so that a count does not depend on the machine.
"""
import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FILE = HERE / "instructions.tsv"
LIMIT = 0.03
# The counts of the first steps are left out: they allocate buffers that later steps use again.
FIRST = 2


def count(binary: Path, name: str, steps: int) -> int:
    """The number of instructions of a process that runs these steps."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run([*command, binary, name, str(steps)], capture_output=True, text=True)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or not found:
        sys.exit(f"{name} failed under valgrind:\n{done.stderr}")
    return int(found.group(1).replace(",", ""))


def read() -> tuple[str, dict[str, int]]:
    """The version of Rust in the file, and the counts."""
    version, counts = "", {}
    for line in FILE.read_text().splitlines():
        if line.startswith("# "):
            version = line[2:]
        else:
            name, number = line.split("\t")
            counts[name] = int(number)
    return version, counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the counts to benches/instructions.tsv")
    args = parser.parse_args()

    build = ["cargo", "build", "--release", "--quiet", "-p", "wengert-benches", "--bin", "instructions"]
    subprocess.run(build, check=True, cwd=ROOT)
    binary = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "instructions"
    version = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    names = subprocess.run([binary, "--list"], check=True, capture_output=True, text=True).stdout.split()

    known, before = read() if FILE.exists() else ("", {})
    counts, grown = {}, []
    print(f"{'instructions a step':20} {'before':>12} {'now':>12} {'change':>8}")
    for name in names:
        first = count(binary, name, FIRST)
        # The process varies by some thousands of instructions, so that short steps are repeated more often.
        steps = 4 if first > 10_000_000 else 40
        counts[name] = (count(binary, name, FIRST + steps) - first) // steps
        old = before.get(name)
        change = f"{counts[name] / old - 1:+8.1%}" if old else f"{'new':>8}"
        print(f"{name:20} {old or 0:12,} {counts[name]:12,} {change}", flush=True)
        if not old or counts[name] > old * (1 + LIMIT):
            grown.append(name)

    if args.write:
        lines = [f"# {version}", *(f"{name}\t{number}" for name, number in counts.items())]
        partial = FILE.with_suffix(".partial")
        partial.write_text("\n".join(lines) + "\n")
        partial.replace(FILE)
        return 0
    if not grown:
        return 0
    if version != known:
        print(f"the counts in {FILE.name} are those of {known}; this is {version}: nothing is compared")
        return 0
    print(f"more than {LIMIT:.0%} above {FILE.name}: {', '.join(grown)}")
    print("if that is intended: python3 benches/instructions.py --write, and say why in the commit")
    return 1


if __name__ == "__main__":
    sys.exit(main())
