"""The workloads in PyTorch.

A workload is a function of the weights and inputs that wengert wrote and of a variant; it returns a step. Modules have
wengert's names of parameters, so that all weights are loaded by name.
"""
from dataclasses import dataclass
from typing import Callable

import measure
import torch
from torch import nn
from torch.nn import functional as F

LR = 1e-6  # A fixed batch fitted to a loss of zero would give denormal numbers.


@dataclass(frozen=True)
class Variant:
    """How to run a workload."""

    optimizer: str = ""  # "fused", "foreach", "plain", or "" for none
    channels_last: bool = False
    compile: bool = False

    @property
    def name(self) -> str:
        parts = [self.optimizer] if self.optimizer else []
        if self.channels_last:
            parts.append("channels-last")
        return "+".join(parts) or "default"

    def options(self) -> dict:
        """Arguments of the optimiser."""
        return {"fused": {"fused": True}, "foreach": {"foreach": True}, "plain": {"foreach": False}}[self.optimizer]

    def place(self, model_or_images):
        """The model or the images, in the variant's memory layout."""
        return model_or_images.to(memory_format=torch.channels_last) if self.channels_last else model_or_images

    def compiled(self, function: Callable) -> Callable:
        return torch.compile(function) if self.compile else function


def variants(kind: str, compiled: bool) -> list:
    """The variants to try for a kind of workload: "train", "images", "step", "step images"."""
    if "train" in kind:
        optimizers = ["fused"] if compiled else ["fused", "foreach", "plain"]
    else:
        optimizers = [""]
    layouts = [False, True] if "images" in kind else [False]
    return [Variant(optimizer, layout, compiled) for layout in layouts for optimizer in optimizers]


def load(model: nn.Module, start: dict, variant: Variant) -> nn.Module:
    """The model with the weights of a file, all of which it has to have."""
    model.load_state_dict(measure.part(start, "model"), strict=True)
    return variant.place(model)


def training(variant: Variant, optimizer, forward: Callable) -> Callable:
    """Clear the gradients, forward and loss, backward, update."""
    forward = variant.compiled(forward)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward()
        loss.backward()
        optimizer.step()
        return loss

    return step


def gradients(variant: Variant, leaves: list, output: Callable) -> Callable:
    """Forward and backward of the mean of the squares of the output."""
    forward = variant.compiled(lambda: output().square().mean())

    def step():
        for leaf in leaves:
            leaf.grad = None
        loss = forward()
        loss.backward()
        return loss

    return step


def inference(variant: Variant, model: nn.Module, *inputs) -> Callable:
    """Forward alone."""
    model.eval()
    forward = variant.compiled(model)

    def step():
        with torch.inference_mode():
            return forward(*inputs)

    return step


# Models


class Mlp(nn.Module):
    def __init__(self, *widths, activation=F.relu):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(widths, widths[1:]))
        self.activation = activation

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class Shortcut(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.bn(self.conv(x))


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = Shortcut(inputs, outputs, stride) if stride != 1 or inputs != outputs else None

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)
        h = self.bn2(self.conv2(h))
        h += x if self.downsample is None else self.downsample(x)
        return F.relu(h, inplace=True)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        stages, inputs = [], 16
        for width, stride in ((16, 1), (32, 2), (64, 2)):
            blocks = [BasicBlock(inputs, width, stride), BasicBlock(width, width, 1), BasicBlock(width, width, 1)]
            stages.append(nn.Sequential(*blocks))
            inputs = width
        self.stages, self.head = nn.Sequential(*stages), nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.stages(self.stem(x)).mean((2, 3)))


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x, causal):
        n, t, width = x.shape
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias).view(n, t, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out_proj(a.transpose(1, 2).reshape(n, t, width))


class EncoderLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.self_attn = SelfAttention(width, heads)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, causal):
        x = x + self.self_attn(self.norm1(x), causal)
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class Encoder(nn.Module):
    def __init__(self, width, heads, layers):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x, causal):
        for layer in self.layers:
            x = layer(x, causal)
        return self.norm(x)


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(96, 256), nn.Embedding(128, 256)
        self.blocks = Encoder(256, 4, 4)

    def forward(self, ids):
        h = self.blocks(self.tokens(ids) + self.positions.weight, True)
        return F.linear(h, self.tokens.weight)


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(16, 64)
        self.register_parameter("class", nn.Parameter(torch.empty(1, 1, 64)))
        self.positions = nn.Embedding(50, 64)
        self.encoder = Encoder(64, 4, 4)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        patches = F.unfold(x, 4, stride=4).transpose(1, 2)
        first = getattr(self, "class").expand(len(x), 1, 64)
        h = torch.cat([first, self.embed(patches)], 1) + self.positions.weight
        return self.head(self.encoder(h, False)[:, 0])


class Tagger(nn.Module):
    """A recurrent layer, which takes the steps first, and a linear head."""

    def __init__(self, kind, hidden):
        super().__init__()
        self.recurrent, self.head = getattr(nn, kind)(64, hidden), nn.Linear(hidden, 64)

    def forward(self, x):
        return self.head(self.recurrent(x)[0])


class CharLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(65, 64), nn.LSTM(64, 256), nn.Linear(256, 65)

    def forward(self, ids, state):
        y, state = self.lstm(self.embedding(ids), state)
        return self.head(y[-1]), state


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(400, 20), nn.Linear(400, 20)
        self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def forward(self, x, noise):
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        logits = self.decoder(mean + torch.exp(0.5 * log_variance) * noise)
        surprise = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        divergence = -0.5 * torch.sum(1 + log_variance - mean * mean - torch.exp(log_variance))
        return (surprise + divergence) / len(x)


def dense(*widths):
    """Linear layers with leaky ReLU between them."""
    layers = []
    for i, o in zip(widths, widths[1:]):
        layers += [nn.Linear(i, o), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


# Training steps


def classifier(model, start, variant, optimizer=torch.optim.Adam, **options):
    model = load(model, start, variant)
    x, y = start["x"], start["y"]
    x = variant.place(x) if x.dim() == 4 else x
    opt = optimizer(model.parameters(), lr=LR, **options, **variant.options())
    return training(variant, opt, lambda: F.cross_entropy(model(x), y))


def w1(start, variant):
    return classifier(Mlp(784, 512, 512, 10), start, variant)


def w2(start, variant):
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10),
    )
    return classifier(model, start, variant)


def w3(start, variant):
    return classifier(ResNet20(), start, variant, torch.optim.SGD, momentum=0.9)


def recurrent(kind, hidden, start, variant):
    model = load(Tagger(kind, hidden), start, variant)
    x, y = start["x"].transpose(0, 1).contiguous(), start["y"].t().reshape(-1)
    opt = torch.optim.Adam(model.parameters(), lr=LR, **variant.options())
    return training(variant, opt, lambda: F.cross_entropy(model(x).view(-1, 64), y))


def w4(start, variant):
    return recurrent("RNN", 128, start, variant)


def w5(start, variant):
    return recurrent("LSTM", 256, start, variant)


def w6(start, variant):
    model = load(Gpt(), start, variant)
    x, y = start["x"], start["y"].reshape(-1)
    opt = torch.optim.AdamW(model.parameters(), lr=LR, **variant.options())
    return training(variant, opt, lambda: F.cross_entropy(model(x).view(-1, 96), y))


def w7(start, variant):
    model = load(Vae(), start, variant)
    x, noise = start["x"], start["noise"]
    opt = torch.optim.Adam(model.parameters(), lr=LR, **variant.options())
    step = training(variant, opt, lambda: model(x, noise))

    def then_draw():
        loss = step()
        noise.normal_()  # for the next step; that of the first is wengert's
        return loss

    return then_draw


def w8(start, variant):
    """The fake batch is generated once per step and used for both updates; the generator's backward pass also fills the
    gradients of the discriminator, as in the usual loop."""
    gan = nn.ModuleDict({"generator": dense(64, 256, 512, 784).append(nn.Tanh()), "discriminator": dense(784, 512, 256, 1)})
    load(gan, start, variant)
    real, noise = start["real"], start["noise"]
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    opt_g = torch.optim.Adam(gan["generator"].parameters(), lr=LR, **variant.options())
    opt_d = torch.optim.Adam(gan["discriminator"].parameters(), lr=LR, **variant.options())
    bce = F.binary_cross_entropy_with_logits
    g, d = variant.compiled(gan["generator"]), variant.compiled(gan["discriminator"])

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
        return loss_d.detach() + loss_g.detach()

    return step


def w9(start, variant):
    model = load(Mlp(4, 16, 16, 1, activation=torch.tanh), start, variant)
    x, y = start["x"], start["y"]
    opt = torch.optim.SGD(model.parameters(), lr=LR, **variant.options())
    return training(variant, opt, lambda: F.mse_loss(model(x), y))


def w10(start, variant):
    x, w, b = (start[name].requires_grad_() for name in "xwb")
    forward = variant.compiled(lambda: (torch.tanh(x * w + b) * torch.sigmoid(x)).mean())

    def step():
        x.grad = w.grad = b.grad = None
        loss = forward()
        loss.backward()
        return loss

    return step


# Layers, forward and backward


def layer(model, start, variant, of_input=True):
    """The gradients of a layer's parameters, and of its input unless that is data."""
    model = load(model, start, variant)
    x = start["x"]
    x = (variant.place(x) if x.dim() == 4 else x).requires_grad_(of_input)
    return gradients(variant, [x, *model.parameters()], lambda: model(x))


def depthwise(start, variant):
    return layer(nn.Conv2d(96, 96, 3, padding=1, groups=96), start, variant)


def conv5x5s2(start, variant):
    return layer(nn.Conv2d(32, 64, 5, stride=2, padding=2), start, variant)


def conv7x7s2(start, variant):
    return layer(nn.Conv2d(3, 64, 7, stride=2, padding=3), start, variant, of_input=False)


def gru(start, variant):
    model = load(nn.GRU(64, 128), start, variant)
    x = start["x"].transpose(0, 1).contiguous().requires_grad_()
    return gradients(variant, [x, *model.parameters()], lambda: model(x)[0])


def attention1000(start, variant):
    q, k, v = (start[name].requires_grad_() for name in "qkv")
    return gradients(variant, [q, k, v], lambda: F.scaled_dot_product_attention(q, k, v))


def layernorm_wide(start, variant):
    return layer(nn.LayerNorm(4096), start, variant)


def embedding50k(start, variant):
    return layer(nn.Embedding(50_000, 256), start, variant, of_input=False)


def batchnorm_nc(start, variant):
    return layer(nn.BatchNorm1d(512), start, variant)


def adamw(start, variant):
    weight = nn.Parameter(start["model.weight"])
    weight.grad = start["g"]
    opt = torch.optim.AdamW([weight], lr=1e-3, weight_decay=0.01, **variant.options())
    update = variant.compiled(opt.step)
    first = True

    def step():
        nonlocal first
        update()
        if not first:
            return torch.zeros(())
        first = False
        return (weight.detach() * start["g"]).mean()

    return step


# Models that answer one sample


def answer(model, start, variant):
    model = load(model, start, variant)
    x = start["x"]
    return inference(variant, model, variant.place(x) if x.dim() == 4 else x)


# Functions written in plain operations


def chain(start, variant, names, loss):
    """The gradients of a loss in the named values."""
    values = {name: t.requires_grad_(name in names.split()) for name, t in start.items()}
    forward = variant.compiled(lambda: loss(**values))

    def step():
        for t in values.values():
            t.grad = None
        loss = forward()
        loss.backward()
        return loss

    return step


def gelu_mlp(start, variant):
    def loss(x, w1, b1, w2, mask):
        h = x @ w1.T * 0.1 + b1
        a = 0.5 * h * (1 + torch.erf(h * 0.5**0.5))
        return (a * mask @ w2.T).square().mean()

    return chain(start, variant, "x w1 b1 w2", loss)


def swish_gate(start, variant):
    def loss(x, w1, w2, w3):
        a, b = x @ w1.T * 0.1, x @ w2.T * 0.1
        return (a * torch.sigmoid(a) * b @ w3.T).square().mean()

    return chain(start, variant, "x w1 w2 w3", loss)


def vae_loss(start, variant):
    def loss(z, mean, logvar, t):
        entropy = (torch.relu(z) - z * t + torch.log1p(torch.exp(-torch.abs(z)))).sum()
        divergence = -0.5 * (1 + logvar - mean * mean - torch.exp(logvar)).sum()
        return (entropy + divergence) / 512

    return chain(start, variant, "z mean logvar", loss)


def plain_layer_norm(start, variant):
    def loss(x, w, b):
        d = x - x.mean(-1, keepdim=True)
        y = d / ((d * d).mean(-1, keepdim=True) + 1e-5).sqrt() * w + b
        return y.square().mean()

    return chain(start, variant, "x w b", loss)


def pinn_residual(start, variant):
    def loss(x, w1, b1, w2, b2, w3):
        u = torch.tanh(torch.tanh(x @ w1.T + b1) @ w2.T * 0.2 + b2) @ w3.T
        (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        u_x, u_t = du[:, :1], du[:, 1:]
        u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0][:, :1]
        return (u_t + u * u_x - 0.01 * u_xx).square().mean()

    return chain(start, variant, "x w1 b1 w2 b2 w3", loss)


def plain_adam(start, variant):
    def update(p, m, v, g):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        return p - 1e-6 * (m / 0.1) / ((v / 0.001).sqrt() + 1e-8), m, v

    update = variant.compiled(update)
    state = [start["p"], start["m"], start["v"].square()]
    first = True

    def step():
        nonlocal first
        with torch.no_grad():
            state[:] = update(*state, start["g"])
            if not first:
                return torch.zeros(())
            first = False
            return state[0].mean()

    return step


# One sample, forward alone


def infer_mlp(start, variant):
    return answer(Mlp(784, 512, 512, 10), start, variant)


def infer_lenet(start, variant):
    return answer(nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    ), start, variant)


def infer_resnet(start, variant):
    return answer(ResNet20(), start, variant)


def infer_lstm(start, variant):
    model = load(CharLstm(), start, variant).eval()
    forward = variant.compiled(model)
    ids, state = start["x"], (torch.zeros(1, 1, 256), torch.zeros(1, 1, 256))

    def step():
        nonlocal state
        with torch.inference_mode():
            logits, state = forward(ids, state)
            return logits

    return step


def infer_gpt(start, variant):
    return answer(Gpt(), start, variant)


def infer_vit(start, variant):
    return answer(Vit(), start, variant)


# Name -> (function, kind).
TABLE = {
    "w1": (w1, "train"), "w2": (w2, "train images"), "w3": (w3, "train images"), "w4": (w4, "train"), "w5": (w5, "train"),
    "w6": (w6, "train"), "w7": (w7, "train"), "w8": (w8, "train"), "w9": (w9, "train"), "w10": (w10, "step"),
    "depthwise": (depthwise, "step images"), "conv5x5s2": (conv5x5s2, "step images"),
    "conv7x7s2": (conv7x7s2, "step images"), "gru": (gru, "step"), "attention1000": (attention1000, "step"),
    "layernorm-wide": (layernorm_wide, "step"), "embedding50k": (embedding50k, "step"),
    "batchnorm-nc": (batchnorm_nc, "step"), "adamw-1e7": (adamw, "train"),
    "gelu-mlp": (gelu_mlp, "step"), "swish-gate": (swish_gate, "step"), "vae-loss": (vae_loss, "step"),
    "plain-layer-norm": (plain_layer_norm, "step"), "plain-adam": (plain_adam, "step"), "pinn-residual": (pinn_residual, "step"),
    "infer-mlp": (infer_mlp, "step"), "infer-lenet": (infer_lenet, "step images"),
    "infer-resnet": (infer_resnet, "step images"), "infer-lstm": (infer_lstm, "step"),
    "infer-gpt": (infer_gpt, "step"), "infer-vit": (infer_vit, "step"),
}
