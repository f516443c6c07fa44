"""Writes test-time-learned.json: what PyTorch comes to when a small network has something trained beside it that adapts to batches without labels.

EcoTTA's small network beside a part, CSFA's sharpened step that closes the gap, the scales and shifts that RNA's function gives, and the step of
Meta-DMoE towards what experts say, each its paper's equations written out with PyTorch's modules. Network and batches are those of test-time.json.

    python test-time-learned.py
"""

import json
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
given = json.loads(Path(__file__).with_name("test-time.json").read_text())
w = {name: torch.tensor(values) for name, values in given["weights"].items()}
batches = [torch.tensor(batch) for batch in given["batches"]]


def entropy(logits):
    return -(logits.softmax(1) * logits.log_softmax(1)).sum(1)


def normal(x, scale, shift):
    return nn.functional.batch_norm(x, None, None, scale, shift, training=True, eps=1e-5)


def head(features):
    return features @ w["head kernel"] + w["head bias"]


least = 0.8 * torch.log(torch.tensor(3.0))


def ecotta(rounds=2, lr=0.05, momentum=0.9, strength=0.5):
    meta = {
        "scale": torch.rand(4) + 0.5,
        "shift": torch.randn(4) * 0.3,
        "kernel": torch.randn(3, 4) * 0.7,
        "scaleBeside": torch.rand(4) + 0.5,
        "shiftBeside": torch.randn(4) * 0.3,
    }
    begun = {name: values.tolist() for name, values in meta.items()}
    for values in meta.values():
        values.requires_grad_()
    optimizer = torch.optim.SGD(meta.values(), lr=lr, momentum=momentum)
    seen, counted = [], []
    for x in batches * rounds:
        alone = torch.relu(normal(x @ w["kernel"] + w["bias"], w["scale"], w["shift"]))
        both = normal(alone, meta["scale"], meta["shift"]) + torch.relu(normal(x @ meta["kernel"], meta["scaleBeside"], meta["shiftBeside"]))
        logits = head(both)
        seen.append(logits.tolist())
        each = entropy(logits)
        keep = each.detach() < least
        counted.append(int(keep.sum()))
        loss = (each * keep).sum() / keep.sum().clamp(min=1e-12) + strength * (both - alone).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"meta": begun, "logits": seen, "counted": counted}


def csfa(rounds=2, lr=0.05, momentum=0.9, radius=0.1, gap=0.4, scale=8.0):
    means = torch.randn(3, 4)
    own = [w["scale"].clone().requires_grad_(), w["shift"].clone().requires_grad_()]
    optimizer = torch.optim.SGD(own, lr=lr, momentum=momentum)
    seen = []

    def logits_of(x):
        features = torch.relu(normal(x @ w["kernel"] + w["bias"], *own))
        return scale * nn.functional.normalize(features, dim=1) @ nn.functional.normalize(means, dim=1).T

    for x in batches * rounds:
        logits = logits_of(x)
        seen.append(logits.tolist())
        each = entropy(logits)
        keep = each.detach() < least
        loss = lambda values: (values * keep).sum() / keep.sum().clamp(min=1e-12)
        plain = torch.cat(torch.autograd.grad(loss(each), own))
        before = [p.detach().clone() for p in own]
        for p, step in zip(own, (radius * plain / (plain.norm() + 1e-12)).split(4)):
            p.data += step
        sharpened = torch.cat(torch.autograd.grad(loss(entropy(logits_of(x))), own))
        for p, old in zip(own, before):
            p.data.copy_(old)
        orthogonal = plain - (plain @ sharpened) / (sharpened @ sharpened) * sharpened
        for p, g in zip(own, (sharpened - gap * orthogonal).split(4)):
            p.grad = g
        optimizer.step()
    return {"means": means.tolist(), "logits": seen}


def rna(neighbours=2):
    rows, labels = torch.randn(5, 3) * 2 + 1, torch.tensor([0, 2, 1, 1, 0])
    first, first_bias = torch.randn(7, 6) * 0.5, torch.randn(6) * 0.2
    second, second_bias = torch.randn(6, 8) * 0.3, torch.randn(8) * 0.2

    def logits_of(x, film=None):
        z = x @ w["kernel"] + w["bias"]
        if film is not None:
            z = z * (1 + film[:, :4]) + film[:, 4:]
        return head(torch.relu((z - w["mean"]) / torch.sqrt(w["variance"] + 1e-5) * w["scale"] + w["shift"]))

    seen = []
    for x in batches:
        plain = logits_of(x)
        nearest = torch.cdist(x, rows).topk(neighbours, largest=False).indices
        votes = nn.functional.one_hot(labels[nearest], 3).double().mean(1)
        doubt = entropy(plain)[:, None] / torch.log(torch.tensor(3.0))
        told = torch.cat([votes, plain.softmax(1), doubt], 1)
        seen.append(logits_of(x, torch.relu(told @ first + first_bias) @ second + second_bias).tolist())
    controller = {"first": first, "firstBias": first_bias, "second": second, "secondBias": second_bias}
    return {
        "rows": rows.tolist(),
        "labels": labels.tolist(),
        "controller": {name: values.tolist() for name, values in controller.items()},
        "logits": seen,
    }


def meta_dmoe(inner=0.3):
    experts = [{"kernel": torch.randn(3, 4), "bias": torch.randn(4)} for _ in range(3)]
    shapes = {"scale": [4], "shift": [4], "asked": [4, 12], "out": [4, 4], "innerScale": [4], "innerShift": [4], "up": [4, 8], "down": [8, 4]}
    a = {name: torch.randn(shape) * 0.5 + (1 if "cale" in name else 0) for name, shape in shapes.items()}

    def features(x, own):
        z = x @ own["kernel"] + own["bias"]
        return torch.relu((z - w["mean"]) / torch.sqrt(w["variance"] + 1e-5) * w["scale"] + w["shift"])

    said = torch.stack([features(batches[0], own) for own in experts], 1)
    q, k, v = (nn.functional.layer_norm(said, [4], a["scale"], a["shift"]) @ a["asked"]).split(4, dim=2)
    z = said + nn.functional.scaled_dot_product_attention(q, k, v) @ a["out"]
    z = z + nn.functional.gelu(nn.functional.layer_norm(z, [4], a["innerScale"], a["innerShift"]) @ a["up"]) @ a["down"]
    target = z.mean(1)
    own = {name: w[name].clone().requires_grad_() for name in ("kernel", "bias", "scale", "shift")}

    def student(x):
        z = x @ own["kernel"] + own["bias"]
        return torch.relu((z - w["mean"]) / torch.sqrt(w["variance"] + 1e-5) * own["scale"] + own["shift"])

    loss = ((student(batches[0]) - target) ** 2).mean()
    for p, g in zip(own.values(), torch.autograd.grad(loss, own.values())):
        p.data -= inner * g
    return {
        "experts": [{name: values.tolist() for name, values in one.items()} for one in experts],
        "aggregator": {name: values.tolist() for name, values in a.items()},
        "logits": [head(student(x)).tolist() for x in batches],
    }


result = {"ecotta": ecotta(), "csfa": csfa(), "rna": rna(), "metaDmoe": meta_dmoe()}
Path(__file__).with_name("test-time-learned.json").write_text(json.dumps(result) + "\n")
