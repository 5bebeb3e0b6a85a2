#!/usr/bin/env python3
"""Times wengert, PyTorch (eager and compiled), JAX, candle and burn on the same workloads, in turns, in one table.

Each workload starts from the weights and inputs that wengert writes to a file, and a time counts only if the first loss of the
peer is wengert's. PyTorch and JAX are installed from PyPI into temporary environments in benches/peers, unless PEER_PYTHON or
JAX_PYTHON is the path of a Python that has them; candle and burn are built from crates.io. The chapter "Speed" of the book
says what is measured, and has the results.
"""
import argparse
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import environment
from environment import PEERS, ROOT

BOOK = ROOT / "docs" / "src" / "performance.md"
# The largest difference of a first loss from ours, relative to it. The losses are means of f32.
BOUND = 1e-4
TIMEOUT = 600

# Group -> title, and its workloads with what they are.
GROUPS = {
    "training": ("Training steps", {
        "w1": "MLP 784-512-512-10, batch 128, Adam",
        "w2": "CNN on 1×28×28, batch 64, Adam",
        "w3": "ResNet-20 on 3×32×32, batch 32, SGD with momentum",
        "w4": "Elman RNN, 64 steps, hidden 128, batch 32, Adam",
        "w5": "LSTM, 128 steps, hidden 256, batch 32, Adam",
        "w6": "GPT, 4 layers, width 256, 128 steps, batch 8, AdamW",
        "w7": "VAE 784-400-20, batch 128, Adam",
        "w8": "GAN of dense layers, batch 64, Adam",
        "w9": "MLP 4-16-16-1, batch 1, SGD",
        "w10": "mean(tanh(x w + b) σ(x)), 4 Mi elements",
    }),
    "layers": ("Layers, forward and backward", {
        "depthwise": "depthwise convolution 3×3, 16×96×28×28",
        "conv5x5s2": "convolution 5×5, stride 2, 8×32×56×56 to 64 channels",
        "conv7x7s2": "convolution 7×7, stride 2, 4×3×224×224 to 64 channels",
        "gru": "GRU, 64 steps, input 64, hidden 128, batch 32",
        "attention1000": "attention, 1,000 steps, 8 heads of 64, batch 2",
        "layernorm-wide": "layer norm, 512 rows of 4,096",
        "embedding50k": "embedding, 50,000×256, 4,096 ids",
        "batchnorm-nc": "batch norm, 4,096×512",
        "adamw-1e7": "AdamW, 10⁷ parameters",
    }),
    "chains": ("Functions written in plain operations", {
        "gelu-mlp": "two products, erf GELU and a dropout mask between, 1,024 rows",
        "swish-gate": "a gated unit of three products, 1,024 rows",
        "vae-loss": "binary cross-entropy and divergence, 512×784 and 512×64",
        "plain-layer-norm": "layer norm, 2,048 rows of 1,024",
        "pinn-residual": "residual of Burgers' equation, network 2-64-64-1, 4,096 points, third order",
        "plain-adam": "Adam, 4 Mi parameters",
    }),
    "inference": ("One sample, forward alone", {
        "infer-mlp": "MLP 784-512-512-10",
        "infer-lenet": "LeNet-5 on 1×28×28",
        "infer-resnet": "ResNet-20 on 3×32×32",
        "infer-lstm": "one step of a character LSTM, hidden 256",
        "infer-gpt": "GPT, 4 layers, width 256, 128 ids",
        "infer-vit": "ViT on 1×28×28, 4 layers, width 64",
    }),
}
WORKLOADS = {name: what for _, workloads in GROUPS.values() for name, what in workloads.items()}


@dataclass
class Engine:
    """How to run an engine."""

    name: str
    label: str
    groups: tuple = tuple(GROUPS)
    command: list = field(default_factory=list)

    def prepare(self) -> None:
        """Installs or builds it."""
        if self.name == "wengert":
            self.command = [str(environment.ours()), "--json"]
        elif self.name == "jax":
            self.command = [environment.jax_python(), str(PEERS / "jax" / "bench.py")]
        elif self.name.startswith("torch"):
            self.command = [environment.torch_python(), str(PEERS / "torch" / "bench.py")]
            self.command += ["--compile"] if self.name == "torch-compile" else []
        else:
            self.command = [str(environment.peer_crate(self.name))]


OURS = Engine("wengert", "wengert")
ENGINES = {engine.name: engine for engine in (
    Engine("torch", "PyTorch"), Engine("torch-compile", "torch.compile"), Engine("jax", "JAX"),
    Engine("candle", "candle", groups=("training",)), Engine("burn", "burn", groups=("training",)),
)}
LABELS = {engine.name: engine.label for engine in (OURS, *ENGINES.values())}


def run(command: list, threads: int) -> dict:
    """The JSON object that a program prints; with the key `error` if it fails. It runs on as many cores as it has threads."""
    env = {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    env |= {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")}
    # Unbound threads of OpenMP can end up on one core and spin at each other's barriers, which takes a hundred times as long.
    env |= {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    # What an earlier turn compiled.
    cache = environment.TARGET / "peers" / "cache"
    env |= {"TORCHINDUCTOR_CACHE_DIR": str(cache / "torch"), "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1"}

    def bind():
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))

    try:
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, preexec_fn=bind)
    except subprocess.TimeoutExpired:
        return {"error": f"takes longer than {TIMEOUT} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        return {"error": (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1][:200]}
    return json.loads(lines[-1])


def measure(engine: Engine, workload: str, data: Path, threads: int, seconds: float, variant: str | None) -> dict:
    """One turn of an engine. `variant` is that of an earlier turn; without one, the engine chooses its fastest first."""
    command = [*engine.command, "--workload", workload, "--threads", str(threads), "--seconds", str(seconds)]
    if engine is OURS:
        return run(command, threads)
    command += ["--data", str(data)]
    row = run([*command, "--variant", variant] if variant else command, threads)
    if "tried_ms" in row:
        tried = row["tried_ms"]
        row = run([*command, "--variant", row["variant"]], threads) | {"tried_ms": tried}
    return row


def compare(workload: str, engines: list, folder: Path, threads: int, args) -> list:
    """The rows of a workload, ours first: medians over the turns, or why there are none."""
    exported = run([*OURS.command, "--workload", workload, "--export", str(folder)], threads)
    if "error" in exported:
        sys.exit(f"{workload} in wengert: {exported['error']}")
    data, loss = Path(exported["file"]), exported["loss"]
    turns = {engine.name: [] for engine in (OURS, *engines)}
    for _ in range(args.turns):
        for engine in (OURS, *engines):
            past = turns[engine.name]
            if past and "ms" not in past[-1]:
                continue
            variant = past[-1].get("variant") if past else None
            row = measure(engine, workload, data, threads, args.seconds, variant)
            # Written this way, NaN is too far.
            if "ms" in row and not abs(row["loss"] - loss) <= BOUND * abs(loss):
                row = {"error": f"its first loss is {row['loss']:.7g}, wengert's is {loss:.7g}"}
            past.append(row)
    data.unlink()
    return [summary(name, workload, threads, rows) for name, rows in turns.items()]


def summary(engine: str, workload: str, threads: int, rows: list) -> dict:
    about = {"engine": engine, "workload": workload, "threads": threads}
    for row in rows:
        if "ms" not in row:
            return about | {key: row[key] for key in ("error", "skipped") if key in row}
    times = [row["ms"] for row in rows]
    more = {key: rows[0][key] for key in ("version", "build", "variant", "loss", "tried_ms") if key in rows[0]}
    return about | more | {
        "ms": statistics.median(times), "low": min(times), "high": max(times), "turns": len(times),
        "peak_rss_mb": max(row.get("peak_rss_mb") or 0 for row in rows),
    }


# What is measured on


def cpu() -> dict:
    """Name, cores and vector extensions of this machine's CPU."""
    try:
        text = subprocess.run(["lscpu"], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    except FileNotFoundError:
        text = ""
    found = dict(re.findall(r"^([^:\n]+):\s*(.*)$", text, re.MULTILINE))
    name = found.get("Model name", "unknown CPU")
    if "CPU family" in found:
        # Virtual machines often hide the rest of the name.
        name += f", family {found['CPU family']}, model {found.get('Model', '?')}"
    flags = set(found.get("Flags", "").split())
    named = {"avx2": "AVX2", "fma": "FMA", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 BF16", "amx_tile": "AMX", "asimd": "NEON"}
    vectors = [label for flag, label in named.items() if flag in flags]
    return {"name": f"{name}, {os.cpu_count()} cores", "vectors": ", ".join(vectors), "l2": found.get("L2 cache", ""),
            "l3": found.get("L3 cache", "")}


# Tables


def figure(ms: float) -> str:
    """A time with three digits."""
    if ms >= 100:
        return f"{ms:.0f}"
    return f"{ms:.3g}" if ms >= 1 else f"{ms:.4f}".rstrip("0") if ms < 0.1 else f"{ms:.3f}"


def count(threads: int) -> str:
    return "one thread" if threads == 1 else f"{threads} threads"


def cell(row: dict | None) -> str:
    if row is None:
        return ""
    if "ms" not in row:
        return "–"
    if row["turns"] == 1:
        return figure(row["ms"])
    return f"{figure(row['ms'])} ({figure(row['low'])}–{figure(row['high'])})"


def ratio(rows: dict) -> float | None:
    """Our time relative to the fastest peer's."""
    theirs = [row["ms"] for name, row in rows.items() if name != OURS.name and "ms" in row]
    return rows[OURS.name]["ms"] / min(theirs) if theirs and "ms" in rows.get(OURS.name, {}) else None


def by_workload(rows: list, threads: int) -> dict:
    """Workload -> engine -> row, in the order of the table of workloads."""
    found = {}
    for workload in WORKLOADS:
        of = {row["engine"]: row for row in rows if (row["workload"], row["threads"]) == (workload, threads)}
        if of:
            found[workload] = of
    return found


def text(workload: str, rows: list, threads: int) -> str:
    """The line of a workload in the terminal, and a line for each engine without a time."""
    of = {row["engine"]: row for row in rows}
    r = ratio(of)
    cells = [f"{LABELS[name]} {cell(row)}" for name, row in of.items() if "ms" in row]
    against = "" if r is None else f"  ratio {r:.2f}"
    lines = [f"{workload:14} {count(threads)}: {', '.join(cells)}{against}"]
    lines += [f"{'':14} {why}" for why in reasons({workload: of})]
    return "\n".join(lines)


def reasons(found: dict) -> list:
    """Why engines have no time."""
    lines = []
    for workload, of in found.items():
        for name, row in of.items():
            for key in ("skipped", "error"):
                if key in row:
                    lines.append(f"{workload} in {LABELS[name]}: {row[key]}")
    return lines


def variants(found: dict) -> list:
    """The fastest variants, where an engine has several."""
    lines = []
    for engine, label in LABELS.items():
        names = {workload: of[engine].get("variant", "default") for workload, of in found.items() if engine in of}
        some = [f"`{workload}` {name}" for workload, name in names.items() if name != "default"]
        if some:
            lines.append(f"the fastest in {label}: {', '.join(some)}")
    return lines


def grid(head: list, lines: list) -> str:
    rows = [head, ["---", *("--:" for _ in head[1:])], *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def block(result: dict) -> str:
    """The results of one CPU, for the book."""
    at, rows = result["cpu"], result["rows"]
    versions = {LABELS[row["engine"]]: row["version"] + (f" ({row['build']} build)" if "build" in row else "")
                for row in rows if "version" in row}
    turns = max((row["turns"] for row in rows if "turns" in row), default=0)
    caches = f"; L2 {at['l2']}, L3 {at['l3']}" if at["l2"] else ""
    parts = [f"### {at['name']}", (
        f"{at['vectors']}{caches}. Measured on {result['date']}, at a load of {result['load']:.1f} before; "
        f"{turns} turns of {result['seconds']:g} s. Versions: "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}; {result['system']}."
    )]
    parts += [note for note in [result.get("note")] if note]
    for threads in sorted({row["threads"] for row in rows}, reverse=True):
        found = by_workload(rows, threads)
        for group, (title, workloads) in GROUPS.items():
            of = {name: found[name] for name in workloads if name in found}
            if not of:
                continue
            columns = [name for name in LABELS if any(name in engines for engines in of.values())]
            head = ["", *(LABELS[name] for name in columns), "ratio"]
            times = [[f"`{name}`", *(cell(engines.get(c)) for c in columns), f"{r:.2f}" if (r := ratio(engines)) else ""]
                     for name, engines in of.items()]
            parts += [f"{title}, {count(threads)}: milliseconds.", grid(head, times)]
            if threads != 1:
                memory = [[f"`{name}`", *(f"{engines[c]['peak_rss_mb']:.0f}" if "ms" in engines.get(c, {}) else "" for c in columns)]
                          for name, engines in of.items()]
                parts += [f"{title}, {count(threads)}: peak resident MB.", grid(head[:-1], memory)]
            parts += ["- " + line for line in [*variants(of), *reasons(of)]]
    return "\n\n".join(parts)


def write_book(result: dict) -> None:
    """Writes this CPU's block of the chapter."""
    environment.write_block(BOOK, result["cpu"]["name"], block(result))
    print("wrote", BOOK.relative_to(ROOT), file=sys.stderr)


# The command


def chosen(wanted: str) -> list:
    """The workloads of names and groups, separated by commas."""
    names = []
    for item in wanted.lower().split(","):
        if item == "all":
            names += WORKLOADS
        elif item in GROUPS:
            names += GROUPS[item][1]
        elif item in WORKLOADS:
            names.append(item)
        else:
            sys.exit(f"no such workload as {item}; there are all, {', '.join(GROUPS)}, {', '.join(WORKLOADS)}")
    return list(dict.fromkeys(names))


def earlier(path: str | None, at: dict) -> list:
    """The rows of an earlier run on this CPU."""
    if path is None or not Path(path).exists():
        return []
    result = json.loads(Path(path).read_text(encoding="utf-8"))
    if result["cpu"]["name"] != at["name"]:
        sys.exit(f"{path} has the results of {result['cpu']['name']}; this is {at['name']}")
    return result["rows"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", default="all", help="names or groups (training, layers, inference), separated by commas")
    parser.add_argument("--peers", help="of torch, torch-compile, jax, candle, burn; by default all")
    parser.add_argument("--threads", help="numbers of threads, separated by commas; by default 2 for all, and 1 for the training "
                                          "steps in torch and jax")
    parser.add_argument("--seconds", type=float, default=0.5, help="measuring time of an engine in a turn")
    parser.add_argument("--turns", type=int, default=3, help="the median of all turns counts")
    parser.add_argument("--json", metavar="FILE", help="write the results; rows of other workloads that are there stay")
    parser.add_argument("--book", action="store_true", help="write this CPU's block of docs/src/performance.md, with all rows of --json")
    parser.add_argument("--note", help="a sentence for the block, such as that the machine was busy")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    args = parser.parse_args()
    if args.list:
        for title, workloads in GROUPS.values():
            print(title)
            print("\n".join(f"  {name:14} {what}" for name, what in workloads.items()))
        return
    workloads, counts = chosen(args.workload), [int(n) for n in (args.threads or "2,1").split(",")]
    if args.turns < 1 or not args.seconds > 0 or min(counts) < 1:
        parser.error("--turns, --seconds and --threads must be positive")
    names = args.peers.split(",") if args.peers else list(ENGINES)
    if unknown := [name for name in names if name not in ENGINES]:
        parser.error(f"no such peer as {unknown[0]}; there are {', '.join(ENGINES)}")

    at = cpu()
    load = os.getloadavg()[0]
    rows = earlier(args.json, at)
    for engine in (OURS, *(ENGINES[name] for name in names)):
        engine.prepare()
    print(f"{at['name']}, {at['vectors']}; load {load:.1f}; ms a step, median of {args.turns} × {args.seconds:g} s\n")
    system = f"{os.uname().sysname} {os.uname().release.split('-')[0]}, {version('rustc')}, Python {sys.version.split()[0]}"
    result = {"cpu": at, "date": datetime.date.today().isoformat(), "load": load, "seconds": args.seconds, "system": system,
              "note": args.note}
    with tempfile.TemporaryDirectory() as folder:
        for threads in counts:
            for workload in workloads:
                group = next(group for group, (_, of) in GROUPS.items() if workload in of)
                engines = [ENGINES[name] for name in names if group in ENGINES[name].groups]
                if not args.threads and threads == 1:
                    # The rest would take as long as everything so far.
                    engines = [engine for engine in engines if engine.name in ("torch", "jax")]
                    if group != "training" or not engines:
                        continue
                new = compare(workload, engines, Path(folder), threads, args)
                rows = [row for row in rows if (row["workload"], row["threads"]) != (workload, threads)] + new
                result["rows"] = rows
                print(text(workload, new, threads), flush=True)
                if args.json:
                    Path(args.json).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if args.book:
        write_book(result)
    if any("error" in row for row in rows):
        sys.exit("some engines have no time; see above")


def version(program: str) -> str:
    return " ".join(subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[:2])


if __name__ == "__main__":
    main()
