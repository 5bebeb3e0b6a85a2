"""The workloads in JAX.

A workload is a function of the weights and inputs that wengert wrote; it returns a step. Parameters are a flat dict with
wengert's names. The matrices of linear layers are transposed, so that a product reads them as they lie in memory.
"""
from functools import partial

import jax
import jax.numpy as jnp
import measure
from jax import lax, nn

LR = 1e-6  # A fixed batch fitted to a loss of zero would give denormal numbers.
TABLES = ("tokens.", "positions.", "embedding.")


class Start:
    """The weights and inputs of a file, and the memory layout of images: "NCHW" or "NHWC"."""

    def __init__(self, found: dict, layout: str):
        self.layout = layout
        self.inputs = {name: jnp.asarray(t) for name, t in found.items() if not name.startswith("model.")}
        self.params, self.buffers = {}, {}
        for name, t in measure.part(found, "model").items():
            if name.endswith("num_batches_tracked"):
                continue
            if name.endswith(("running_mean", "running_var")):
                self.buffers[name] = jnp.asarray(t)
                continue
            if t.ndim == 4 and layout == "NHWC":
                t = t.transpose(2, 3, 1, 0)
            if t.ndim == 2 and not name.startswith(TABLES):
                t = t.T
            self.params[name] = jnp.array(t)

    def images(self, name="x"):
        x = self.inputs[name]
        return x.transpose(0, 2, 3, 1) if self.layout == "NHWC" else x


# Steps


def adam(params):
    """The initial state, and the update, of Adam, or of AdamW with a weight decay."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return (zeros, jax.tree.map(jnp.zeros_like, params), jnp.zeros(())), adam_update


def adam_update(params, grads, state, lr=LR, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
    m, v, t = state
    t = t + 1
    m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, grads)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, grads)
    c1, c2 = 1 - beta1**t, 1 - beta2**t
    new = lambda p, m, v: p * (1 - lr * decay) - lr * (m / c1) / (jnp.sqrt(v / c2) + epsilon)
    return jax.tree.map(new, params, m, v), (m, v, t)


def adamw(params):
    return adam(params)[0], partial(adam_update, decay=0.01)


def sgd(params, momentum=0.0):
    def update(params, grads, velocity):
        if momentum:
            velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, grads)
        return jax.tree.map(lambda p, v: p - LR * v, params, velocity if momentum else grads), velocity

    return jax.tree.map(jnp.zeros_like, params) if momentum else None, update


def training(start: Start, loss, optimizer=adam):
    """Forward, loss, backward, update. `loss` takes parameters, buffers and inputs; it returns the loss and the new buffers."""
    state, update = optimizer(start.params)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def run(params, state, buffers, inputs):
        (value, buffers), grads = jax.value_and_grad(loss, has_aux=True)(params, buffers, inputs)
        params, state = update(params, grads, state)
        return params, state, buffers, value

    kept = [start.params, state, start.buffers]

    def step():
        *kept[:], value = run(*kept, start.inputs)
        jax.block_until_ready(kept)
        return value

    return step


def without_buffers(loss):
    return lambda params, buffers, inputs: (loss(params, inputs), buffers)


def gradients(start: Start, output, of=("x",)):
    """Forward and backward of the mean of the squares of the output, in the parameters and in some of the inputs."""
    leaves = (start.params, {name: start.inputs[name] for name in of})
    data = {name: t for name, t in start.inputs.items() if name not in of}

    @jax.jit
    def run(leaves, data):
        return jax.value_and_grad(lambda leaves: jnp.square(output(leaves[0], {**leaves[1], **data})).mean())(leaves)

    def step():
        value, grads = run(leaves, data)
        jax.block_until_ready(grads)
        return value

    return step


def inference(start: Start, output):
    run = jax.jit(lambda params, buffers, inputs: output(params, buffers, inputs))
    return lambda: run(start.params, start.buffers, start.inputs)


# Layers


def linear(p, name, x):
    return x @ p[name + ".weight"] + p[name + ".bias"]


def cross_entropy(logits, y):
    chosen = jnp.take_along_axis(nn.log_softmax(logits), y.reshape(*logits.shape[:-1], 1), -1)
    return -chosen.mean()


def conv(layout, p, name, x, stride=1, padding=1, groups=1):
    kernel = "OIHW" if layout == "NCHW" else "HWIO"
    y = lax.conv_general_dilated(
        x, p[name + ".weight"], (stride, stride), [(padding, padding)] * 2, dimension_numbers=(layout, kernel, layout),
        feature_group_count=groups,
    )
    return y + channels(layout, p[name + ".bias"]) if name + ".bias" in p else y


def channels(layout, vector):
    """A vector of one number per channel, as images."""
    return vector if layout == "NHWC" else vector[:, None, None]


def flatten(layout, x):
    """Rows in the order of wengert's layout."""
    x = x.transpose(0, 3, 1, 2) if layout == "NHWC" else x
    return x.reshape(len(x), -1)


def max_pool(layout, x):
    window = (1, 2, 2, 1) if layout == "NHWC" else (1, 1, 2, 2)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def batch_norm(layout, p, buffers, name, x, training):
    axes = {"NHWC": (0, 1, 2), "NCHW": (0, 2, 3), "NC": (0,)}[layout]
    over = (lambda v: v) if layout == "NC" else partial(channels, layout)
    if training:
        mean, var = x.mean(axes), x.var(axes)
        count = x.size / mean.size
        buffers = {
            **buffers,
            name + ".running_mean": 0.9 * buffers[name + ".running_mean"] + 0.1 * mean,
            name + ".running_var": 0.9 * buffers[name + ".running_var"] + 0.1 * var * count / (count - 1),
        }
    else:
        mean, var = buffers[name + ".running_mean"], buffers[name + ".running_var"]
    scale = lax.rsqrt(var + 1e-5) * p[name + ".weight"]
    return (x - over(mean)) * over(scale) + over(p[name + ".bias"]), buffers


def layer_norm(p, name, x):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * p[name + ".weight"] + p[name + ".bias"]


def attention(q, k, v, causal):
    """Of `[.., steps, features]`."""
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:], bool)), scores, -jnp.inf)
    return nn.softmax(scores) @ v


def encoder(p, prefix, x, heads, layers, causal):
    n, t, width = x.shape
    for i in range(layers):
        name = f"{prefix}.layers.{i}."
        h = layer_norm(p, name + "norm1", x)
        qkv = h @ p[name + "self_attn.in_proj_weight"] + p[name + "self_attn.in_proj_bias"]
        q, k, v = qkv.reshape(n, t, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
        a = attention(q, k, v, causal).swapaxes(1, 2).reshape(n, t, width)
        x = x + linear(p, name + "self_attn.out_proj", a)
        h = nn.gelu(linear(p, name + "linear1", layer_norm(p, name + "norm2", x)), approximate=False)
        x = x + linear(p, name + "linear2", h)
    return layer_norm(p, prefix + ".norm", x)


def recur(kind, p, name, x, state=None):
    """The states of a recurrent layer after each step, `[steps, n, hidden]`, and the last state."""
    hidden = p[name + ".weight_hh_l0"]
    gates = x @ p[name + ".weight_ih_l0"] + p[name + ".bias_ih_l0"]
    zeros = jnp.zeros((x.shape[1], hidden.shape[0]))

    def recurrent(h):
        return h @ hidden + p[name + ".bias_hh_l0"]

    def rnn(h, gates):
        h = jnp.tanh(gates + recurrent(h))
        return h, h

    def lstm(state, gates):
        h, c = state
        i, f, g, o = jnp.split(gates + recurrent(h), 4, -1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(h, gates):
        r, z, n = jnp.split(gates, 3, -1)
        hr, hz, hn = jnp.split(recurrent(h), 3, -1)
        r, z = nn.sigmoid(r + hr), nn.sigmoid(z + hz)
        h = (1 - z) * jnp.tanh(n + r * hn) + z * h
        return h, h

    body = {"rnn": rnn, "lstm": lstm, "gru": gru}[kind]
    if state is None:
        state = (zeros, zeros) if kind == "lstm" else zeros
    last, states = lax.scan(body, state, gates)
    return states, last


# Models


def mlp(p, x, activation=nn.relu):
    last = max(int(name.split(".")[1]) for name in p)
    for i in range(last):
        x = activation(linear(p, f"layers.{i}", x))
    return linear(p, f"layers.{last}", x)


def sequential(p, x, prefix="", activation=partial(nn.leaky_relu, negative_slope=0.2)):
    """Three linear layers with an activation between them, as wengert's `Sequential` numbers them."""
    x = activation(linear(p, prefix + "0", x))
    x = activation(linear(p, prefix + "2", x))
    return linear(p, prefix + "4", x)


def resnet20(layout, p, buffers, x, training):
    norm = lambda name, x, buffers: batch_norm(layout, p, buffers, name, x, training)
    h, buffers = norm("stem.1", conv(layout, p, "stem.0", x), buffers)
    h = nn.relu(h)
    for s in range(3):
        for b in range(3):
            name = f"stages.{s}.{b}."
            stride = 2 if s > 0 and b == 0 else 1
            a, buffers = norm(name + "bn1", conv(layout, p, name + "conv1", h, stride), buffers)
            a, buffers = norm(name + "bn2", conv(layout, p, name + "conv2", nn.relu(a)), buffers)
            if name + "downsample.conv.weight" in p:
                h, buffers = norm(name + "downsample.bn", conv(layout, p, name + "downsample.conv", h, stride, 0), buffers)
            h = nn.relu(a + h)
    return linear(p, "head", h.mean((1, 2) if layout == "NHWC" else (2, 3))), buffers


def gpt(p, ids):
    h = p["tokens.weight"][ids] + p["positions.weight"]
    return encoder(p, "blocks", h, 4, 4, True) @ p["tokens.weight"].T


def vit(p, x):
    n = len(x)
    patches = x.reshape(n, 7, 4, 7, 4).transpose(0, 1, 3, 2, 4).reshape(n, 49, 16)
    first = jnp.broadcast_to(p["class"], (n, 1, 64))
    h = jnp.concatenate([first, linear(p, "embed", patches)], 1) + p["positions.weight"]
    return linear(p, "head", encoder(p, "encoder", h, 4, 4, False)[:, 0])


# Training steps


def w1(start):
    return training(start, without_buffers(lambda p, at: cross_entropy(mlp(p, at["x"]), at["y"])))


def w2(start):
    layout = start.layout
    start.inputs["x"] = start.images()

    def loss(p, at):
        h = max_pool(layout, nn.relu(conv(layout, p, "0", at["x"])))
        h = flatten(layout, max_pool(layout, nn.relu(conv(layout, p, "3", h))))
        return cross_entropy(linear(p, "9", nn.relu(linear(p, "7", h))), at["y"])

    return training(start, without_buffers(loss))


def w3(start):
    start.inputs["x"] = start.images()

    def loss(p, buffers, at):
        logits, buffers = resnet20(start.layout, p, buffers, at["x"], True)
        return cross_entropy(logits, at["y"]), buffers

    return training(start, loss, partial(sgd, momentum=0.9))


def recurrent(kind, start):
    start.inputs = {"x": start.inputs["x"].swapaxes(0, 1), "y": start.inputs["y"].T}

    def loss(p, at):
        return cross_entropy(linear(p, "head", recur(kind, p, "recurrent", at["x"])[0]), at["y"])

    return training(start, without_buffers(loss))


def w6(start):
    return training(start, without_buffers(lambda p, at: cross_entropy(gpt(p, at["x"]), at["y"])), adamw)


def w7(start):
    """The noise of the first step is wengert's; each step draws that of the next."""
    state, update = adam(start.params)

    def loss(p, x, noise):
        h = nn.relu(linear(p, "encoder.0", x))
        mean, log_variance = linear(p, "mean", h), linear(p, "log_variance", h)
        z = mean + jnp.exp(0.5 * log_variance) * noise
        logits = linear(p, "decoder.2", nn.relu(linear(p, "decoder.0", z)))
        surprise = (jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))).sum()
        divergence = -0.5 * (1 + log_variance - mean * mean - jnp.exp(log_variance)).sum()
        return (surprise + divergence) / len(x)

    @partial(jax.jit, donate_argnums=(0, 1, 2, 3))
    def run(params, state, noise, key, x):
        value, grads = jax.value_and_grad(loss)(params, x, noise)
        params, state = update(params, grads, state)
        key, use = jax.random.split(key)
        return params, state, jax.random.normal(use, noise.shape), key, value

    kept = [start.params, state, start.inputs["noise"], jax.random.PRNGKey(0)]

    def step():
        *kept[:], value = run(*kept, start.inputs["x"])
        jax.block_until_ready(kept)
        return value

    return step


def w8(start):
    """The fake batch is generated once per step and used for both updates."""
    g, d = measure.part(start.params, "generator"), measure.part(start.params, "discriminator")
    (state_g, update), (state_d, _) = adam(g), adam(d)
    log_loss = lambda logits, y: (jnp.maximum(logits, 0) - logits * y + jnp.log1p(jnp.exp(-jnp.abs(logits)))).mean()

    @partial(jax.jit, donate_argnums=(0, 1, 2, 3))
    def run(g, d, state_g, state_d, real, noise):
        fake, pull = jax.vjp(lambda g: jnp.tanh(sequential(g, noise)), g)
        judge = lambda d: log_loss(sequential(d, real), 1.0) + log_loss(sequential(d, fake), 0.0)
        loss_d, grads = jax.value_and_grad(judge)(d)
        d, state_d = update(d, grads, state_d)
        loss_g, cotangent = jax.value_and_grad(lambda fake: log_loss(sequential(d, fake), 1.0))(fake)
        g, state_g = update(g, pull(cotangent)[0], state_g)
        return g, d, state_g, state_d, loss_d + loss_g

    kept = [g, d, state_g, state_d]

    def step():
        *kept[:], value = run(*kept, start.inputs["real"], start.inputs["noise"])
        jax.block_until_ready(kept)
        return value

    return step


def w9(start):
    return training(start, without_buffers(lambda p, at: jnp.square(mlp(p, at["x"], jnp.tanh) - at["y"]).mean()), sgd)


def w10(start):
    run = jax.jit(jax.value_and_grad(lambda x, w, b: (jnp.tanh(x * w + b) * nn.sigmoid(x)).mean(), argnums=(0, 1, 2)))

    def step():
        value, grads = run(*(start.inputs[name] for name in "xwb"))
        jax.block_until_ready(grads)
        return value

    return step


# Layers, forward and backward


def convolution(start, stride=1, padding=1, groups=1, of=("x",)):
    start.inputs["x"] = start.images()
    # A single layer's parameters have no prefix.
    start.params = {"conv." + name: t for name, t in start.params.items()}
    return gradients(start, lambda p, at: conv(start.layout, p, "conv", at["x"], stride, padding, groups), of)


def gru(start):
    start.inputs["x"] = start.inputs["x"].swapaxes(0, 1)
    start.params = {"gru." + name: t for name, t in start.params.items()}
    return gradients(start, lambda p, at: recur("gru", p, "gru", at["x"])[0])


def attention1000(start):
    return gradients(start, lambda p, at: attention(at["q"], at["k"], at["v"], False), of=("q", "k", "v"))


def layernorm_wide(start):
    start.params = {"norm." + name: t for name, t in start.params.items()}
    return gradients(start, lambda p, at: layer_norm(p, "norm", at["x"]))


def embedding50k(start):
    # The loader took the table for a matrix of a linear layer.
    table = {"weight": jnp.array(start.params["weight"].T)}
    start.params = table
    return gradients(start, lambda p, at: p["weight"][at["x"]], of=())


def batchnorm_nc(start):
    params = {"norm." + name: t for name, t in start.params.items()}
    buffers = {"norm." + name: t for name, t in start.buffers.items()}
    leaves = (params, start.inputs["x"])

    @partial(jax.jit, donate_argnums=1)
    def run(leaves, buffers):
        def loss(leaves):
            y, new = batch_norm("NC", leaves[0], buffers, "norm", leaves[1], True)
            return jnp.square(y).mean(), new

        return jax.value_and_grad(loss, has_aux=True)(leaves)

    kept = [buffers]

    def step():
        (value, kept[0]), grads = run(leaves, kept[0])
        jax.block_until_ready(grads)
        return value

    return step


def adamw_step(start):
    state, _ = adam(start.params)
    update = partial(adam_update, lr=1e-3, decay=0.01)
    run = jax.jit(lambda p, s, g: update(p, {"weight": g}, s), donate_argnums=(0, 1))
    kept, g = [start.params, state], start.inputs["g"]
    first = True

    def step():
        nonlocal first
        kept[:] = run(*kept, g)
        jax.block_until_ready(kept)
        if not first:
            return jnp.zeros(())
        first = False
        return (kept[0]["weight"] * g).mean()

    return step


# Models that answer one sample


# Functions written in plain operations


def chain(start, names, loss):
    names = names.split()
    data = {name: t for name, t in start.inputs.items() if name not in names}
    run = jax.jit(jax.value_and_grad(lambda leaves: loss(**leaves, **data)))
    leaves = {name: start.inputs[name] for name in names}

    def step():
        value, grads = run(leaves)
        jax.block_until_ready(grads)
        return value

    return step


def gelu_mlp(start):
    def loss(x, w1, b1, w2, mask):
        h = x @ w1.T * 0.1 + b1
        a = 0.5 * h * (1 + lax.erf(h * 0.5**0.5))
        return jnp.square(a * mask @ w2.T).mean()

    return chain(start, "x w1 b1 w2", loss)


def swish_gate(start):
    def loss(x, w1, w2, w3):
        a, b = x @ w1.T * 0.1, x @ w2.T * 0.1
        return jnp.square(a * nn.sigmoid(a) * b @ w3.T).mean()

    return chain(start, "x w1 w2 w3", loss)


def vae_loss(start):
    def loss(z, mean, logvar, t):
        entropy = (jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z)))).sum()
        divergence = -0.5 * (1 + logvar - mean * mean - jnp.exp(logvar)).sum()
        return (entropy + divergence) / 512

    return chain(start, "z mean logvar", loss)


def plain_layer_norm(start):
    def loss(x, w, b):
        d = x - x.mean(-1, keepdims=True)
        y = d / jnp.sqrt((d * d).mean(-1, keepdims=True) + 1e-5) * w + b
        return jnp.square(y).mean()

    return chain(start, "x w b", loss)


def pinn_residual(start):
    def loss(x, w1, b1, w2, b2, w3):
        def u(x):
            return jnp.tanh(jnp.tanh(x @ w1.T + b1) @ w2.T * 0.2 + b2) @ w3.T

        def slopes(x):
            return jax.grad(lambda x: u(x).sum())(x)

        du = slopes(x)
        u_xx = jax.grad(lambda x: slopes(x)[:, :1].sum())(x)[:, :1]
        return jnp.square(du[:, 1:] + u(x) * du[:, :1] - 0.01 * u_xx).mean()

    return chain(start, "x w1 b1 w2 b2 w3", loss)


def plain_adam(start):
    def update(p, m, v, g):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        return p - 1e-6 * (m / 0.1) / (jnp.sqrt(v / 0.001) + 1e-8), m, v

    run = jax.jit(update, donate_argnums=(0, 1, 2))
    state = [start.inputs["p"], start.inputs["m"], jnp.square(start.inputs["v"])]
    first = True

    def step():
        nonlocal first
        state[:] = jax.block_until_ready(run(*state, start.inputs["g"]))
        if not first:
            return jnp.zeros(())
        first = False
        return state[0].mean()

    return step


# One sample, forward alone


def infer_mlp(start):
    return inference(start, lambda p, _, at: mlp(p, at["x"]))


def infer_lenet(start):
    layout = start.layout
    start.inputs["x"] = start.images()

    def output(p, _, at):
        h = max_pool(layout, nn.relu(conv(layout, p, "0", at["x"], padding=2)))
        h = max_pool(layout, nn.relu(conv(layout, p, "3", h, padding=0)))
        h = nn.relu(linear(p, "7", flatten(layout, h)))
        return linear(p, "11", nn.relu(linear(p, "9", h)))

    return inference(start, output)


def infer_resnet(start):
    start.inputs["x"] = start.images()
    return inference(start, lambda p, buffers, at: resnet20(start.layout, p, buffers, at["x"], False)[0])


def infer_lstm(start):
    @jax.jit
    def run(p, ids, state):
        y, state = recur("lstm", p, "lstm", p["embedding.weight"][ids], state)
        return linear(p, "head", y[-1]), state

    state = (jnp.zeros((1, 256)), jnp.zeros((1, 256)))

    def step():
        nonlocal state
        logits, state = run(start.params, start.inputs["x"], state)
        return jax.block_until_ready(logits)

    return step


def infer_gpt(start):
    return inference(start, lambda p, _, at: gpt(p, at["x"]))


def infer_vit(start):
    return inference(start, lambda p, _, at: vit(p, at["x"]))


# Name -> (function, whether it has images in one of two memory layouts).
TABLE = {
    "w1": (w1, False), "w2": (w2, True), "w3": (w3, True), "w4": (partial(recurrent, "rnn"), False),
    "w5": (partial(recurrent, "lstm"), False), "w6": (w6, False), "w7": (w7, False), "w8": (w8, False), "w9": (w9, False),
    "w10": (w10, False), "depthwise": (partial(convolution, groups=96), True),
    "conv5x5s2": (partial(convolution, stride=2, padding=2), True),
    "conv7x7s2": (partial(convolution, stride=2, padding=3, of=()), True), "gru": (gru, False),
    "attention1000": (attention1000, False), "layernorm-wide": (layernorm_wide, False),
    "embedding50k": (embedding50k, False), "batchnorm-nc": (batchnorm_nc, False), "adamw-1e7": (adamw_step, False),
    "gelu-mlp": (gelu_mlp, False), "swish-gate": (swish_gate, False), "vae-loss": (vae_loss, False),
    "plain-layer-norm": (plain_layer_norm, False), "plain-adam": (plain_adam, False),
    "pinn-residual": (pinn_residual, False),
    "infer-mlp": (infer_mlp, False), "infer-lenet": (infer_lenet, True), "infer-resnet": (infer_resnet, True),
    "infer-lstm": (infer_lstm, False), "infer-gpt": (infer_gpt, False), "infer-vit": (infer_vit, False),
}
