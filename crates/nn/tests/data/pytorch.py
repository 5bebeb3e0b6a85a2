#!/usr/bin/env python3
"""Makes pytorch_mlp.safetensors: the weights of a PyTorch model, an input, and the model's output for it.

Needs torch and safetensors from PyPI; run in this folder.
"""
import torch
from safetensors.torch import save_file

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.GELU(), torch.nn.Linear(7, 4, bias=False), torch.nn.Linear(4, 3))
save_file(net.state_dict(), "pytorch_mlp.safetensors")

x = torch.randn(6, 5)
target = torch.tensor([0, 1, 2, 2, 1, 0])
logits = net(x)
loss = torch.nn.functional.cross_entropy(logits, target)
loss.backward()
expected = {"x": x, "logits": logits.detach(), "loss": loss.detach()}
expected |= {f"grad.{name}": p.grad for name, p in net.named_parameters()}
save_file(expected, "pytorch_mlp_expected.safetensors")
