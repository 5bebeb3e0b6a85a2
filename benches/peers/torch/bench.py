#!/usr/bin/env python3
"""PyTorch's side of the comparison of speed: runs one workload from wengert's weights and inputs, and prints a JSON object.

    bench.py --workload w1 --data w1.safetensors --threads 2 --seconds 1 [--compile] [--variant fused]

Without `--variant`, a workload that has several (the implementation of the optimiser, the memory layout) is tried in each of
them, and only the name of the fastest is printed. To add a workload, write a function in workloads.py and enter it in its table.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import measure  # noqa: E402


def main() -> None:
    args = measure.arguments("PyTorch's time of one workload")
    import torch
    import workloads

    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(0)
    about = {
        "engine": "torch-compile" if args.compile else "torch", "version": torch.__version__.split("+")[0],
        "build": f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU",
    }

    function, kind = workloads.TABLE[args.workload]
    variants = {v.name: v for v in workloads.variants(kind, args.compile)}

    def build(variant):
        start = {name: torch.from_numpy(array) for name, array in measure.tensors(args.data).items()}
        torch._dynamo.reset() if args.compile else None
        return function(start, variant)

    measure.run(args, variants, build, lambda out: out.detach().numpy(), about)


if __name__ == "__main__":
    main()
