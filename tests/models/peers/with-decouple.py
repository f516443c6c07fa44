"""Writes decouple.json: what coupled systems written in PyTorch come to with numbers of shared.py, their paths by SciPy's natural cubic splines.

python with-decouple.py, with torch 2.15, scipy 1.17 and entmax' definition of sparsemax by sorting.
"""
import json, math, os
import numpy as np
import torch
from scipy.interpolate import CubicSpline
from shared import numbers

n, length, inputs, systems, units, steps = 2, 5, 2, 3, 4, 3
path = 2 * inputs


def spline(times):
    """The matrix that takes values at the places to derivatives at the steps."""
    asked = np.concatenate([times[i] + (times[i + 1] - times[i]) * np.arange(steps) / steps for i in range(length - 1)])
    return torch.tensor(CubicSpline(times, np.eye(length), bc_type="natural")(asked, 1), dtype=torch.float32)


def sparsemax(v):
    ordered = torch.sort(v, -1, descending=True).values
    ranks = torch.arange(1, v.shape[-1] + 1)
    inside = 1 + ranks * ordered > ordered.cumsum(-1)
    count = inside.sum(-1, keepdim=True)
    tau = ((ordered * inside).sum(-1, keepdim=True) - 1) / count
    return torch.clamp(v - tau, min=0)


def result(projection, interactions):
    told, made = [], {}

    def drawn(name, shape, spread):
        made[name] = numbers(len(told), shape, 0.0, spread).requires_grad_()
        told.append([name, list(shape), 0.0, spread])

    for name, shape in [
        ("enter", [inputs, path]), ("paths", [path, systems * path]), ("first", [inputs, 2 * inputs]), ("states", [2 * inputs, systems * units]),
        ("hidden", [units, units]), ("field", [units, units * path]),
    ]:
        drawn(f"{name}/kernel", shape, math.sqrt(12 / shape[0]))
        drawn(f"{name}/bias", shape[1:], 1.0)
    for name in ("query", "key"):
        drawn(f"{name}/kernel", [units, systems**2], 2.0)
        drawn(f"{name}/each", [systems], 1.0)
    linear = lambda x, name: x @ made[f"{name}/kernel"] + made[f"{name}/bias"]
    side = lambda z, name: z @ made[f"{name}/kernel"] + made[f"{name}/each"][None, :, None]

    x = numbers(1000, [n, length, inputs], 0.0, 2.0)
    gaps = numbers(1001, [n, length], 1.0, 1.0)
    paths = linear(torch.relu(linear(x, "enter")), "paths").reshape(n, length, systems, path)
    z = linear(torch.relu(linear(x[:, 0], "first")), "states").reshape(n, systems, units)
    of = lambda z: side(z, "query") @ side(z, "key").transpose(1, 2) / systems
    l = of(z)
    times = np.concatenate([np.zeros((n, 1)), np.cumsum(gaps[:, 1:].double().numpy(), 1)], 1)
    moved = torch.stack([torch.einsum("ts,skc->tkc", spline(times[i]), paths[i]) for i in range(n)])
    for t in range((length - 1) * steps):
        if interactions == "direct":
            l = of(z)
        a = torch.softmax(l, -1) if projection == "softmax" else sparsemax(l)
        field = torch.tanh(linear(torch.relu(linear(a @ z, "hidden")), "field")).reshape(n, systems, units, path)
        dt = gaps[:, 1 + t // steps, None, None] / steps
        dz = (field @ moved[:, t, :, :, None])[..., 0] * dt
        z = z + dz
        q, k = made["query/kernel"], made["key/kernel"]
        l = l + ((dz @ q) @ side(z, "key").transpose(1, 2) + side(z, "query") @ (dz @ k).transpose(1, 2)) / systems
    y = z.reshape(n, systems * units)
    (y * numbers(2000, list(y.shape))).sum().backward()
    sums = [
        [round(float((made[name].grad.double() * numbers(3000 + i, shape).double()).sum()), 6), round(float(made[name].grad.double().norm()), 6)]
        for i, (name, shape, *_) in enumerate(told)
    ]
    return {"parameters": told, "y": [round(float(v), 6) for v in y.detach().flatten()], "gradients": sums}


out = {f"{p}, {i}": result(p, i) for p, i in [("softmax", "continuous"), ("sparsemax", "continuous"), ("softmax", "direct")]}
json.dump(out, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "decouple.json"), "w"))
