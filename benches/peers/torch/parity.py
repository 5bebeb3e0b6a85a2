#!/usr/bin/env python3
"""PyTorch's side of the training that benches/parity.py compares.

Reads the lines of wengert's `parity`, one JSON object each, and prints one for each:

    parity.py curves  < lines    the losses of the same steps from the same weights, and the differences of the final weights
    parity.py metrics < lines    the metric after the same number of epochs, from PyTorch's own initial weights
    
    Models are plain modules of torch.nn, with wengert's names of parameters. To add one, write a class with `loss` and
    `metric` (or inherit them), and enter it in MODELS.
"""
import json
import math
import struct
import sys
import time
import warnings

import torch
from torch import nn
from torch.nn import functional as F


def tensors(path: str) -> dict:
    """The tensors of a safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    body = memoryview(bytearray(data[8 + length:]))
    types = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
    found = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            found[name] = torch.frombuffer(body[begin:end], dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return found


def part(found: dict, prefix: str) -> dict:
    """The tensors whose names begin with a prefix, by the rest of their names."""
    return {name[len(prefix) + 1:]: t for name, t in found.items() if name.startswith(prefix + ".")}


class Single(nn.Module):
    """A model with one loss, `loss(batch, noise)`."""

    def parts(self):
        return [list(self.parameters())]

    def step(self, batch, noise, update):
        return [update(0, self.loss(batch, noise))]

    def noise(self, n):
        return None

    def metric(self, test):
        """The loss in evaluation."""
        return self.loss(test, self.noise(len(test["x"]))).item()


class Classifier(Single):
    """A classifier of `x` with labels `y`."""

    def loss(self, batch, noise):
        return F.cross_entropy(self(batch["x"]), batch["y"])

    def metric(self, test):
        """The percentage of correct answers."""
        return 100 * (self(test["x"]).argmax(-1) == test["y"]).double().mean().item()


class Stack(nn.Sequential, Classifier):
    """Layers that are applied one after the other."""


def mlp():
    net = Mlp()
    for layer in net.layers:
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    return net


class Mlp(Classifier):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64, 128), nn.Linear(128, 64), nn.Linear(64, 10)])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


def lenet():
    return Stack(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


def convolution(inputs, outputs, kernel=3, stride=1):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv


class GlobalAvgPool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def vgg():
    layers, inputs = [], 1
    for stage in ((8, 8), (16, 16)):
        for outputs in stage:
            layers += [convolution(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return Stack(*layers, GlobalAvgPool(), nn.Identity(), nn.Linear(inputs, 10))


class Shortcut(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv, self.bn = convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.bn(self.conv(x))


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = convolution(outputs, outputs), nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        self.downsample = Shortcut(inputs, outputs, stride) if changes else None

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + (x if self.downsample is None else self.downsample(x)))


class ResNet(Classifier):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(convolution(1, 16), nn.BatchNorm2d(16), nn.ReLU())
        stages, inputs = [], 16
        for outputs, stride in ((16, 1), (32, 2), (64, 2)):
            stages.append(nn.Sequential(BasicBlock(inputs, outputs, stride),
                                        BasicBlock(outputs, outputs, 1), BasicBlock(outputs, outputs, 1)))
            inputs = outputs
        self.stages, self.head = nn.Sequential(*stages), nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.stages(self.stem(x)).mean((2, 3)))


class Positions(nn.Module):
    """Adds a learned vector for each position."""

    def __init__(self, count, width):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(count, width))

    def forward(self, x):
        return x + self.weight[:x.shape[1]]


def encoder(width, heads, layers):
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    stack = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
    # The stack's layers are copies of one layer.
    for layer in stack.layers:
        layer.self_attn._reset_parameters()
        layer.self_attn.out_proj.reset_parameters()
        nn.init.zeros_(layer.self_attn.out_proj.bias)
        layer.linear1.reset_parameters()
        layer.linear2.reset_parameters()
    return stack


class Vit(Classifier):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(4, 32)
        setattr(self, "class", nn.Parameter(0.02 * torch.randn(1, 1, 32)))
        self.positions = Positions(17, 32)
        self.encoder = encoder(32, 4, 2)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        n = len(x)
        patches = F.unfold(x, 2, stride=2).transpose(1, 2)
        first = getattr(self, "class").expand(n, 1, 32)
        h = self.positions(torch.cat([first, self.embed(patches)], 1))
        return self.head(self.encoder(h)[:, 0])


class LanguageModel(Single):
    def loss(self, batch, noise):
        return F.cross_entropy(self(batch["x"]).flatten(0, 1), batch["y"].flatten())


class CharRnn(LanguageModel):
    def __init__(self, kind, layers):
        super().__init__()
        self.kind = kind
        self.embedding = nn.Embedding(65, 16)
        setattr(self, kind, getattr(nn, kind.upper())(16, 48, layers, batch_first=True))
        self.head = nn.Linear(48, 65)

    def forward(self, ids):
        return self.head(getattr(self, self.kind)(self.embedding(ids))[0])


class Gpt(LanguageModel):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(65, 48)
        nn.init.normal_(self.tokens.weight, std=0.02)
        self.positions = Positions(32, 48)
        self.blocks = encoder(48, 4, 2)

    def forward(self, ids):
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1], dtype=self.tokens.weight.dtype)
        h = self.blocks(self.positions(self.tokens(ids)), mask=mask, is_causal=True)
        return F.linear(h, self.tokens.weight)


class Seq2Seq(Single):
    def __init__(self):
        super().__init__()
        embedding, hidden = 16, 32
        self.source, self.target = nn.Embedding(71, embedding), nn.Embedding(74, embedding)
        self.encoder = nn.GRU(embedding, hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.decoder = nn.GRU(embedding, hidden, batch_first=True)
        self.keys = nn.Linear(2 * hidden, hidden, bias=False)
        self.combine = nn.Linear(3 * hidden, hidden)
        self.head = nn.Linear(hidden, 74)

    def forward(self, source, target):
        lengths = (source != 0).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        out, last = self.encoder(packed)
        values, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=source.shape[1])
        state = torch.tanh(self.bridge(torch.cat([last[0], last[1]], 1)))[None]
        y, _ = self.decoder(self.target(target), state)
        scores = y @ self.keys(values).transpose(1, 2)
        attention = scores.masked_fill((source == 0)[:, None], -1e9).softmax(-1)
        return self.head(torch.tanh(self.combine(torch.cat([y, attention @ values], -1))))

    def loss(self, batch, noise):
        logits = self(batch["x"], batch["y"][:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), batch["y"][:, 1:].flatten(), ignore_index=0)


class Translator(Single):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(71, 32), nn.Embedding(74, 32)
        # The warning says that norms which come first disable a faster path for padding.
        warnings.filterwarnings("ignore", "enable_nested_tensor")
        self.transformer = nn.Transformer(32, 4, 2, 2, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(32, 74)

    def positions(self, x):
        angles = torch.arange(x.shape[1])[:, None] * 10000.0 ** (-torch.arange(0, 32, 2, dtype=torch.float64) / 32)
        return x + torch.stack([angles.sin(), angles.cos()], -1).flatten(1).to(x.dtype)

    def forward(self, source, target):
        ended = source == 0
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1]) < 0
        return self.head(self.transformer(
            self.positions(self.source(source)), self.positions(self.target(target)), tgt_mask=causal,
            src_key_padding_mask=ended, memory_key_padding_mask=ended, tgt_is_causal=True,
        ))

    def loss(self, batch, noise):
        logits = self(batch["x"], batch["y"][:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), batch["y"][:, 1:].flatten(), ignore_index=0)


class Forecaster(Single):
    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(1, 16, 2, batch_first=True)
        self.head = nn.Linear(16, 6)

    def loss(self, batch, noise):
        _, last = self.recurrent(batch["x"])
        mean, std = self.head(last[-1]).chunk(2, -1)
        return -torch.distributions.Normal(mean, F.softplus(std) + 1e-3).log_prob(batch["y"]).mean()


class Vae(Single):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(32, 4), nn.Linear(32, 4)
        self.decoder = nn.Sequential(
            nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64)
        )

    def noise(self, n):
        return torch.randn(n, 4)

    def loss(self, batch, noise):
        h = self.encoder(batch["x"])
        mean, log_variance = self.mean(h), self.log_variance(h)
        logits = self.decoder(mean + (0.5 * log_variance).exp() * noise)
        surprise = F.binary_cross_entropy_with_logits(logits, batch["x"], reduction="none").sum(1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return (surprise + divergence).mean()


class Gan(nn.Module):
    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    def parts(self):
        return [list(self.discriminator.parameters()), list(self.generator.parameters())]

    def noise(self, n):
        return torch.randn(2, n, 8)

    def step(self, batch, noise, update):
        bce = F.binary_cross_entropy_with_logits
        real, fake = self.discriminator(batch["x"]), self.discriminator(self.generator(noise[0]).detach())
        d = update(0, bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake)))
        fake = self.discriminator(self.generator(noise[1]))
        return [d, update(1, bce(fake, torch.ones_like(fake)))]

    def metric(self, test):
        """The energy distance between generated samples and the test's."""
        real = test["x"].flatten(1)
        fake = self.generator(torch.randn(len(real), 8)).flatten(1)
        mean = lambda a, b: torch.cdist(a, b).double().mean().item()
        return 2 * mean(real, fake) - mean(real, real) - mean(fake, fake)


def dense_gan():
    leaky = lambda: nn.LeakyReLU(0.2)
    return Gan(
        nn.Sequential(nn.Linear(8, 32), leaky(), nn.Linear(32, 64), leaky(), nn.Linear(64, 64), nn.Tanh()),
        nn.Sequential(nn.Linear(64, 64), leaky(), nn.Linear(64, 32), leaky(), nn.Linear(32, 1)),
    )


def dcgan():
    gan = Gan(
        nn.Sequential(
            nn.Linear(8, 64), nn.Unflatten(1, (16, 2, 2)), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Tanh(),
        ),
        nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(8, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(64, 1),
        ),
    )
    for layer in gan.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return gan


MODELS = {
    "mlp": mlp,
    "lenet": lenet,
    "vgg": vgg,
    "resnet20": ResNet,
    "vit": Vit,
    "char_rnn": lambda: CharRnn("rnn", 2),
    "char_lstm": lambda: CharRnn("lstm", 1),
    "char_gru": lambda: CharRnn("gru", 1),
    "gpt": Gpt,
    "seq2seq": Seq2Seq,
    "translator": Translator,
    "forecaster": Forecaster,
    "vae": Vae,
    "dense_gan": dense_gan,
    "dcgan": dcgan,
}


def updater(model, plan):
    """A function that updates a part of the model from a loss, with PyTorch's optimisers and schedules."""
    of = plan["optimizer"]
    optimizers = [getattr(torch.optim, of["class"])(p, **of["arguments"]) for p in model.parts()]
    how = plan["schedule"]
    schedules = [
        getattr(torch.optim.lr_scheduler, how["class"])(o, **how["arguments"]) if how else None for o in optimizers
    ]

    def update(index, loss):
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        if plan["clip"] is not None:
            # clip_grad_norm_ scales by max / (norm + 1e-6), and wengert by max / norm.
            grads = [p.grad for p in model.parameters()]
            norm = torch.nn.utils.get_total_norm(grads)
            if norm > plan["clip"]:
                for g in grads:
                    g.mul_(plan["clip"] / norm)
        optimizers[index].step()
        if schedules[index]:
            schedules[index].step()
        return loss.item()

    return update


def curve(line: dict) -> dict:
    found = tensors(line["file"])
    dtype = {"f32": torch.float32, "f64": torch.float64}[line["dtype"]]
    # Optimisers create their own numbers in the default type.
    torch.set_default_dtype(dtype)
    model = MODELS[line["model"]]().train()
    model.load_state_dict(part(found, "start"), strict=True)
    train, noise, update = part(found, "train"), found.get("noise"), updater(model, line["plan"])
    losses = []
    for step, index in enumerate(found["order"]):
        batch = {name: t[index] for name, t in train.items()}
        losses.append(model.step(batch, None if noise is None else noise[step], update))
    # Differences are relative to the tensor's largest element, but at least to 1e-3.
    apart, own = {}, model.state_dict()
    for name, t in part(found, "end").items():
        gap = (own[name].double() - t.double()).abs().max().item()
        apart[name] = gap / max(t.double().abs().max().item(), 1e-3) if math.isfinite(gap) else math.inf
    worst = max(apart, key=apart.get)
    return {"model": line["model"], "dtype": line["dtype"], "losses": losses,
            "weights": apart[worst], "worst": worst}


def metrics(line: dict) -> dict:
    found, plan = tensors(line["file"]), line["plan"]
    train, test = part(found, "train"), part(found, "test")
    n, batch, begun, values = len(train["x"]), plan["batch"], time.time(), []
    for seed in range(line["seed"], line["seed"] + len(line["metrics"])):
        torch.manual_seed(1000 + seed)
        model = MODELS[line["model"]]().train()
        update = updater(model, plan)
        for _ in range(plan["epochs"]):
            for index in torch.randperm(n)[:n - n % batch].split(batch):
                model.step({name: t[index] for name, t in train.items()}, model.noise(batch), update)
        model.eval()
        with torch.no_grad():
            values.append(model.metric(test))
    return {"model": line["model"], "metrics": values, "seconds": time.time() - begun}


def main() -> None:
    # The models are too small for more threads, and threads would wait for each other on a busy machine.
    torch.set_num_threads(1)
    run = {"curves": curve, "metrics": metrics}[sys.argv[1]]
    for line in sys.stdin:
        result = run(json.loads(line))
        result["version"] = torch.__version__
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
