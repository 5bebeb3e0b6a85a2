"""The zoo's VAE and DCGAN in PyTorch on Fashion-MNIST, to compare final scores with.

    python fashion.py vae --seed 0 --epochs 20
    python fashion.py dcgan --seed 0 --epochs 10 --judge runs/gan/model.safetensors

Initial weights and random numbers are PyTorch's own. The Fréchet distance is computed on the features of the judge of a run of
`wengert train gan`, for the same number of images, so that both are judged in the same way.
"""
import argparse
import gzip
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

DEFAULT = "/usr/share/datasets/fashion-mnist"


def images(folder: str, part: str) -> torch.Tensor:
    raw = gzip.open(Path(folder) / f"{part}-images-idx3-ubyte.gz").read()
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return torch.tensor(pixels.astype("f4") / 255)


class Vae(nn.Module):
    """Like `zoo::Vae::dense` with one hidden layer."""

    def __init__(self, hidden: int, latent: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, hidden), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 784))

    def parts(self, x):
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        likelihood = -F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none").sum(1)
        divergence = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
        return likelihood, divergence


def vae(args) -> None:
    train, test = (images(args.data, p).flatten(1) for p in ("train", "t10k"))
    model = Vae(args.hidden, args.latent)
    adam = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.01)
    batch, step = 128, 0
    steps = args.epochs * math.ceil(len(train) / batch)
    began = time.time()
    for epoch in range(args.epochs):
        for rows in torch.randperm(len(train)).split(batch):
            adam.param_groups[0]["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * step / steps))
            likelihood, divergence = model.parts(train[rows])
            loss = (divergence - likelihood).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            step += 1
    with torch.no_grad():
        likelihood, divergence = model.parts(test)
    print(json.dumps({
        "model": "vae", "seed": args.seed, "loss": (divergence - likelihood).mean().item(),
        "reconstruction": -likelihood.mean().item(), "divergence": divergence.mean().item(),
        "seconds": round(time.time() - began, 1),
    }))


def dcgan(args) -> None:
    from safetensors.torch import load_file

    train, test = (2 * images(args.data, p) - 1 for p in ("train", "t10k"))
    width, latent, batch = 32, 64, 64
    generator = nn.Sequential(
        nn.Linear(latent, 2 * width * 49), nn.Unflatten(1, (2 * width, 7, 7)),
        nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(2 * width * 49, 1),
    )
    for module in [*generator.modules(), *discriminator.modules()]:
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    saved = load_file(args.judge)
    trunk = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(),
    )
    named = {k.removeprefix("judge.trunk."): v for k, v in saved.items() if k.startswith("judge.trunk.")}
    trunk.load_state_dict(named)

    def moments(pictures):
        with torch.no_grad():
            features = torch.cat([trunk(p) for p in pictures.split(1000)]).double().numpy()
        return features.mean(0), np.cov(features.T)

    def distance(a, b):
        (m1, s1), (m2, s2) = a, b
        values, vectors = np.linalg.eigh(s1)
        root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
        cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ s2 @ root), 0, None)).sum()
        return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * cross)

    real = moments(test)
    g = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.5, 0.999))
    d = torch.optim.Adam(discriminator.parameters(), 2e-4, betas=(0.5, 0.999))
    softplus = F.softplus
    began, scores = time.time(), []
    for epoch in range(args.epochs):
        for rows in torch.randperm(len(train)).split(batch):
            if len(rows) < batch:
                continue
            fake = generator(torch.randn(batch, latent))
            loss = softplus(-discriminator(train[rows])).mean() + softplus(discriminator(fake.detach())).mean()
            d.zero_grad()
            loss.backward()
            d.step()
            loss = softplus(-discriminator(fake)).mean()
            g.zero_grad()
            loss.backward()
            g.step()
        generator.eval()
        with torch.no_grad():
            made = torch.cat([generator(torch.randn(1000, latent)) for _ in range(10)])
        generator.train()
        scores.append(distance(real, moments(made)))
        print(json.dumps({
            "model": "dcgan", "seed": args.seed, "epoch": epoch + 1, "fid": scores[-1],
            "seconds": round(time.time() - began, 1),
        }), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["vae", "dcgan"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--hidden", type=int, default=400)
    parser.add_argument("--latent", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", default=DEFAULT)
    parser.add_argument("--judge", help="model.safetensors of a run of `wengert train gan --convolutional`")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    {"vae": vae, "dcgan": dcgan}[args.model](args)


if __name__ == "__main__":
    main()
