"""Writes test-time.json: what PyTorch comes to when a small network with batch normalisation adapts to batches without labels.

Tent is its algorithm written out with PyTorch's modules: batch statistics in place of running ones, the mean entropy of a batch, one step
of an optimizer on scales and shifts, the prediction from the pass before the step. The blended statistics are those of Schneider et al.
2020, eq. 2, with the biased variance of the batch.

    python test-time.py
"""

import json
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def network():
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    norm = model[1]
    norm.weight.data = torch.rand(4) + 0.5
    norm.bias.data = torch.randn(4) * 0.3
    norm.running_mean = torch.randn(4) * 0.2
    norm.running_var = torch.rand(4) + 0.5
    return model


def tent(make, batches):
    model = network().train()
    norm = model[1]
    norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
    optimizer = make([norm.weight, norm.bias])
    seen = []
    for x in batches:
        logits = model(x)
        seen.append(logits.detach().tolist())
        loss = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"logits": seen, "scale": norm.weight.tolist(), "shift": norm.bias.tolist()}


def blended(prior, batches):
    seen = []
    for x in batches:
        model = network().eval()
        norm = model[1]
        hidden = model[0](x)
        share = len(x) / (prior + len(x))
        norm.running_mean = (1 - share) * norm.running_mean + share * hidden.mean(0)
        norm.running_var = (1 - share) * norm.running_var + share * hidden.var(0, unbiased=False)
        seen.append(model(x).tolist())
    return seen


model = network()
batches = [torch.randn(n, 3) * 2 + 1 for n in (5, 5, 3)]
with torch.no_grad():
    blends = {str(prior): blended(prior, batches) for prior in (0, 16)}
result = {
    "weights": {
        "kernel": model[0].weight.T.tolist(),
        "bias": model[0].bias.tolist(),
        "scale": model[1].weight.tolist(),
        "shift": model[1].bias.tolist(),
        "mean": model[1].running_mean.tolist(),
        "variance": model[1].running_var.tolist(),
        "head kernel": model[3].weight.T.tolist(),
        "head bias": model[3].bias.tolist(),
    },
    "batches": [batch.tolist() for batch in batches],
    "blended": blends,
    "tent adam": tent(lambda parameters: torch.optim.Adam(parameters, lr=0.05), batches),
    "tent sgd": tent(lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9), batches),
}
Path(__file__).with_name("test-time.json").write_text(json.dumps(result) + "\n")
