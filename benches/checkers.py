#!/usr/bin/env python3
"""Other libraries' gradient checkers on the mistakes and the awkward functions of `gradcheck_mistakes.rs`: what is caught, missed, and
flagged although it is right.

    python3 benches/checkers.py             print the table
    python3 benches/checkers.py --book      write it into the chapter on gradient checks

Each checker is called as its documentation shows, in f64, on three random draws from the domain that the test states, with axes of size
3; where the test states a point, on that point too. PyTorch and JAX are installed as for peers.py. TensorFlow and HIPS autograd are read
from the Python of the variable CHECKERS_PYTHON (`pip install tensorflow-cpu autograd`).
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "docs/src/gradient-checks-in-ci.md"
TESTS = ROOT / "crates/wengert/tests/gradcheck_mistakes.rs"
N = 3
ANY, POSITIVE, NON_ZERO, GRID = "any", "positive", "non-zero", "grid"

# Mistakes in what only this library has a declaration for.
DECLARED = {
    "convention": "a convention at a point",
    "smooth_after_all": "a point declared not to be differentiable",
    "straight_through": "a surrogate gradient",
}
NAMES = {
    "torch": "`torch.autograd.gradcheck`, `gradgradcheck`",
    "jax": "`jax.test_util.check_grads`",
    "autograd": "HIPS `autograd.test_util.check_grads`",
    "tensorflow": "`tf.test.compute_gradient`",
}


class Missing(Exception):
    """The library has no such thing."""


def cases(b):
    """Name, function and inputs (size and domain) of each mistake; perhaps a point to check besides."""

    def claim(value, gradient):
        return b.stop(value) + (gradient - b.stop(gradient))

    calls = [0]

    def noisy(x):
        calls[0] += 1
        return x * (1.0 + 1e-12 * calls[0])

    def ratio(x, y):
        return claim(x / y, x / b.stop(y) + b.stop(x) / b.stop(y) ** 2 * y)

    def softmax_diagonal(x):
        y = b.stop(b.softmax(x))
        return claim(b.softmax(x), x * (y - y * y))

    def curvature(x):
        g = x * b.stop(b.cos(x))
        return claim(b.sin(x), g + (b.sin(x) - g) * 1.01)

    v, m = [N], [N, N]
    half = (0.5, 1.0)
    one = (-1.0, 1.0)
    mask = lambda x, start, n: b.constant([1.0 if i < start else 0.0 for i in range(n)])
    return {
        "sign": (lambda x: claim(b.sin(x), -b.sin(x)), [(v, ANY)]),
        "factor_two": (lambda x: claim(x * x, x * x * 2.0), [(v, POSITIVE)]),
        "factor_half": (lambda x: claim(x * x, x * x * 0.5), [(v, POSITIVE)]),
        "one_percent": (lambda x: claim(b.exp(x), b.exp(x) * 1.01), [(v, one)]),
        "last_digits": (lambda x: claim(b.exp(x), b.exp(x) * 1.0001), [(v, one)]),
        "detached": (lambda x: b.stop(b.sin(x)), [(v, one)]),
        "added": (lambda x: claim(b.tanh(x), b.tanh(x) + x * 0.001), [(v, ANY)]),
        "another_function": (lambda x: claim(b.tanh(x), b.sigmoid(x)), [(v, ANY)]),
        "tiny_function": (lambda x: claim(b.sin(x) * 1e-8, b.sin(x) * 2e-8), [(v, ANY)]),
        "under_an_offset": (lambda x: claim(b.sin(x) + 1e6, b.sin(x) * 1.01), [(v, ANY)]),
        "chain_rule": (lambda x: claim(b.sin(x * 3.0), b.sin(x * 3.0) / 3.0), [(v, (-0.4, 0.4))]),
        "product_rule": (lambda x, y: x * b.stop(y), [(v, ANY), (v, ANY)]),
        "swapped": (lambda x, y: claim(x * y * y, y * x * x), [(v, ANY), (v, ANY)]),
        "quotient_rule": (ratio, [(v, ANY), (v, POSITIVE)]),
        "exponent": (lambda x: claim(x * x * x, x * x * 1.5), [(v, POSITIVE)]),
        "base_of_logarithm": (lambda x: claim(b.log(x) / b.log(b.constant(2.0)), b.log(x)), [(v, POSITIVE)]),
        "power_of_root": (lambda x: claim(b.sqrt(x), b.sqrt(x) * b.stop(x)), [(v, POSITIVE)]),
        "mean_of_bias": (lambda x, y: claim(x + y, x + y / N), [(m, ANY), (v, ANY)]),
        "mean_for_sum": (lambda x: claim(b.sum(x), b.sum(x) / N), [(v, ANY)]),
        "sum_for_mean": (lambda x: claim(b.sum(x) / N, b.sum(x)), [(v, ANY)]),
        "softmax_diagonal": (softmax_diagonal, [(m, ANY)]),
        "no_normaliser": (lambda x: claim(b.log(b.softmax(x)), x), [(m, ANY)]),
        "transposed_factor": (
            lambda x, w: claim(b.matmul(x, w), b.matmul(x, b.t(b.stop(w))) + b.matmul(b.stop(x), w)),
            [(m, ANY), (m, ANY)],
        ),
        "forgotten_factor": (lambda x, w: b.matmul(x, b.stop(w)), [(m, ANY), (m, ANY)]),
        "not_transposed_back": (lambda x: claim(b.t(x), x), [(m, ANY)]),
        "not_reversed_back": (lambda x: claim(b.flip(x), x), [(v, ANY)]),
        "running_sum": (lambda x: claim(b.cumsum(x), b.sum(x) - b.cumsum(x) + x), [(v, ANY)]),
        "exchanged_parts": (lambda x, y: claim(b.concat(x, y), b.concat(y, x)), [(v, ANY), (v, ANY)]),
        "last_element": (lambda x: claim(b.sin(x), b.sin(x) * mask(x, N - 1, N)), [(v, one)]),
        "tail_of_a_block": (lambda x: claim(b.sin(x), b.sin(x) * mask(x, 16, N)), [(v, one)]),
        "leaky": (lambda x: claim(b.relu(x), b.relu(x) + x * 0.01), [(v, NON_ZERO)]),
        "one_branch": (lambda x: claim(b.abs(x), x), [(v, NON_ZERO)]),
        "no_clamp": (lambda x: claim(b.clamp(x), x), [(v, NON_ZERO)]),
        "outside_of_the_sides": (lambda x: claim(b.abs(x), b.abs(x) + x * b.at_zero(x, 1.5)), [(v, NON_ZERO)]),
        "undefined_at_zero": (lambda x: b.sin(x) / x, [(v, NON_ZERO)], 0.0),
        "no_curvature": (lambda x: claim(b.sin(x), x * b.stop(b.cos(x))), [(v, half)]),
        "curvature_factor": (curvature, [(v, half)]),
        "not_deterministic": (noisy, [(v, ANY)]),
        "strided": (lambda x: b.sin(x) if b.is_contiguous(x) else b.sin(x) * 1.5, [(m, ANY)]),
        "single_value": (lambda x: x * (1.0 + 1e-3 * b.is_single(x)), [(v, ANY)]),
        "single_gradient": (lambda x: claim(x, x * (1.0 + 1e-2 * b.is_single(x))), [(v, ANY)]),
        "evaluating": (lambda x: x * (2.0 if b.is_recording() else 3.0), [(v, ANY)]),
        "threads_of_the_sum": (lambda x: x * (2.000001 if b.threads() == 3 else 2.0), [(v, ANY)]),
        "first_of_none": (lambda x: x * (1.0 / len(x)), [(v, ANY)]),
        "broadcast_bias": (lambda x, y: claim(x + y, x + y), [(v, ANY), (v, ANY)]),
        "wrong_shape": (lambda x, w: b.matmul(x, w), [([2, 3], ANY), ([2, 3], ANY)]),
    }


def awkward(b):
    """The functions of `mod awkward`: right, and awkward to check."""
    v, m = [N], [N, N]

    def huber(x):
        inside = b.clamp(x)
        return inside * inside * 0.5 + (x - inside) * inside

    return {
        "relu": (b.relu, [(v, ANY)], 0.0),
        "undeclared_relu": (b.relu, [(v, GRID)]),
        "undeclared_absolute": (lambda x: b.abs(x) * b.cos(x), [(v, GRID)]),
        "undeclared_clamp": (lambda x: b.clamp(x) * x, [(v, GRID)]),
        "undeclared_maximum": (lambda x, y: b.maximum(x, y) * x, [(v, GRID), (v, GRID)]),
        "undeclared_hinge": (lambda x: b.relu(1.0 - x) * b.relu(1.0 - x), [(v, GRID)]),
        "undeclared_ties": (b.max0, [(m, GRID)]),
        "absolute": (b.abs, [(v, ANY)], 0.0),
        "ties_of_maximum": (b.maximum, [(v, GRID), (v, GRID)]),
        "ties_along_an_axis": (b.max0, [(m, GRID)]),
        "second_derivative_jumps": (lambda x: x * b.abs(x), [(v, GRID)]),
        "squared_relu": (lambda x: b.relu(x) * b.relu(x), [(v, GRID)]),
        "near_a_pole": (lambda x: 1.0 / x, [(v, (1e-3, 1e-2))]),
        "edge_of_the_domain": (b.sqrt, [(v, (1e-6, 1e-3))]),
        "fast_wave": (lambda x: b.sin(x * 1e3), [(v, (-1.0, 1.0))]),
        "under_an_offset": (lambda x: b.sin(x) + 1e8, [(v, ANY)]),
        "small": (lambda x: b.sin(x) * 1e-8, [(v, ANY)]),
        "large": (lambda x: b.sin(x) * 1e8, [(v, ANY)]),
        "constant": (lambda x: x * 0.0 + 3.0, [(v, ANY)]),
        "identity": (lambda x: x * 1.0, [(v, ANY)]),
        "steps": (lambda x: x * 0.0 + b.floor(x), [(v, (0.1, 0.9))]),
        "branch": (lambda x: x * 2.0 + b.clamp(x) * b.clamp(x), [(v, GRID)]),
        "sorted": (b.sort, [(v, GRID)]),
        "product_with_zeros": (b.prod0, [(m, GRID)]),
        "softmax": (b.softmax, [(m, ANY)]),
        "far_softplus": (b.softplus, [(v, ANY)], 88.0),
        "huber": (huber, [(v, GRID)]),
        "norm": (lambda x: b.sqrt(b.sum(x * x)), [(v, NON_ZERO)]),
        "unused_input": (lambda x, y: b.sin(x) + b.stop(y) * 0.0, [(v, ANY), (v, ANY)]),
        "determinant": (lambda x: b.det(x * 0.1 + b.eye(N)), [(m, ANY)]),
    }


def draws(inputs, points):
    """Three random draws, and a point."""
    import numpy as np

    rng = np.random.default_rng(0)

    def one(size, domain):
        if domain == ANY:
            return rng.uniform(-3.0, 3.0, size)
        if domain == POSITIVE:
            return rng.uniform(0.3, 3.0, size)
        if domain == NON_ZERO:
            return rng.choice([-1.0, 1.0], size) * rng.uniform(0.2, 2.0, size)
        if domain == GRID:
            return rng.integers(-2, 3, size).astype(float)
        return rng.uniform(*domain, size)

    for _ in range(3):
        yield [one(*i) for i in inputs]
    for point in points:
        yield [np.full(size, point) for size, _ in inputs]


class Torch:
    def __init__(self):
        import torch

        self.torch = t = torch
        t.set_num_threads(1)
        self.sin, self.cos, self.exp, self.tanh, self.log, self.sqrt = t.sin, t.cos, t.exp, t.tanh, t.log, t.sqrt
        self.sigmoid, self.abs, self.relu, self.maximum, self.floor = t.sigmoid, t.abs, t.relu, t.maximum, t.floor
        self.sum, self.matmul, self.det = t.sum, t.matmul, t.det
        self.version = t.__version__.split("+")[0]

    def stop(self, x):
        return x.detach()

    def constant(self, x):
        return self.torch.tensor(x, dtype=self.torch.float64)

    def eye(self, n):
        return self.torch.eye(n, dtype=self.torch.float64)

    def softmax(self, x):
        return x.softmax(-1)

    def softplus(self, x):
        return self.torch.nn.functional.softplus(x)

    def t(self, x):
        return x.t()

    def flip(self, x):
        return x.flip(0)

    def cumsum(self, x):
        return x.cumsum(0)

    def concat(self, x, y):
        return self.torch.cat([x, y])

    def clamp(self, x):
        return x.clamp(-1.0, 1.0)

    def sort(self, x):
        return x.sort().values

    def prod0(self, x):
        return x.prod(0)

    def max0(self, x):
        return x.amax(0)

    def at_zero(self, x, value):
        return (x.detach() == 0).double() * value

    def is_contiguous(self, x):
        return x.is_contiguous()

    def is_single(self, x):
        return float(x.dtype == self.torch.float32)

    def is_recording(self):
        return self.torch.is_grad_enabled()

    def threads(self):
        return self.torch.get_num_threads()

    def check(self, f, x):
        x = tuple(self.torch.tensor(x, dtype=self.torch.float64, requires_grad=True) for x in x)
        self.torch.autograd.gradcheck(f, x)
        self.torch.autograd.gradgradcheck(f, x)


class Jax:
    def __init__(self):
        import jax
        import jax.numpy as jnp
        import jax.test_util

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self.jax, self.np = jax, jnp
        self.sin, self.cos, self.exp, self.tanh, self.log, self.sqrt = jnp.sin, jnp.cos, jnp.exp, jnp.tanh, jnp.log, jnp.sqrt
        self.sigmoid, self.abs, self.relu, self.maximum, self.floor = jax.nn.sigmoid, jnp.abs, jax.nn.relu, jnp.maximum, jnp.floor
        self.sum, self.matmul, self.det, self.stop = jnp.sum, jnp.matmul, jnp.linalg.det, jax.lax.stop_gradient
        self.eye, self.softplus, self.sort, self.constant = jnp.eye, jax.nn.softplus, jnp.sort, jnp.array
        self.cumsum, self.t, self.flip = jnp.cumsum, jnp.transpose, jnp.flip
        self.softmax = lambda x: jax.nn.softmax(x, -1)
        self.clamp = lambda x: jnp.clip(x, -1.0, 1.0)
        self.concat = lambda x, y: jnp.concatenate([x, y])
        self.prod0, self.max0 = lambda x: jnp.prod(x, 0), lambda x: jnp.max(x, 0)
        self.at_zero = lambda x, value: jnp.where(self.stop(x) == 0, value, 0.0)
        self.version = jax.__version__

    def is_contiguous(self, _):
        raise Missing

    is_recording = threads = lambda *_: Jax.is_contiguous(None, None)

    def is_single(self, x):
        return float(x.dtype == self.np.float32)

    def check(self, f, x):
        self.jax.test_util.check_grads(f, tuple(self.np.array(x) for x in x), order=2)


class Autograd:
    def __init__(self):
        from importlib.metadata import version

        import autograd.numpy as np
        from autograd.extend import defjvp, defvjp, primitive
        from autograd.test_util import check_grads

        @primitive
        def stop(x):
            return x

        defvjp(stop, lambda ans, x: lambda g: 0.0 * g)
        defjvp(stop, lambda g, ans, x: 0.0 * g)
        self.np, self.stop, self.check_grads = np, stop, check_grads
        self.sin, self.cos, self.exp, self.tanh, self.log, self.sqrt = np.sin, np.cos, np.exp, np.tanh, np.log, np.sqrt
        self.abs, self.maximum, self.floor, self.sum, self.matmul = np.abs, np.maximum, np.floor, np.sum, np.matmul
        self.det, self.eye, self.sort, self.constant = np.linalg.det, np.eye, np.sort, np.array
        self.cumsum, self.t, self.flip = np.cumsum, np.transpose, lambda x: x[::-1]
        self.sigmoid = lambda x: 1.0 / (1.0 + np.exp(-x))
        self.softplus = lambda x: np.logaddexp(x, 0.0)
        self.relu = lambda x: np.maximum(x, 0.0)
        self.clamp = lambda x: np.clip(x, -1.0, 1.0)
        self.concat = lambda x, y: np.concatenate([x, y])
        self.prod0, self.max0 = lambda x: np.prod(x, 0), lambda x: np.max(x, 0)
        self.at_zero = lambda x, value: np.where(stop(x) == 0, value, 0.0)
        self.version = version("autograd")

    def softmax(self, x):
        e = self.np.exp(x - self.np.max(x, -1, keepdims=True))
        return e / self.np.sum(e, -1, keepdims=True)

    def is_contiguous(self, _):
        raise Missing

    is_recording = threads = lambda *_: Autograd.is_contiguous(None, None)

    def is_single(self, x):
        return float(x.dtype == self.np.float32)

    def check(self, f, x):
        # It checks one argument at a time.
        for argument in range(len(x)):
            self.check_grads(f, argument, order=2)(*x)


class Tensorflow:
    def __init__(self):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import numpy as np
        import tensorflow as tf

        self.tf, self.np = tf, np
        self.sin, self.cos, self.exp, self.tanh, self.log, self.sqrt = tf.sin, tf.cos, tf.exp, tf.tanh, tf.math.log, tf.sqrt
        self.sigmoid, self.abs, self.relu, self.maximum, self.floor = tf.sigmoid, tf.abs, tf.nn.relu, tf.maximum, tf.floor
        self.sum, self.matmul, self.det, self.stop = tf.reduce_sum, tf.matmul, tf.linalg.det, tf.stop_gradient
        self.softplus, self.sort, self.cumsum, self.t = tf.nn.softplus, tf.sort, tf.cumsum, tf.transpose
        self.eye = lambda n: tf.eye(n, dtype=tf.float64)
        self.constant = lambda x: tf.constant(x, tf.float64)
        self.flip = lambda x: tf.reverse(x, [0])
        self.softmax = lambda x: tf.nn.softmax(x, -1)
        self.clamp = lambda x: tf.clip_by_value(x, -1.0, 1.0)
        self.concat = lambda x, y: tf.concat([x, y], 0)
        self.prod0, self.max0 = lambda x: tf.reduce_prod(x, 0), lambda x: tf.reduce_max(x, 0)
        self.at_zero = lambda x, value: tf.where(x == 0, self.constant(value), self.constant(0.0))
        self.version = tf.__version__

    def is_contiguous(self, _):
        raise Missing

    is_recording = threads = lambda *_: Tensorflow.is_contiguous(None, None)

    def is_single(self, x):
        return float(x.dtype == self.tf.float32)

    def check(self, f, x):
        theoretical, numerical = self.tf.test.compute_gradient(f, [self.constant(x) for x in x])
        # As `tf.test.TestCase.assertAllClose` compares them.
        for a, b in zip(theoretical, numerical):
            self.np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def run(name: str):
    """The verdict of one library on each function: flagged, passed, or missing."""
    backend = {"torch": Torch, "jax": Jax, "autograd": Autograd, "tensorflow": Tensorflow}[name]()

    def verdict(f, inputs, *points):
        try:
            for x in draws(inputs, points):
                try:
                    backend.check(f, x)
                except (Missing, NotImplementedError):
                    return "missing"
        except Exception as e:  # noqa: BLE001 - checkers report with exceptions of many types
            return f"flagged: {type(e).__name__}: {str(e).strip().splitlines()[0][:100] if str(e).strip() else ''}"
        return "passed"

    out = {kind: {n: verdict(*case) for n, case in all(backend).items()} for kind, all in (("wrong", cases), ("right", awkward))}
    print(json.dumps({"version": backend.version, **out}))


def ours():
    """The names in the Rust test."""
    text = TESTS.read_text()
    wrong = re.findall(r"^    (\w+): \|", text[text.index("broken! {\n") : text.index("fn book()")], re.M)
    right = re.findall(r"gradcheck_test!\(\s*(\w+),", text[text.index("mod awkward") :])
    return wrong, right


def verdicts(wrong, right):
    """What our own tests say: the mistakes that were caught, and the right functions that were flagged."""
    command = ["cargo", "test", "-p", "wengert", "--all-features", "--test", "gradcheck_mistakes", "--no-fail-fast"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    results = re.findall(r"^test (caught|awkward)::(\w+)\S* \.\.\. (\w+)", done.stdout, re.M)
    ran = lambda module: {name for at, name, _ in results if at == module}
    if ran("caught") != set(wrong) or ran("awkward") != set(right):
        sys.exit(f"the tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    missed = {name for at, name, verdict in results if at == "caught" and verdict != "ok"}
    return len(wrong) - len(missed), len({name for at, name, verdict in results if at == "awkward" and verdict != "ok"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--book", action="store_true")
    options = parser.parse_args()
    if options.run:
        return run(options.run)
    from environment import jax_python, torch_python

    other = os.environ.get("CHECKERS_PYTHON", sys.executable)
    pythons = {"torch": torch_python(), "jax": jax_python(), "autograd": other, "tensorflow": other}
    wrong, right = ours()
    caught, alarms = verdicts(wrong, right)
    rows = [f"| `#[gradcheck]` | {caught} | {len(wrong) - caught} | 0 | {alarms} of {len(right)} |"]
    for name, python in pythons.items():
        done = subprocess.run([python, __file__, "--run", name], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}: {done.stderr}")
        got = json.loads(done.stdout.splitlines()[-1])
        unknown = set(wrong) - set(got["wrong"]) - set(DECLARED) | set(got["wrong"]) - set(wrong)
        unknown |= set(got["right"]) - set(right)
        if unknown:
            sys.exit(f"these are not in both lists: {sorted(unknown)}")
        flagged = lambda kind: [n for n, v in got[kind].items() if v.startswith("flagged")]
        passed = [n for n in wrong if got["wrong"].get(n) == "passed"]
        absent = [n for n in wrong if got["wrong"].get(n, "missing") == "missing"]
        alarms = flagged("right")
        for n in wrong + sorted(got["right"]):
            for kind in ("wrong", "right"):
                if n in got[kind]:
                    print(f"{name:10} {kind} {n:24} {got[kind][n]}", file=sys.stderr)
        assert len(flagged("wrong")) + len(passed) + len(absent) == len(wrong)
        rows.append(
            f"| {NAMES[name]} {got['version']} | {len(flagged('wrong'))} | {len(passed)} | {len(absent)} | {len(alarms)} of {len(got['right'])} |"
        )
    table = "\n".join(
        [
            "| Checker | Caught | Missed | Has no such thing | False alarms |",
            "|---|--:|--:|--:|--:|",
            *rows,
        ]
    )
    print(table)
    if options.book:
        text = BOOK.read_text()
        start, end = "<!-- checkers -->\n", "<!-- end of checkers -->"
        before, rest = text.split(start)
        BOOK.write_text(before + start + table + "\n" + end + rest.split(end)[1])


if __name__ == "__main__":
    main()
