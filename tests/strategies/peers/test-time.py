"""Writes test-time.json: what PyTorch comes to when a small network with batch normalisation adapts to batches without labels.

Tent is its algorithm written out with PyTorch's modules: batch statistics in place of running ones, the mean entropy of a batch, one step
of an optimizer on scales and shifts, the prediction from the pass before the step. The blended statistics are those of Schneider et al.
2020, eq. 2, with the biased variance of the batch. EATA, SAR, ROID, CoTTA and LAME are their papers' algorithms written out likewise, without
views of examples and without chance.

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


def statistics_of_batches(model):
    norm = model[1]
    norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
    return model.train()


def entropy(logits):
    return -(logits.softmax(1) * logits.log_softmax(1)).sum(1)


def eata(batches, importance, lr=0.05, momentum=0.9, margin=0.97, redundancy=0.995, strength=0.7):
    model = statistics_of_batches(network())
    own = [model[1].weight, model[1].bias]
    source = [p.detach().clone() for p in own]
    optimizer = torch.optim.SGD(own, lr=lr, momentum=momentum)
    mean, seen, counted = None, [], []
    least = margin * torch.log(torch.tensor(3.0))
    for x in batches:
        logits = model(x)
        seen.append(logits.detach().tolist())
        each, p = entropy(logits), logits.softmax(1).detach()
        keep = each.detach() < least
        if mean is not None:
            keep &= nn.functional.cosine_similarity(mean[None], p, dim=1).abs() < redundancy
        counted.append(int(keep.sum()))
        if not keep.any():
            continue
        loss = (each[keep] * torch.exp(least - each[keep].detach())).mean()
        loss = loss + strength * sum((f * (a - b) ** 2).sum() for f, a, b in zip(importance, own, source))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        now = p[keep].mean(0)
        mean = now if mean is None else 0.9 * mean + 0.1 * now
    return {"logits": seen, "counted": counted, "importance": [f.tolist() for f in importance]}


def sar(batches, lr=0.05, momentum=0.9, margin=0.95, radius=0.1, recovery=0.9):
    model = statistics_of_batches(network())
    own = [model[1].weight, model[1].bias]
    source = [p.detach().clone() for p in own]
    fresh = lambda: torch.optim.SGD(own, lr=lr, momentum=momentum)
    optimizer, mean, seen, recovered = fresh(), None, [], 0
    least = margin * torch.log(torch.tensor(3.0))
    for x in batches:
        logits = model(x)
        seen.append(logits.detach().tolist())
        first = entropy(logits)
        certain = first.detach() < least
        grads = torch.autograd.grad((first * certain).sum() / certain.sum().clamp(min=1e-12), own)
        length = torch.sqrt(sum((g**2).sum() for g in grads)) + 1e-12
        before = [p.detach().clone() for p in own]
        for p, g in zip(own, grads):
            p.data += radius * g / length
        second = entropy(model(x))
        both = certain & (second.detach() < least)
        loss = (second * both).sum() / both.sum().clamp(min=1e-12)
        optimizer.zero_grad()
        loss.backward()
        for p, old in zip(own, before):
            p.data.copy_(old)
        if both.any():
            optimizer.step()
            mean = loss.item() if mean is None else 0.9 * mean + 0.1 * loss.item()
        if mean is not None and mean < recovery:
            for p, old in zip(own, source):
                p.data.copy_(old)
            optimizer, mean, recovered = fresh(), None, recovered + 1
    return {"logits": seen, "recovered": recovered}


def roid(batches, lr=0.05, momentum=0.9, keep=0.9, temperature=1 / 3):
    model = statistics_of_batches(network())
    own = [model[1].weight, model[1].bias]
    source = [p.detach().clone() for p in own]
    optimizer = torch.optim.SGD(own, lr=lr, momentum=momentum)
    mean, seen = torch.full((3,), 1 / 3), []
    for x in batches:
        logits = model(x)
        with torch.no_grad():
            p = logits.softmax(1)
            diverse = 1 - nn.functional.cosine_similarity(mean[None], p, dim=1)
            diverse = (diverse - diverse.min()) / (diverse.max() - diverse.min())
            certain = -entropy(logits)
            certain = (certain - certain.min()) / (certain.max() - certain.min())
            weight = torch.exp(diverse * certain / temperature) * (diverse >= diverse.mean())
            prior = p.mean(0)
            added = max(1 / len(x), 1 / 3) / prior.max()
            seen.append((logits + torch.log((prior + added) / (1 + added * 3))).tolist())
            mean = 0.9 * mean + 0.1 * prior
        q = logits.softmax(1).clamp(max=0.99)
        loss = (-(q * torch.log(q / (1 - q) + 1e-5)).sum(1) * weight).sum() / len(x)
        again = model(x)
        both = -0.5 * (logits.softmax(1) * again.log_softmax(1)).sum(1) - 0.5 * (again.softmax(1) * logits.log_softmax(1)).sum(1)
        loss = loss + (both * weight).sum() / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for p, old in zip(own, source):
            p.data = keep * p.data + (1 - keep) * old
    return {"logits": seen}


def cotta(batches, lr=0.05, keep=0.6):
    student, teacher = statistics_of_batches(network()), statistics_of_batches(network())
    for p in teacher.parameters():
        p.data *= 1.2
    optimizer = torch.optim.Adam(student.parameters(), lr=lr)
    seen = []
    for x in batches:
        with torch.no_grad():
            target = teacher(x)
        seen.append(target.tolist())
        loss = -(target.softmax(1) * student(x).log_softmax(1)).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for a, b in zip(teacher.parameters(), student.parameters()):
                a.copy_(keep * a + (1 - keep) * b)
    return {"logits": seen}


def lame(batches, kind, neighbours=2, rounds=30):
    model = network().eval()
    seen = []
    with torch.no_grad():
        for x in batches:
            features = model[2](model[1](model[0](x)))
            unary = torch.log(model[3](features).softmax(1) + 1e-10)
            unit = nn.functional.normalize(features, dim=1)
            far = torch.cdist(unit, unit)
            if kind == "linear":
                kernel = unit @ unit.T
            else:
                sigma = far.topk(neighbours, largest=False).values[:, -1].mean()
                kernel = torch.exp(-(far**2) / (2 * sigma**2))
            found = unary
            for _ in range(rounds):
                found = unary + kernel @ found.softmax(1)
            seen.append(found.tolist())
    return seen


model = network()
batches = [torch.randn(n, 3) * 2 + 1 for n in (5, 5, 3)]
with torch.no_grad():
    blends = {str(prior): blended(prior, batches) for prior in (0, 16)}
importance = [torch.rand(4), torch.rand(4)]
result = {
    "eata": eata(batches * 2, importance),
    "sar": sar(batches * 3),
    "roid": roid(batches * 2),
    "cotta": cotta(batches * 2),
    "lame": {kind: lame(batches, kind) for kind in ("rbf", "linear")},
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
