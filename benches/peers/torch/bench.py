#!/usr/bin/env python3
"""PyTorch's side of the training-step benchmarks.

    bench.py --workload w1,w9,w10 --threads 2 --seconds 3 [--json]

Each workload is tried in several variants (the implementation of the
optimiser, the memory layout), each in its own process with its own
allocator and peak memory; the fastest is reported.

To add a workload, write a function that takes a `Variant` and returns a step,
and enter it in WORKLOADS.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Callable

# torch is imported in the measuring process only: if the parent imported it,
# the children would inherit its peak memory.

LR = 1e-6  # A fixed batch fitted to a loss of zero would give denormals.
MIN_STEPS = 10


@dataclass(frozen=True)
class Variant:
    """How to run a workload: the optimiser's implementation and the layout."""

    optimizer: str = ""  # "fused", "foreach", "plain", or "" for none
    channels_last: bool = False
    compile: bool = False

    @property
    def name(self) -> str:
        parts = [self.optimizer or "none"]
        if self.channels_last:
            parts.append("channels-last")
        return "+".join(parts)

    def kwargs(self) -> dict:
        return {
            "fused": {"fused": True},
            "foreach": {"foreach": True},
            "plain": {"foreach": False},
        }[self.optimizer]

    def place(self, module_or_tensor):
        """Moves a model or an image batch to the variant's memory layout."""
        import torch

        if self.channels_last:
            return module_or_tensor.to(memory_format=torch.channels_last)
        return module_or_tensor


def train_step(variant: Variant, optimizer, forward: Callable) -> Callable:
    """One step: clear the gradients, forward and loss, backward, update."""
    import torch

    if variant.compile:
        forward = torch.compile(forward)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward()
        loss.backward()
        optimizer.step()
        return loss

    return step


def w1(variant: Variant):
    """MLP 784-512-512-10, ReLU, batch 128, softmax cross-entropy, Adam."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    model = nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(),
        nn.Linear(512, 512), nn.ReLU(),
        nn.Linear(512, 10),
    )
    x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))
    opt = torch.optim.Adam(model.parameters(), lr=LR, **variant.kwargs())
    return train_step(variant, opt, lambda: F.cross_entropy(model(x), y))


def w2(variant: Variant):
    """CNN on 1x28x28: two convolutions with max-pooling, two linear layers, batch 64, Adam."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    model = variant.place(nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10),
    ))
    x, y = variant.place(torch.randn(64, 1, 28, 28)), torch.randint(0, 10, (64,))
    opt = torch.optim.Adam(model.parameters(), lr=LR, **variant.kwargs())
    return train_step(variant, opt, lambda: F.cross_entropy(model(x), y))


def w3(variant: Variant):
    """ResNet-20 on 3x32x32, widths 16/32/64, 1x1 shortcuts with batch norm, batch 32, SGD momentum 0.9."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, cin, cout, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(cout)
            self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(cout)
            self.shortcut = None
            if stride != 1 or cin != cout:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)
                )

        def forward(self, x):
            h = F.relu(self.bn1(self.conv1(x)), inplace=True)
            h = self.bn2(self.conv2(h))
            h += x if self.shortcut is None else self.shortcut(x)
            return F.relu(h, inplace=True)

    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    cin = 16
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        for i in range(3):
            layers.append(Block(cin, width, stride if i == 0 else 1))
            cin = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    model = variant.place(nn.Sequential(*layers))
    x, y = variant.place(torch.randn(32, 3, 32, 32)), torch.randint(0, 10, (32,))
    opt = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, **variant.kwargs())
    return train_step(variant, opt, lambda: F.cross_entropy(model(x), y))


def recurrent(variant: Variant, kind: str, steps: int, hidden: int):
    """A recurrent layer and a linear head of 64 classes at every time step, batch 32, Adam."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    cell, head = getattr(nn, kind)(64, hidden), nn.Linear(hidden, 64)
    x = torch.randn(steps, 32, 64)
    y = torch.randint(0, 64, (steps * 32,))
    params = [*cell.parameters(), *head.parameters()]
    opt = torch.optim.Adam(params, lr=LR, **variant.kwargs())

    def forward():
        out, _ = cell(x)
        return F.cross_entropy(head(out).view(-1, 64), y)

    return train_step(variant, opt, forward)


def w4(variant: Variant):
    """Elman RNN, tanh, T 64, input 64, hidden 128, batch 32, Adam."""
    return recurrent(variant, "RNN", 64, 128)


def w5(variant: Variant):
    """LSTM, T 128, input 64, hidden 256, batch 32, Adam."""
    return recurrent(variant, "LSTM", 128, 256)


def w6(variant: Variant):
    """Pre-norm decoder, erf GELU, causal, 4 layers, d 256, 4 heads, MLP 1024, T 128, batch 8, vocabulary 96, AdamW.

    The token table is the head.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    layers, d, heads, mlp, t, batch, vocab = 4, 256, 4, 1024, 128, 8, 96

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
            self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
            self.up, self.down = nn.Linear(d, mlp), nn.Linear(mlp, d)

        def forward(self, x):
            qkv = self.qkv(self.ln1(x)).view(batch, t, 3, heads, d // heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(a.transpose(1, 2).reshape(batch, t, d))
            return x + self.down(F.gelu(self.up(self.ln2(x))))

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(vocab, d), nn.Embedding(t, d)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm = nn.LayerNorm(d)

        def forward(self, ids):
            h = self.norm(self.blocks(self.tokens(ids) + self.positions.weight))
            return F.linear(h, self.tokens.weight)

    model = Decoder()
    ids = torch.randint(0, vocab, (batch, t))
    y = torch.randint(0, vocab, (batch * t,))
    opt = torch.optim.AdamW(model.parameters(), lr=LR, **variant.kwargs())
    return train_step(variant, opt, lambda: F.cross_entropy(model(ids).view(-1, vocab), y))


def w7(variant: Variant):
    """VAE 784-400-(20, 20)-400-784, Bernoulli likelihood, batch 128, noise in fixed memory, Adam."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    enc, mean, logvar = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
    dec, out = nn.Linear(20, 400), nn.Linear(400, 784)
    x, noise = torch.rand(128, 784), torch.randn(128, 20)
    params = [p for m in (enc, mean, logvar, dec, out) for p in m.parameters()]
    opt = torch.optim.Adam(params, lr=LR, **variant.kwargs())

    def forward():
        h = F.relu(enc(x))
        mu, lv = mean(h), logvar(h)
        z = mu + torch.exp(0.5 * lv) * noise
        logits = out(F.relu(dec(z)))
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = -0.5 * torch.sum(1 + lv - mu * mu - torch.exp(lv))
        return (nll + kl) / 128

    return train_step(variant, opt, forward)


def w8(variant: Variant):
    """GAN: G 64-256-512-784 tanh, D 784-512-256-1, leaky ReLU, batch 64; a step of D and one of G, Adam each.

    The fake batch is generated once per step and used for both, and the
    generator's backward pass also fills D's gradients, as in the usual loop.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    gen = nn.Sequential(
        nn.Linear(64, 256), nn.LeakyReLU(0.2),
        nn.Linear(256, 512), nn.LeakyReLU(0.2),
        nn.Linear(512, 784), nn.Tanh(),
    )
    dis = nn.Sequential(
        nn.Linear(784, 512), nn.LeakyReLU(0.2),
        nn.Linear(512, 256), nn.LeakyReLU(0.2),
        nn.Linear(256, 1),
    )
    real, noise = torch.rand(64, 784) * 2 - 1, torch.randn(64, 64)
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    opt_g = torch.optim.Adam(gen.parameters(), lr=LR, **variant.kwargs())
    opt_d = torch.optim.Adam(dis.parameters(), lr=LR, **variant.kwargs())
    bce = F.binary_cross_entropy_with_logits
    g, d = (torch.compile(gen), torch.compile(dis)) if variant.compile else (gen, dis)

    def step():
        opt_d.zero_grad(set_to_none=True)
        fake = g(noise)
        loss_d = bce(d(real), ones) + bce(d(fake.detach()), zeros)
        loss_d.backward()
        opt_d.step()
        opt_g.zero_grad(set_to_none=True)
        loss_g = bce(d(fake), ones)
        loss_g.backward()
        opt_g.step()
        return loss_d + loss_g

    return step


def w9(variant: Variant):
    """MLP 4-16-16-1, tanh, batch 1, MSE, SGD: the cost of the tape itself."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    model = nn.Sequential(
        nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
    )
    x, y = torch.randn(1, 4), torch.randn(1, 1)
    opt = torch.optim.SGD(model.parameters(), lr=LR, **variant.kwargs())
    return train_step(variant, opt, lambda: F.mse_loss(model(x), y))


def w10(variant: Variant):
    """mean(tanh(x*w+b)*sigmoid(x)) and fresh gradients of x, w and b, 4 Mi elements each."""
    import torch

    x, w, b = (torch.randn(4 << 20, requires_grad=True) for _ in range(3))

    def forward():
        return (torch.tanh(x * w + b) * torch.sigmoid(x)).mean()

    if variant.compile:
        forward = torch.compile(forward)

    def step():
        x.grad = w.grad = b.grad = None
        loss = forward()
        loss.backward()
        return loss

    return step


OPTIMIZERS = [Variant("fused"), Variant("foreach"), Variant("plain")]
LAYOUTS = OPTIMIZERS + [Variant(v.optimizer, channels_last=True) for v in OPTIMIZERS]

# Name -> (function from a variant to a step, the variants to try).
WORKLOADS = {
    "w1": (w1, OPTIMIZERS),
    "w2": (w2, LAYOUTS),
    "w3": (w3, LAYOUTS),
    "w4": (w4, OPTIMIZERS),
    "w5": (w5, OPTIMIZERS),
    "w6": (w6, OPTIMIZERS),
    "w7": (w7, OPTIMIZERS),
    "w8": (w8, OPTIMIZERS),
    "w9": (w9, OPTIMIZERS),
    "w10": (w10, [Variant()]),
}


def peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def measure(workload: str, variant: Variant, threads: int, seconds: float) -> dict:
    """Runs one variant in this process."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(0)
    step = WORKLOADS[workload][0](variant)

    clock = time.perf_counter
    done, until = 0, clock() + max(0.5, seconds / 4)
    while done < 3 or clock() < until:
        step()
        done += 1

    times, until = [], clock() + seconds
    while True:
        start = clock()
        loss = step()
        end = clock()
        times.append(end - start)
        if end >= until and len(times) >= MIN_STEPS:
            break

    if not math.isfinite(loss.item()):
        raise RuntimeError(f"{workload}: the loss is not finite")
    ms = np.asarray(times) * 1e3
    return {
        "workload": workload.upper(),
        "engine": "pytorch compile" if variant.compile else "pytorch eager",
        "version": torch.__version__.split("+")[0],
        "ms": round(float(np.median(ms)), 5),
        "min_ms": round(float(ms.min()), 5),
        "p90_ms": round(float(np.percentile(ms, 90)), 5),
        "steps": len(times),
        "threads": torch.get_num_threads(),
        "variant": variant.name,
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }


def run_child(workload: str, variant: Variant, args) -> dict:
    """Runs one variant in a fresh process."""
    spec = json.dumps([workload, variant.optimizer, variant.channels_last, args.compile])
    command = [sys.executable, os.path.abspath(__file__), "--child", spec,
               "--threads", str(args.threads), "--seconds", str(args.seconds)]
    # If threads are not bound, they can end up on one core and spin at each other's
    # barriers: a step then takes a hundred times as long.
    env = {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores", **os.environ,
           "OMP_NUM_THREADS": str(args.threads), "MKL_NUM_THREADS": str(args.threads)}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{workload} ({variant.name}) failed with status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description="PyTorch's time per training step")
    parser.add_argument("--workload", default="w1,w9,w10",
                        help=f"comma-separated, of {','.join(WORKLOADS)}, or 'all'")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="measuring time per variant")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--compile", action="store_true",
                        help="torch.compile the forward pass (needs a C++ compiler)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads < 1 or not 0 < args.seconds < math.inf:
        parser.error("--threads and --seconds must be positive")

    if args.child:
        workload, *variant = json.loads(args.child)
        print(json.dumps(measure(workload, Variant(*variant), args.threads, args.seconds)))
        return

    names = args.workload.lower().split(",")
    names = list(WORKLOADS) if names == ["all"] else [n.strip() for n in names]
    for name in names:
        if name not in WORKLOADS:
            parser.error(f"unknown workload '{name}'")

    for name in names:
        results = [run_child(name, variant, args) for variant in WORKLOADS[name][1]]
        best = min(results, key=lambda r: r["ms"])
        best["tried_ms"] = {r["variant"]: r["ms"] for r in results}
        if args.json:
            print(json.dumps(best), flush=True)
        else:
            tried = ", ".join(f"{k} {v:.4g}" for k, v in best["tried_ms"].items())
            print(f"{best['workload']:4} {best['engine']} {best['version']}, {best['threads']} threads: "
                  f"{best['ms']:.4g} ms (min {best['min_ms']:.4g}, p90 {best['p90_ms']:.4g}, "
                  f"{best['steps']} steps, {best['peak_rss_mb']:.0f} MB; {tried})", flush=True)


if __name__ == "__main__":
    main()
