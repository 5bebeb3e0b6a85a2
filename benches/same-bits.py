#!/usr/bin/env python3
"""Trains small models for a few steps in several ways that must not matter, and compares the hashes of their weights: with AVX2 instead of
the machine's best instructions, on several numbers of threads, and on an emulated processor, whose caches and instructions are others. The
first row compares the hashes of `wengert check --bits` in the same ways. The exit status is 1 if anything differs.

The emulator is qemu (`apt-get install qemu-user`); without it, its column is left out.

    python3 benches/same-bits.py                    everything, about five minutes
    python3 benches/same-bits.py --model gpt,vae    some models
    python3 benches/same-bits.py --cpu Skylake-Server --cpu EPYC

On 64-bit ARM too, with a binary that the Rust toolchain can link on its own:

    rustup target add aarch64-unknown-linux-musl
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld \\
        cargo build --release -p wengert-cli --features check --target aarch64-unknown-linux-musl
    python3 benches/same-bits.py --aarch64 target/aarch64-unknown-linux-musl/release/wengert
"""
import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
THREADS = [2, 3, 8]
# Large enough for several threads, small enough for an emulator.
MODELS = {
    "mlp": "--epochs 2 --batch-size 600 --widths 256,128",
    "vgg": "--epochs 1 --batch-size 48 --labels 160",
    "resnet": "--epochs 1 --batch-size 48 --labels 100",
    "gpt": "--epochs 1 --batch-size 16 --data text --data-path {text} --width 48 --heads 3 --layers 2 --context 32",
    "char-rnn": "--epochs 1 --batch-size 16 --data text --data-path {text} --hidden 96 --window 32",
    "vae": "--epochs 1 --batch-size 100",
    "gan": "--epochs 1 --batch-size 100 --judge-epochs 0",
    "forecaster": "--epochs 3",
}
BITS = "check --bits"
# The table's mark for a result that is that of the first column.
SAME = "same"


def text(file: Path) -> None:
    """A text of 4000 characters that repeats some of its parts."""
    words = ["tape", "node", "leaf", "sweep", "value", "rule", "seed", "axis", "shape", "order"]
    state, line = 1, []
    for _ in range(800):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        line.append(words[(state >> 16) % len(words)])
    file.write_text(" ".join(line)[:4000] + "\n")


class Way:
    """A way to run the command."""

    def __init__(self, name: str, threads: int = 1, prefix: tuple = (), binary: Path | None = None, **variables: str):
        self.name, self.threads, self.prefix, self.variables = name, threads, prefix, variables
        self.binary = binary

    def run(self, binary: Path, arguments: list, folder: Path) -> str:
        call = [*self.prefix, str(self.binary or binary), *arguments, "--threads", str(self.threads)]
        environment = {name: value for name, value in os.environ.items() if name != "WENGERT_SIMD"} | self.variables
        done = subprocess.run(call, env=environment, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(call)} failed:\n{done.stderr}")
        return done.stdout


def ways(cpus: list, aarch64: Path | None) -> list:
    """The reference first."""
    x86 = platform.machine() in ("x86_64", "AMD64")
    all_ways = [Way("1 thread"), *(Way(f"{n} threads", n) for n in THREADS)]
    if x86:
        all_ways.append(Way("AVX2", WENGERT_SIMD="avx2"))
    emulator = shutil.which("qemu-x86_64")
    if x86 and emulator:
        all_ways += [Way(f"{cpu}, emulated", prefix=(emulator, "-cpu", cpu)) for cpu in cpus]
    else:
        print("qemu-x86_64 is not there, or this machine is of another kind: nothing is emulated (apt-get install qemu-user)\n")
    if aarch64:
        emulator = shutil.which("qemu-aarch64")
        prefix = (emulator,) if emulator and platform.machine() not in ("aarch64", "arm64") else ()
        all_ways.append(Way("64-bit ARM", prefix=prefix, binary=aarch64.resolve()))
    return all_ways


def weights(output: str) -> str:
    """The hash of the weights that a run prints."""
    return next(line.split()[1] for line in output.splitlines() if line.startswith("weights "))


def differing(output: str, reference: str) -> list:
    """The names whose hashes differ."""
    mine, others = (dict(line.split(" ") for line in lines.splitlines()) for lines in (output, reference))
    return [name for name in others if mine.get(name) != others[name]]


def row(cells: list) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="only these, with commas between them; `bits` is the hashes of `wengert check --bits`")
    parser.add_argument("--cpu", action="append", help="an emulated processor; can be given several times [default: Haswell]")
    parser.add_argument("--binary", type=Path, help="a wengert with the feature check, instead of a release build of this tree")
    parser.add_argument("--aarch64", type=Path, help="the same for 64-bit ARM, which is emulated")
    options = parser.parse_args()
    chosen = options.model.split(",") if options.model else ["bits", *MODELS]
    unknown = [name for name in chosen if name != "bits" and name not in MODELS]
    if unknown:
        parser.error(f"no model is named {', '.join(unknown)}: there are bits, {', '.join(MODELS)}")
    binary = options.binary and options.binary.resolve()
    if not binary:
        build = ["cargo", "build", "--quiet", "--release", "-p", "wengert-cli", "--features", "check"]
        subprocess.run(build, check=True, cwd=ROOT)
        binary = TARGET / "release" / "wengert"

    different, names = 0, {}
    reference, *others = ways(options.cpu or ["Haswell"], options.aarch64)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        text(folder / "text.txt")
        row(["", reference.name, *(way.name for way in others)])
        row(["---"] * (2 + len(others)))
        for name in chosen:
            if name == "bits":
                expected = reference.run(binary, BITS.split(), folder)
                cells = [f"{len(expected.splitlines())} hashes"]
                for way in others:
                    names[way.name] = differing(way.run(binary, BITS.split(), folder), expected)
                    cells.append(f"{len(names[way.name])} differ" if names[way.name] else SAME)
            else:
                arguments = ["train", name, *MODELS[name].format(text=folder / "text.txt").split(), "--out", "run", "--force"]
                expected = weights(reference.run(binary, arguments, folder))
                found = [weights(way.run(binary, arguments, folder)) for way in others]
                cells = [expected, *(SAME if hash == expected else hash for hash in found)]
            different += sum(cell != SAME for cell in cells[1:])
            row([name, *cells])
    for way, differ in names.items():
        if differ:
            print(f"\n{way} gives other hashes of {', '.join(differ)}")
    if different:
        sys.exit(f"\n{different} results depend on how they were computed")


if __name__ == "__main__":
    main()
