#!/usr/bin/env python3
"""Times every operation of wengert and of PyTorch, forward and backward, on several shapes, and prints a table of ratios.

The rows are in benches/src/opbench: shapes that people use, shapes and values that are hard. Both engines get the same numbers and are
asked in turns, row by row, so that a ratio compares two measures of the same seconds. Before a row is timed, shapes, values and
gradients of the two are compared. A row whose ratio is above the limit needs a reason in benches/peers/torch/ops-reasons.toml;
otherwise the exit code is 1. PyTorch is installed as for peers.py.
"""
import argparse
import fnmatch
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from environment import PEERS, ROOT, TARGET, torch_python, write_block

REASONS = PEERS / "torch" / "ops-reasons.toml"
BOOK = ROOT / "docs" / "src" / "operator-speed.md"


class Engine:
    """A program that answers commands line by line."""

    def __init__(self, command: list, threads: int):
        env = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, command: str) -> dict:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[0]} ended at `{command}`")
        return json.loads(line)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def cpu() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "unknown CPU"
    found = dict(re.findall(r"^(model name|model|cpu family)\s*: (.*)$", info, re.M))
    flags = re.search(r"^flags\s*: (.*)$", info, re.M)
    wide = "AVX-512" if flags and "avx512f" in flags[1].split() else "AVX2"
    number = f"family {found.get('cpu family', '?')}, model {found.get('model', '?')}"
    return f"{found.get('model name', 'unknown CPU')} ({number}, {wide})"


def reasons() -> dict:
    """Reason by pattern; a pattern is an operation, or an operation and a case."""
    with open(REASONS, "rb") as file:
        return tomllib.load(file)


def reason_of(row: dict, table: dict) -> str:
    name = f"{row['op']} | {row['case']}"
    # Brackets are those of shapes, not of fnmatch.
    match = lambda pattern: fnmatch.fnmatchcase(name, re.sub(r"\[", "[[]", pattern))
    return next((why for pattern, why in table.items() if pattern in (row["op"], row["op"].split(" (")[0]) or match(pattern)), "")


def difference(ours: dict, theirs: dict) -> str:
    """What differs in shapes, values or gradients, if anything does."""
    if ours["shapes"] != theirs["shapes"]:
        return f"shapes {ours['shapes']}, in PyTorch {theirs['shapes']}"
    for what in ("values", "gradients"):
        for k, (a, b) in enumerate(zip(ours[what], theirs[what])):
            a, b = float(a), float(b)
            same = a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-3 * max(abs(a), abs(b)) + 1e-6
            if not same:
                return f"sum of {what} {k}: {a:g}, in PyTorch {b:g}"
    return ""


def seconds(t: float) -> str:
    return f"{t * 1e6:.1f} μs" if t < 1e-3 else f"{t * 1e3:.2f} ms"


def measure(rows: list, chosen: list, args, path: str) -> list:
    threads = ["--threads", str(args.threads)]
    ours = Engine([str(TARGET / "release" / "bench-ops"), *threads], args.threads)
    theirs = Engine([torch_python(), str(PEERS / "torch" / "ops.py"), path, *threads], args.threads)
    why, out, start = reasons(), [], time.monotonic()
    for n, k in enumerate(chosen):
        if time.monotonic() - start > args.seconds:
            print(f"stopped after {n} of {len(chosen)} rows", file=sys.stderr)
            break
        row = rows[k]
        result = {"op": row["op"], "case": row["case"], "torch": row["torch"]}
        a, b = ours.ask(f"check {k}"), theirs.ask(f"check {k}")
        if "error" in a or "error" in b:
            result["error"] = a.get("error", "") or f"PyTorch: {b['error']}"
        else:
            wrong = difference(a, b) if row["compared"] else ""
            if a["shapes"] != b["shapes"] or wrong:
                result["error"] = wrong or f"shapes {a['shapes']}, in PyTorch {b['shapes']}"
        if "error" not in result:
            turns = []
            for _ in range(args.turns):
                turns.append((ours.ask(f"time {k} {args.ms}"), theirs.ask(f"time {k} {args.ms}")))
                if sum(reply.get("both", 0.0) for reply in turns[0]) > 0.3:
                    break  # Slow calls need no repetition.
            failed = [reply["error"] for turn in turns for reply in turn if "error" in reply]
            if failed:
                result["error"] = failed[0]
        if "error" not in result:
            for what in ("forward", "both"):
                result[what] = {
                    "ours": statistics.median(a[what] for a, _ in turns),
                    "torch": statistics.median(b[what] for _, b in turns),
                    "ratio": statistics.median(a[what] / b[what] for a, b in turns),
                }
            result["worst"] = max(result["forward"]["ratio"], result["both"]["ratio"])
        result["reason"] = reason_of(row, why)
        out.append(result)
        if args.progress and (n + 1) % 50 == 0:
            print(f"{n + 1} of {len(chosen)} rows, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    ours.close()
    theirs.close()
    return out


def cells(r: dict) -> list:
    if "error" in r:
        return [r["op"], r["case"], *[""] * 6, r["error"]]
    f, b = r["forward"], r["both"]
    times = [seconds(f["ours"]), seconds(f["torch"]), f"{f['ratio']:.2f}", seconds(b["ours"]), seconds(b["torch"]), f"{b['ratio']:.2f}"]
    return [r["op"], r["case"], *times, r["reason"] if r["worst"] > 1.5 else ""]


HEAD = ["operation", "operands", "forward", "PyTorch", "ratio", "with backward", "PyTorch", "ratio", "reason"]


def text(results: list) -> str:
    lines = [HEAD, *(cells(r) for r in results)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    widths[1] = min(widths[1], 60)
    right = range(2, 8)
    pad = lambda i, c: c.rjust(widths[i]) if i in right else c.ljust(widths[i]) if i < 8 else c
    return "\n".join("  ".join(pad(i, c) for i, c in enumerate(line)).rstrip() for line in lines)


def summary(results: list, limit: float) -> dict:
    timed = [r for r in results if "error" not in r]
    above = [r for r in timed if r["worst"] > limit]
    middle = lambda what: statistics.median(r[what]["ratio"] for r in timed) if timed else math.nan
    return {
        "rows": len(results),
        "operations": len({r["op"].split(" (")[0] for r in results}),
        "median forward": middle("forward"),
        "median with backward": middle("both"),
        "above the limit": len(above),
        "without a reason": len([r for r in above if not r["reason"]]),
        "errors": len(results) - len(timed),
    }


def words(s: dict, limit: float) -> str:
    return (
        f"{s['operations']} operations, {s['rows']} rows: median ratio {s['median forward']:.2f} forward, "
        f"{s['median with backward']:.2f} with backward; {s['above the limit']} rows above {limit:g}, "
        f"{s['without a reason']} of them without a reason" + (f"; {s['errors']} rows failed" if s["errors"] else "")
    )


def jumps(results: list, factor: float = 3.0) -> list:
    """Operations with a row whose ratio is far above that of their other rows: a cliff of one shape or one kind of value."""
    by_op = {}
    for r in results:
        if "error" not in r:
            by_op.setdefault(r["op"], []).append(r)
    found = []
    for op, rows in by_op.items():
        for what in ("forward", "both"):
            middle = statistics.median(r[what]["ratio"] for r in rows)
            for r in rows:
                if len(rows) > 2 and r[what]["ratio"] > max(factor * middle, 0.8):
                    found.append((r[what]["ratio"] / middle, r, what, middle))
    return sorted(found, key=lambda f: -f[0])


def book(results: list, args, version: str, machine: str) -> None:
    """Writes this CPU's block of the page."""
    name = f"{machine}, {args.threads} thread{'s' if args.threads > 1 else ''}"
    s = summary(results, args.limit)
    lines = [f"### {name}", "", f"PyTorch {version}. {words(s, args.limit)}.", ""]
    lines += [f"| {' | '.join(HEAD)} |", f"|---|---|{'---:|' * 6}---|"]
    for r in results:
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells(r)) + " |")
    write_block(BOOK, name, "\n".join(lines))


def run(args) -> tuple[str, list]:
    """PyTorch's version, and the results of the chosen rows."""
    build = ["cargo", "build", "--release", "--quiet", "-p", "wengert-benches", "--bin", "bench-ops"]
    subprocess.run(build, check=True, cwd=ROOT)
    described = subprocess.run([TARGET / "release" / "bench-ops", "--describe"], check=True, stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in described.stdout.splitlines()]
    patterns = args.op.split(",")
    wanted = lambda r: any(fnmatch.fnmatchcase(n, p) for p in patterns for n in (r["op"], r["op"].split(" (")[0]))
    chosen = [k for k, r in enumerate(rows) if wanted(r) and args.values in ("", r["values"])]
    if not chosen:
        sys.exit(f"no rows of {args.op}")
    version = subprocess.run(
        [torch_python(), "-c", "import torch; print(torch.__version__)"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(described.stdout)
        file.flush()
        return version, measure(rows, chosen, args, file.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--op", default="*", help="operations, with * and ?, separated by commas")
    parser.add_argument("--values", default="", help="only rows of these values: ordinary, denormal or special")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3, help="measures of each row in each engine")
    parser.add_argument("--ms", type=int, default=12, help="milliseconds of each measure")
    parser.add_argument("--limit", type=float, default=1.5, help="the largest ratio that needs no reason")
    parser.add_argument("--only-slow", action="store_true", help="print only rows above the limit, worst first")
    parser.add_argument("--json", help="write all results to this file")
    parser.add_argument("--read", help="read the results from a file of --json instead of measuring; reasons are today's")
    parser.add_argument("--book", action="store_true", help=f"write the table to {BOOK.relative_to(ROOT)}, in the block of this CPU")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after this time, with the rows measured until then")
    parser.add_argument("--progress", action="store_true", help="say how far it is")
    args = parser.parse_args()
    if args.book and (args.op != "*" or args.values):
        parser.error("--book needs all rows")

    machine = cpu()
    if args.read:
        data = json.loads(Path(args.read).read_text())
        machine, args.threads, version, results = data["cpu"], data["threads"], data["pytorch"], data["rows"]
        table = reasons()
        for r in results:
            r["reason"] = reason_of(r, table)
    else:
        version, results = run(args)

    shown = results
    if args.only_slow:
        shown = sorted((r for r in results if r.get("worst", math.inf) > args.limit), key=lambda r: -r.get("worst", math.inf))
    print(f"{machine}, {args.threads} threads, PyTorch {version}, medians of {args.turns} turns\n")
    print(text(shown))
    steep = jumps(results)
    if steep:
        print("\nratios far above those of the other rows of their operation:")
        for factor, r, what, middle in steep:
            which = "forward" if what == "forward" else "with backward"
            print(f"  {r['op']} {r['case']}: {r[what]['ratio']:.2f} {which}, the others {middle:.2f}")
    s = summary(results, args.limit)
    print("\n" + words(s, args.limit))
    if args.json:
        data = {"cpu": machine, "threads": args.threads, "pytorch": version, "summary": s, "rows": results}
        Path(args.json).write_text(json.dumps(data, indent=1))
    if args.book:
        book(results, args, version, machine)
    sys.exit(1 if s["without a reason"] or s["errors"] else 0)


if __name__ == "__main__":
    main()
