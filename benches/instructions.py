#!/usr/bin/env python3
"""Counts the instructions of ten small training steps with valgrind, and compares them with a file of this folder:
`instructions.tsv` for the release build, `instructions-dev.tsv` with --dev for the build of the tests, which CI has already made.

The exit status is 1 if a count is more than 3 % larger than the one in the file. A count depends on the compiler: with another
version of Rust than the file's, the comparison is printed but fails nothing.

    python3 benches/instructions.py             compare
    python3 benches/instructions.py --write     write both files; the commit says why the counts changed

valgrind presents the same processor (AVX2, one cache hierarchy) on every machine, so that a count does not depend on the machine.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# The build, where its program is, and the file of its counts.
RELEASE = (["--release", "-p", "wengert-benches"], "release", HERE / "instructions.tsv")
DEV = (["--workspace", "--all-features"], "debug", HERE / "instructions-dev.tsv")
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


def a_step(binary: Path, name: str) -> int:
    """The number of instructions of one step."""
    first = count(binary, name, FIRST)
    # The process varies by some thousands of instructions, so that short steps are repeated more often.
    steps = 4 if first > 10_000_000 else 40
    return (count(binary, name, FIRST + steps) - first) // steps


def read(file: Path) -> tuple[str, dict[str, int]]:
    """The version of Rust in a file, and the counts."""
    version, counts = "", {}
    for line in file.read_text().splitlines():
        if line.startswith("# "):
            version = line[2:]
        else:
            name, number = line.split("\t")
            counts[name] = int(number)
    return version, counts


def compare(build: list, folder: str, file: Path, write: bool) -> bool:
    """Counts with one build; whether no count has grown."""
    environment = {**os.environ, "CARGO_INCREMENTAL": "0", "CARGO_PROFILE_DEV_DEBUG": "0"}
    command = ["cargo", "build", "--quiet", "--bin", "instructions", *build]
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    binary = TARGET / folder / "instructions"
    version = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    names = subprocess.run([binary, "--list"], check=True, capture_output=True, text=True).stdout.split()

    known, before = read(file) if file.exists() else ("", {})
    grown, lines = [], [f"# {version}"]
    print(f"{'instructions a step':20} {'before':>12} {'now':>12} {'change':>8}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, now in zip(names, pool.map(lambda name: a_step(binary, name), names)):
            old = before.get(name)
            change = f"{now / old - 1:+8.1%}" if old else f"{'new':>8}"
            print(f"{name:20} {old or 0:12,} {now:12,} {change}", flush=True)
            lines.append(f"{name}\t{now}")
            if not old or now > old * (1 + LIMIT):
                grown.append(name)

    if write:
        partial = file.with_suffix(".partial")
        partial.write_text("\n".join(lines) + "\n")
        partial.replace(file)
        return True
    if grown and version != known:
        print(f"the counts in {file.name} are those of {known}; this is {version}: nothing is compared")
        return True
    if grown:
        print(f"more than {LIMIT:.0%} above {file.name}: {', '.join(grown)}")
        print("if that is intended: python3 benches/instructions.py --write, and say why in the commit")
    return not grown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="count with the build of the tests")
    parser.add_argument("--write", action="store_true", help="write the counts of both builds")
    args = parser.parse_args()
    builds = [RELEASE, DEV] if args.write else [DEV] if args.dev else [RELEASE]
    return 0 if all([compare(*build, args.write) for build in builds]) else 1


if __name__ == "__main__":
    sys.exit(main())
