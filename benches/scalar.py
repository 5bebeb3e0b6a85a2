#!/usr/bin/env python3
"""Times the scalar tape and other reverse-mode engines on the same programs, in turns, in one table.

The gradients are compared first: each engine's must equal ours. Rust's engines are built from crates.io; ADOL-C is used if
its headers are installed (`apt-get install libadolc-dev`), micrograd is installed from PyPI into a temporary environment
(benches/peers/.venv-scalar), unless SCALAR_PYTHON is the path of a Python that has it.
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
PEERS = HERE / "peers" / "scalar"
# The largest difference of a directional derivative from ours, relative to the sum of its terms' magnitudes.
BOUND = 1e-9
# The least time of each program, engine and variant.
Least = dict[tuple[str, str, str], dict]
PLAIN = {"wengert": "plain Rust", "adolc": "plain C++", "micrograd": "plain Python"}


def cargo(manifest: Path, *arguments: str) -> Path:
    """Builds for this machine, in a separate target directory, since other builds have other flags. Returns it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "scalar"
    flags = {"RUSTFLAGS": "-C target-cpu=native", "CARGO_PROFILE_RELEASE_LTO": "fat"}
    command = ["cargo", "build", "--release", "--quiet", "--manifest-path", str(manifest), *arguments]
    subprocess.run(command, check=True, env={**os.environ, **flags, "CARGO_TARGET_DIR": str(target)})
    return target / "release"


def python() -> str:
    if "SCALAR_PYTHON" in os.environ:
        return os.environ["SCALAR_PYTHON"]
    venv = HERE / "peers" / ".venv-scalar"
    if not (venv / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    install = ["-m", "pip", "install", "-q", "-r", PEERS / "requirements.txt"]
    subprocess.run([venv / "bin" / "python", *install], check=True)
    return str(venv / "bin" / "python")


def engines(without: list[str]) -> dict[str, list[str]]:
    """The commands, ours first."""
    ours = cargo(ROOT / "Cargo.toml", "-p", "wengert-benches", "--bin", "scalar") / "scalar"
    commands = {"wengert": [str(ours)]}
    if "rust" not in without:
        # One of them requires a newer compiler than it needs.
        release = cargo(PEERS / "Cargo.toml", "--locked", "--features", "xad", "--ignore-rust-version")
        commands["rust"] = [str(release / "scalar-peers")]
    if "adolc" not in without:
        out = ours.parent / "adolc"
        made = subprocess.run(["make", "-s", "-C", str(PEERS), f"OUT={out.parent}"], stderr=subprocess.PIPE, text=True)
        if made.returncode == 0:
            commands["adolc"] = [str(out)]
        else:
            print(f"without ADOL-C, which does not build here:\n{made.stderr}", file=sys.stderr)
    if "micrograd" not in without:
        commands["micrograd"] = [python(), str(PEERS / "p1.py")]
    return commands


def rows(command: list[str], *arguments: str) -> list[dict]:
    out = subprocess.run([*command, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def compare(commands: dict[str, list[str]], programs: str) -> None:
    """Exits if an engine's gradients differ from ours."""
    ours, count = {}, 0
    for command in commands.values():
        for row in rows(command, "--check", "--programs", programs):
            want = ours.setdefault(row["program"], row)
            gap = abs(row["slope"] - want["slope"])
            # Written this way, NaN is too far.
            if not gap <= BOUND * want["size"]:
                sys.exit(f"{row['program']} in {row['variant']}: {row['slope']}, where wengert has {want['slope']}")
            count += 1
    print(f"gradients of {count} variants agree to {BOUND:g}", file=sys.stderr)


def label(engine: str, variant: str) -> str:
    if variant == "plain":
        return PLAIN[engine]
    return f"wengert, {variant}" if engine == "wengert" else variant


def variants(least: Least):
    """Program, engine, variant, its row, and its time relative to plain numbers and to ours."""
    for (program, engine, variant), row in least.items():
        # The engines from crates.io have the same plain numbers as ours.
        if variant == "plain" and engine == "rust":
            continue
        by = (least[program, engine, "plain"]["ns"], least[program, "wengert", "operators"]["ns"])
        yield program, engine, variant, row, *(row["ns"] / other for other in by)


def table(least: Least) -> str:
    form = "{:4} {:19} {:>9} {:>9} {:>9} {:>9}"
    lines = [form.format("", "", "ns/op", "bytes/op", "by plain", "by ours")]
    # The sort is stable: within a program, the engines keep their order.
    for program, engine, variant, row, plain, ours in sorted(variants(least), key=lambda v: v[0]):
        size = f"{row['bytes']:.1f}" if row["bytes"] > 0 else ""
        name = label(engine, variant)
        lines.append(form.format(program, name, figure(row["ns"]), size, f"{plain:.2f}", f"{ours:.2f}"))
    return "\n".join(lines)


def markdown(least: Least) -> str:
    """Three tables with one row per engine: ns/op with the ratio to plain in parentheses; the ratio to ours; bytes/op."""
    time, by_ours, size = {}, {}, {}
    for program, engine, variant, row, plain, ours in variants(least):
        name = label(engine, variant)
        by = "" if variant == "plain" else f" ({figure(plain)})"
        time.setdefault(name, {})[program] = figure(row["ns"]) + by
        if variant != "plain" and engine != "wengert":
            by_ours.setdefault(name, {})[program] = figure(ours)
        if row["bytes"] > 0:
            size.setdefault(name, {})[program] = figure(row["bytes"])
    programs = sorted({program for program, _, _ in least})
    return "\n\n".join(grid(cells, programs) for cells in (time, by_ours, size))


def grid(cells: dict[str, dict[str, str]], programs: list[str]) -> str:
    lines = [["", *programs], ["---", *("--:" for _ in programs)]]
    lines += [[name, *(of.get(program, "") for program in programs)] for name, of in cells.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(ns: float) -> str:
    """A time with three digits."""
    return f"{ns:.0f}" if ns >= 100 else f"{ns:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", default="p1,p2,p3a,p3b,p4,p5")
    parser.add_argument("--turns", type=int, default=5, help="the least time of all turns counts")
    parser.add_argument("--millis", type=int, default=100, help="measuring time of a variant in a turn")
    parser.add_argument("--without", default="", help="engines to leave out: rust, adolc, micrograd")
    parser.add_argument("--markdown", action="store_true", help="the tables of the book")
    args = parser.parse_args()

    commands = engines(args.without.split(","))
    compare(commands, args.programs)
    least: Least = {}
    for _ in range(args.turns):
        for name, command in commands.items():
            one = ["--json", "--rounds", "1", "--millis", str(args.millis), "--programs", args.programs]
            for row in rows(command, *one):
                at = least.setdefault((row["program"], name, row["variant"]), row)
                at["ns"] = min(at["ns"], row["ns"])

    print(markdown(least) if args.markdown else table(least))
    first = [float(subprocess.check_output([*commands["wengert"], "--first"])) for _ in range(21)]
    print(f"\nP1's first gradient in a new process: {statistics.median(first):.0f} µs, at least {min(first):.0f} µs")


if __name__ == "__main__":
    main()
