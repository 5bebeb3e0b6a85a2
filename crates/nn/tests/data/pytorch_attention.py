#!/usr/bin/env python3
"""Makes pytorch_attention.safetensors: attention and Transformers in PyTorch, in double precision, with all gradients.

Names are `model:state.weight`, `model:grad.weight`, `model:input.x`, `model:inputgrad.x` and `model:y`; the loss is Σ g y with
g in `model:g`. Needs torch and safetensors from PyPI; run in this folder.
"""
import torch
from safetensors.torch import save_file
from torch import nn

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
out = {}


def record(name, model, run, **inputs):
    with torch.no_grad():
        for p in model.parameters():
            p += 0.3 * torch.randn_like(p)
    inputs = {k: v.requires_grad_() for k, v in inputs.items()}
    y = run(model, **inputs)
    g = torch.randn_like(y)
    y.backward(g)
    out.update({f"{name}:state.{k}": v for k, v in model.state_dict().items()})
    out.update({f"{name}:grad.{k}": p.grad for k, p in model.named_parameters()})
    out.update({f"{name}:input.{k}": v.detach() for k, v in inputs.items()})
    out.update({f"{name}:inputgrad.{k}": v.grad for k, v in inputs.items()})
    out.update({f"{name}:y": y.detach(), f"{name}:g": g})


# PyTorch's masks are true where a key is not seen.
ends = torch.tensor([[False, False, False, False], [False, False, True, True]])
causal = torch.ones(4, 4).triu(1).bool()

attention = nn.MultiheadAttention(6, 3, kdim=4, vdim=5, batch_first=True)
added = torch.randn(3, 4)
out["attention:added"] = added
record("attention", attention, lambda m, q, k, v: m(q, k, v, attn_mask=added, need_weights=False)[0],
       q=torch.randn(2, 3, 6), k=torch.randn(2, 4, 4), v=torch.randn(2, 4, 5))
q, k, v = (out[f"attention:input.{n}"] for n in "qkv")
out["attention:weights"] = attention(q, k, v, attn_mask=added, average_attn_weights=False)[1].detach()

layer = nn.TransformerEncoderLayer(6, 2, 5, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(6), enable_nested_tensor=False)
record("encoder", encoder, lambda m, x: m(x, mask=causal, src_key_padding_mask=ends), x=torch.randn(2, 4, 6))

model = nn.Transformer(6, 2, 1, 1, 5, dropout=0.0, batch_first=True)
record("transformer", model,
       lambda m, source, target: m(source, target, tgt_mask=causal[:3, :3], src_key_padding_mask=ends,
                                   memory_key_padding_mask=ends),
       source=torch.randn(2, 4, 6), target=torch.randn(2, 3, 6))
save_file({k: v.contiguous() for k, v in out.items()}, "pytorch_attention.safetensors")
