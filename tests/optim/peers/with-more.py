"""Writes more.json: where twenty steps of optimizers that average or turn lead from one matrix and one vector.

python with-more.py > more.json, with torch 2.15, pytorch_optimizer 4.1 and schedulefree 1.4.1. The problem is that of with-torch.py. Shampoo and
SOAP are written out here in double precision from the algorithms of their papers, as lib/optim says that it differs from the programs there are.
"""
import json
import math

import numpy
import pytorch_optimizer as more
import schedulefree
import torch
from torch.optim import swa_utils

torch.set_default_dtype(torch.float64)
given = json.load(open("torch.json"))
tensors = {
    part: {"kernel": torch.tensor(given[part]["kernel"]).reshape(4, 3), "bias": torch.tensor(given[part]["bias"])}
    for part in ("start", "target", "noise", "curvature")
}


def gradient(key, p, step):
    c, t, d = tensors["curvature"][key], tensors["target"][key], tensors["noise"][key]
    return c * (p - t) + math.sin(step) * d


def numbers(of):
    return {key: torch.as_tensor(t).reshape(-1).tolist() for key, t in of.items()}


def trained(make, options, before=lambda optimizer, step: {}, after=lambda w: None):
    w = {key: torch.nn.Parameter(t.clone()) for key, t in tensors["start"].items()}
    optimizer = make(list(w.values()), **options)
    if hasattr(optimizer, "train"):
        optimizer.train()
    for step in range(20):
        for key, p in w.items():
            p.grad = gradient(key, p.detach(), step).clone()
        optimizer.step(**before(optimizer, step))
        after(w)
    return w, optimizer


def free(make, options):
    w, optimizer = trained(make, options)
    weights = numbers({key: p.detach().clone() for key, p in w.items()})
    optimizer.eval()
    return {"weights": weights, "shown": numbers({key: p.detach() for key, p in w.items()})}


def sophia():
    def hessian(optimizer, step):
        return {"hessian": list(tensors["curvature"].values())} if step % 4 == 0 else {}

    w, _ = trained(more.SophiaH, dict(lr=3.0, betas=(0.9, 0.95), p=0.01, update_period=1000, weight_decay=0.02), hessian)
    return {"weights": numbers({key: p.detach() for key, p in w.items()})}


def averaged(multi_avg_fn, first, every):
    model = torch.nn.ParameterDict({key: torch.nn.Parameter(t.clone()) for key, t in tensors["start"].items()})
    mean = swa_utils.AveragedModel(model, multi_avg_fn=multi_avg_fn)
    if first < 0:
        mean.update_parameters(model)  # begins at the start
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
    for step in range(20):
        for key, p in model.items():
            p.grad = gradient(key, p.detach(), step).clone()
        optimizer.step()
        if step >= first and (step - max(first, 0)) % every == 0:
            mean.update_parameters(model)
    return {
        "weights": numbers({key: p.detach() for key, p in model.items()}),
        "shown": numbers({key: p.detach() for key, p in mean.module.items()}),
    }


def power(matrix, exponent):
    values, vectors = numpy.linalg.eigh(matrix)
    return vectors @ numpy.diag(values**exponent) @ vectors.T


def shampoo(lr, epsilon, every, graft, momentum):
    w = {key: t.numpy().copy() for key, t in tensors["start"].items()}
    left, right, squares = epsilon * numpy.eye(4), epsilon * numpy.eye(3), {key: 0 * p for key, p in w.items()}
    velocity = {key: 0 * p for key, p in w.items()}
    for step in range(20):
        g = {key: gradient(key, torch.tensor(p), step).numpy() for key, p in w.items()}
        left, right = left + g["kernel"] @ g["kernel"].T, right + g["kernel"].T @ g["kernel"]
        if step % every == 0:
            roots = power(left, -1 / 4), power(right, -1 / 4)
        own = {}
        for key in w:
            squares[key] = squares[key] + g[key] ** 2
            own[key] = g[key] / (numpy.sqrt(squares[key]) + 1e-10)
        whole = roots[0] @ g["kernel"] @ roots[1]
        own["kernel"] = whole * numpy.linalg.norm(own["kernel"]) / numpy.linalg.norm(whole) if graft else whole
        for key in w:
            velocity[key] = momentum * velocity[key] + own[key]
            w[key] = w[key] - lr * velocity[key]
    return {"weights": numbers(w)}


def signed_qr(matrix):
    q, r = numpy.linalg.qr(matrix)
    return q * numpy.sign(numpy.diag(r))


def soap(lr, beta1, beta2, decay, every, weight_decay):
    w = {key: t.numpy().copy() for key, t in tensors["start"].items()}
    mean, square = ({key: 0 * p for key, p in w.items()} for _ in range(2))
    left, right, ql, qr = numpy.zeros((4, 4)), numpy.zeros((3, 3)), numpy.eye(4), numpy.eye(3)
    for step in range(20):
        t = step + 1
        g = {key: gradient(key, torch.tensor(p), step).numpy() for key, p in w.items()}
        for key in w:
            to = (lambda x: ql.T @ x @ qr) if key == "kernel" else (lambda x: x)
            back = (lambda x: ql @ x @ qr.T) if key == "kernel" else (lambda x: x)
            mean[key] = beta1 * mean[key] + (1 - beta1) * g[key]
            square[key] = beta2 * square[key] + (1 - beta2) * to(g[key]) ** 2
            m, v = to(mean[key]) / (1 - beta1**t), square[key] / (1 - beta2**t)
            w[key] = w[key] * (1 - lr * weight_decay) - lr * back(m / (numpy.sqrt(v) + 1e-8))
        left = decay * left + (1 - decay) * g["kernel"] @ g["kernel"].T
        right = decay * right + (1 - decay) * g["kernel"].T @ g["kernel"]
        if t % every == 0:
            order = numpy.argsort(-numpy.diag(ql.T @ left @ ql))
            little = 1e-6 * numpy.diag(ql.T @ left @ ql).max()
            ql = signed_qr(left @ ql[:, order] + little * ql[:, order])
            square["kernel"] = square["kernel"][order]
            order = numpy.argsort(-numpy.diag(qr.T @ right @ qr))
            little = 1e-6 * numpy.diag(qr.T @ right @ qr).max()
            qr = signed_qr(right @ qr[:, order] + little * qr[:, order])
            square["kernel"] = square["kernel"][:, order]
    return {"weights": numbers(w)}


ema = swa_utils.get_ema_multi_avg_fn(0.9)
cases = {
    "scheduleFreeSgd": [dict(lr=0.5, weightDecay=0.1), free(schedulefree.SGDScheduleFree, dict(lr=0.5, weight_decay=0.1, warmup_steps=0))],
    "scheduleFreeAdam": [dict(lr=0.05, weightDecay=0.1), free(schedulefree.AdamWScheduleFree, dict(lr=0.05, weight_decay=0.1, warmup_steps=0))],
    # its step is lr · clip(m / h, p): ours with the rate lr · p and gamma p
    "sophia": [dict(lr=0.03, beta1=0.9, beta2=0.95, gamma=0.01, every=4, weightDecay=2), sophia()],
    "shampoo": [dict(lr=0.1, epsilon=0.01, every=3, graft=False), shampoo(0.1, 0.01, 3, False, 0)],
    "shampoo with the length of adagrad": [dict(lr=0.1, epsilon=0.01, every=1, momentum=0.9), shampoo(0.1, 0.01, 1, True, 0.9)],
    "soap": [dict(lr=0.05, every=2, weightDecay=0.1), soap(0.05, 0.95, 0.95, 0.95, 2, 0.1)],
    "ema": [dict(decay=0.9, ramp=False), averaged(ema, -1, 1)],
    "swa": [{"from": 6, "every": 3}, averaged(swa_utils.get_swa_multi_avg_fn(), 6, 3)],
}
print(json.dumps({name: {"options": options, **found} for name, (options, found) in cases.items()}))
