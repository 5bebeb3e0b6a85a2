"""What PyTorch's and JAX's benchmarks have in common: arguments, the file of weights and inputs, the clock, and the report.

A benchmark runs one workload in its process and prints one JSON object. `step()` of a workload returns its loss, or the output
of a model that only answers.
"""
import argparse
import json
import math
import sys
import time
from typing import Callable

MIN_STEPS = 5
TRIAL_SECONDS = 0.15


class Skip(Exception):
    """Why an engine does not run a workload."""


def arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--workload", required=True)
    parser.add_argument("--data", required=True, help="the file that `steps --export` wrote for this workload")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="measuring time, after a quarter of it to warm up")
    parser.add_argument("--variant", help="run this variant; by default all are tried, and the fastest is run")
    parser.add_argument("--compile", action="store_true", help="PyTorch: with torch.compile")
    return parser.parse_args()


def tensors(path: str) -> dict:
    """The tensors of a safetensors file, as NumPy arrays."""
    import numpy as np

    types = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        found = {}
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                file.seek(8 + length + begin)
                flat = np.frombuffer(bytearray(file.read(end - begin)), dtype=types[entry["dtype"]])
                found[name] = flat.reshape(entry["shape"])
    return found


def part(found: dict, prefix: str) -> dict:
    """The tensors whose names begin with a prefix, by the rest of their names."""
    return {name[len(prefix) + 1:]: t for name, t in found.items() if name.startswith(prefix + ".")}


def value(output) -> float:
    """A loss, or the mean of the squares of a model's output: the number that is compared with wengert's."""
    import numpy as np

    array = np.asarray(output, dtype=np.float64)
    return float(array.reshape(-1)[0]) if array.size == 1 else float(np.square(array).mean())


def timed(step: Callable, seconds: float) -> list:
    """The milliseconds of each step, sorted, after a quarter of the time to warm up."""
    clock = time.perf_counter
    step()
    until = clock() + seconds / 4
    while clock() < until:
        step()
    times, until = [], clock() + seconds
    while clock() < until or len(times) < MIN_STEPS:
        start = clock()
        step()
        times.append((clock() - start) * 1e3)
    return sorted(times)


def peak_rss_mb() -> float:
    """The largest resident size of this process so far."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1e3
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def run(args: argparse.Namespace, variants: dict, build: Callable, fetch: Callable, about: dict) -> None:
    """Measures the wanted variant and prints the report. `build` makes the step of a variant, `fetch` a NumPy array of its
    result."""
    tried = {}
    try:
        if args.variant is None and len(variants) > 1:
            for name, variant in variants.items():
                step = build(variant)
                step()
                times = timed(step, TRIAL_SECONDS)
                tried[name] = times[len(times) // 2]
            chosen = min(tried, key=tried.get)
            # The winner is measured in a process of its own, whose memory has nothing of the others.
            print(json.dumps({**about, "workload": args.workload, "variant": chosen, "tried_ms": tried}))
            return
        name = args.variant or next(iter(variants))
        step = build(variants[name])
        start = time.perf_counter()
        first = value(fetch(step()))
        ready = time.perf_counter() - start
        times = timed(step, args.seconds)
    except Skip as why:
        print(json.dumps({**about, "workload": args.workload, "skipped": str(why)}))
        return
    if not math.isfinite(value(fetch(step()))):
        raise RuntimeError(f"{args.workload}: the loss is not finite")
    at = lambda q: round(times[int((len(times) - 1) * q)], 5)
    print(json.dumps({
        **about, "workload": args.workload, "variant": name, "loss": first, "ms": at(0.5), "min_ms": at(0.0),
        "p90_ms": at(0.9), "steps": len(times), "threads": args.threads, "first_s": round(ready, 2),
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }))
