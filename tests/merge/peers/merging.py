"""Writes merging.json: what NumPy and PyTorch come to when they merge random tensors by the formulas of the papers."""

import json
import pathlib

import numpy as np
import torch

rng = np.random.default_rng(7)
shapes = {"2-dense kernel": (4, 5), "2-dense bias": (5,), "4-dense kernel": (5, 6), "4-dense bias": (6,), "head kernel": (6, 3), "head bias": (3,)}
draw = lambda scale: {name: (rng.normal(size=shape) * scale).astype(np.float32).astype(np.float64) for name, shape in shapes.items()}
base = draw(1.0)
networks = []
for _ in range(3):
    move = draw(0.3)
    networks.append({name: (base[name] + move[name]).astype(np.float32).astype(np.float64) for name in shapes})

flat = lambda tree: np.concatenate([tree[name].ravel() for name in shapes])
def tree(vector):
    out, at = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        out[name] = vector[at : at + size].reshape(shape)
        at += size
    return out

zero = flat(base)
changes = np.stack([flat(one) - zero for one in networks])
found = {}
found["average"] = np.mean([flat(one) for one in networks], axis=0)
found["taskArithmetic"] = zero + 0.4 * changes.sum(0)

def slerp(t, a, b):
    cosine = np.sum(a / np.linalg.norm(a) * (b / np.linalg.norm(b)))
    if abs(cosine) > 0.9995:
        return (1 - t) * a + t * b
    angle = np.arccos(cosine)
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)

found["slerp"] = flat({name: slerp(0.3, networks[0][name], networks[1][name]) for name in shapes})

kept = []
for change in torch.tensor(changes):
    k = change.numel() - int(change.numel() * 0.3)
    threshold = change.abs().kthvalue(k).values
    kept.append(change * (change.abs() >= threshold))
kept = torch.stack(kept)
signs = torch.sign(kept.sum(0))
signs[signs == 0] = torch.sign(signs.sum())
agreeing = kept * torch.where(signs > 0, kept > 0, kept < 0)
found["ties"] = zero + 0.7 * (agreeing.sum(0) / (agreeing != 0).sum(0).clamp(min=1)).numpy()

def crumbs(change, smallest, largest):
    out = np.zeros_like(change).ravel()
    order = np.argsort(np.abs(change).ravel(), kind="stable")
    n = change.size
    chosen = order[int(n * smallest) : n - int(n * largest)]
    out[chosen] = change.ravel()[chosen]
    return out
found["breadcrumbs"] = zero + 0.5 * sum(
    np.concatenate([crumbs(tree(change)[name], 0.5, 0.1) for name in shapes]) for change in changes
)

def stock(name):
    own = [tree(change)[name].ravel() for change in changes]
    pairs = [own[i] @ own[j] / np.linalg.norm(own[i]) / np.linalg.norm(own[j]) for i in range(3) for j in range(i + 1, 3)]
    cosine = np.mean(pairs)
    t = 3 * cosine / (1 + 2 * cosine)
    return base[name].ravel() + t * np.mean(own, axis=0)
found["modelStock"] = np.concatenate([stock(name) for name in shapes])

most = changes[0]
for change in changes[1:]:
    most = np.where(np.abs(change) >= np.abs(most), change, most)
found["magMax"] = zero + 0.5 * most

# OPCM: the first change as it is; then projections by the singular vectors of what is merged
merged, before, lengths = tree(changes[0]), 1.0, [np.linalg.norm(changes[0])]
for change in changes[1:]:
    lengths.append(np.linalg.norm(change))
    cleaned = {}
    for name, own in tree(change).items():
        if own.ndim < 2:
            cleaned[name] = own
            continue
        u, s, v = torch.linalg.svd(torch.tensor(merged[name]), full_matrices=True)
        rank = int((s.cumsum(0) / s.sum() > 0.5).float().argmax())
        inside = u.T @ torch.tensor(own) @ v.T
        inside.diagonal().fill_(0)
        inside[:rank, :rank] = 0
        cleaned[name] = (u @ inside @ v).numpy()
    total = {name: before * merged[name] + cleaned[name] for name in shapes}
    size = np.linalg.norm(flat(total))
    before = size / np.mean(lengths)
    merged = {name: total[name] * np.mean(lengths) / size for name in shapes}
found["opcm"] = zero + flat(merged)

def clamp(x, low, high):
    d = x.size(1)
    ordered, _ = torch.sort(x, dim=1)
    return torch.maximum(torch.minimum(x, ordered[:, max(0, int(d * (1 - high) - 1))][:, None]), ordered[:, int(d * low)][:, None])
unit = lambda x: (x - x.min(1, keepdim=True).values) / (x.max(1, keepdim=True).values - x.min(1, keepdim=True).values)
delta = torch.tensor(changes)
sizes = clamp(delta.abs(), 1e-4, 1e-4)
scores = torch.exp(3 * unit(sizes) ** 2) * torch.tanh(delta * delta.sum(0))
weights = unit(clamp(scores, 0.8, 0))
found["pcb"] = zero + 1.2 * ((torch.sign(delta) * sizes * weights).sum(0) / weights.sum(0).clamp(min=1e-12)).numpy()

depth = {"2": 0.0, "4": 0.5, "h": 1.0}
total = tree(changes.sum(0))
found["lines"] = zero + np.concatenate([(0.2 + 0.6 * depth[name[0]]) * total[name].ravel() for name in shapes])

# Fisher and RegMean of the first two networks, on rows of their own
def forward(weights, x):
    h = torch.relu(x @ weights["2-dense kernel"] + weights["2-dense bias"])
    g = torch.relu(h @ weights["4-dense kernel"] + weights["4-dense bias"])
    return h, g, g @ weights["head kernel"] + weights["head bias"]

rows = [(rng.normal(size=(6, 4)) * 1.5).astype(np.float32).astype(np.float64) for _ in range(2)]
information = []
for one, x in zip(networks, rows):
    sums = np.zeros(zero.size)
    for row in torch.tensor(x):
        for label in range(3):
            own = {name: torch.tensor(one[name], requires_grad=True) for name in shapes}
            logp = torch.log_softmax(forward(own, row[None])[2], -1)[0, label]
            logp.backward()
            sums += float(torch.exp(logp)) * np.concatenate([own[name].grad.numpy().ravel() ** 2 for name in shapes])
    information.append(sums / len(x))
floor = [np.maximum(one, 1e-6) for one in information]
found["fisher"] = sum(f * flat(one) for f, one in zip(floor, networks)) / sum(floor)

solved = {name: np.mean([one[name] for one in networks[:2]], axis=0) for name in shapes}
grams = []
for one, x in zip(networks, rows):
    own = {name: torch.tensor(one[name]) for name in shapes}
    h, g, _ = forward(own, torch.tensor(x))
    inputs = {"2-dense kernel": x, "4-dense kernel": h.numpy(), "head kernel": g.numpy()}
    gram = {}
    for name, value in inputs.items():
        m = value.T @ value / len(value)
        m = m * (0.9 + 0.1 * np.eye(len(m)))
        gram[name] = m + 1e-6 * np.eye(len(m))
    grams.append(gram)
for name in ("2-dense kernel", "4-dense kernel", "head kernel"):
    solved[name] = np.linalg.solve(sum(g[name] for g in grams), sum(g[name] @ one[name] for g, one in zip(grams, networks)))
found["regmean"] = flat(solved)

out = {
    "base": zero.tolist(),
    "networks": [flat(one).tolist() for one in networks],
    "rows": [x.tolist() for x in rows],
    "merged": {name: value.tolist() for name, value in found.items()},
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
