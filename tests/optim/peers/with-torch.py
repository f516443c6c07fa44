"""Writes torch.json: where twenty steps of optimizers of PyTorch and of pytorch_optimizer lead from one matrix and one vector.

python with-torch.py > torch.json, with torch 2.15 and pytorch_optimizer 4.1. The gradient at w is c * (w - t) + sin(step) * d.
"""
import json
import math

import torch
import pytorch_optimizer as more

torch.set_default_dtype(torch.float64)
torch.bfloat16 = torch.float64  # Muon computes in it; what is compared is its arithmetic, not its rounding
shapes = {"kernel": (3, 4), "bias": (3,)}  # outputs, inputs


def drawn(seed, scale):
    generator = torch.Generator().manual_seed(seed)
    return {name: scale * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


start, target, noise = drawn(1, 1.0), drawn(2, 1.0), drawn(3, 0.3)
curvature = {name: t.abs() + 0.2 for name, t in drawn(4, 1.0).items()}
cases = {
    "adamw": (torch.optim.AdamW, dict(lr=0.03, weight_decay=0.1), dict(lr=0.03, weightDecay=0.1)),
    "nadam": (torch.optim.NAdam, dict(lr=0.03, weight_decay=0.1), dict(lr=0.03, weightDecay=0.1)),
    "radam": (torch.optim.RAdam, dict(lr=0.03, weight_decay=0.1), dict(lr=0.03, weightDecay=0.1)),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.03, weight_decay=0.1), dict(lr=0.03, weightDecay=0.1)),
    "rmsprop centered": (torch.optim.RMSprop, dict(lr=0.01, momentum=0.9, centered=True, alpha=0.9), dict(lr=0.01, momentum=0.9, centered=True, decay=0.9)),
    "adadelta": (torch.optim.Adadelta, dict(lr=2.0, weight_decay=0.1), dict(lr=2, weightDecay=0.1)),
    "adamax": (torch.optim.Adamax, dict(lr=0.03, weight_decay=0.1), dict(lr=0.03, weightDecay=0.1)),
    "adafactor": (torch.optim.Adafactor, dict(lr=0.1, weight_decay=0.1, eps=(1.1920929e-7, 1e-3)), dict(lr=0.1, weightDecay=0.1)),
    "lion": (more.Lion, dict(lr=0.03, weight_decay=0.1), dict(lr=0.03, weightDecay=0.1)),
    "lamb": (more.Lamb, dict(lr=0.03, weight_decay=0.1, weight_decouple=False, adam_debias=True), dict(lr=0.03, weightDecay=0.1, correct=False, bound=10)),
    "lars": (more.LARS, dict(lr=0.5, weight_decay=0.1, trust_coefficient=0.1), dict(lr=0.5, weightDecay=0.1, trust=0.1)),
    "muon": (torch.optim.Muon, dict(lr=0.03, weight_decay=0.1), dict(lr=0.03, weightDecay=0.1)),
}


def numbers(of):
    return {name: (t.T if t.dim() == 2 else t).reshape(-1).tolist() for name, t in of.items()}


ended = {}
for name, (make, theirs, ours) in cases.items():
    w = {key: torch.nn.Parameter(t.clone()) for key, t in start.items() if not (name == "muon" and key == "bias")}
    optimizer = make(list(w.values()), **theirs)
    for step in range(20):
        for key, p in w.items():
            p.grad = (curvature[key] * (p.detach() - target[key]) + math.sin(step) * noise[key]).clone()
        optimizer.step()
    ended[name] = {"options": ours, "weights": numbers({key: p.detach() for key, p in w.items()})}
print(json.dumps({"start": numbers(start), "target": numbers(target), "noise": numbers(noise), "curvature": numbers(curvature), "ended": ended}))
