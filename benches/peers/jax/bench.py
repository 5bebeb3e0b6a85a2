#!/usr/bin/env python3
"""JAX's side of the comparison of speed: runs one workload from wengert's weights and inputs, and prints a JSON object.

    bench.py --workload w1 --data w1.safetensors --seconds 1 [--variant nhwc]

A step is one jitted function whose parameters and optimiser state are donated. The process has as many threads as cores that
it may run on. To add a workload, write a function in workloads.py and enter it in its table.
"""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import measure  # noqa: E402


def main() -> None:
    os.environ["JAX_PLATFORMS"] = "cpu"
    args = measure.arguments("JAX's time of one workload")
    import jax
    import numpy as np
    import workloads

    function, images = workloads.TABLE[args.workload]
    variants = {"nchw": "NCHW", "nhwc": "NHWC"} if images else {"default": ""}

    def build(layout):
        step = function(workloads.Start(measure.tensors(args.data), layout))
        return lambda: jax.block_until_ready(step())

    measure.run(args, variants, build, np.asarray, {"engine": "jax", "version": jax.__version__})


if __name__ == "__main__":
    main()
