"""Writes more.json: where twenty steps of optimizers that average or turn lead from one matrix and one vector.

python with-more.py > more.json, with torch 2.15, pytorch_optimizer 4.1 and schedulefree 1.4.1. The problem is that of with-torch.py. Shampoo and
SOAP are written out here in double precision from the algorithms of their papers, and so are the others that no program is named for, as lib/optim says that it differs from the programs there are.
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


def leading(matrix, rank):
    return numpy.linalg.svd(matrix, full_matrices=False)[2][:rank].T


def moved(step, kernel):
    """Twenty steps where `kernel(g, t)` says the step of the kernel, and Adam that of the bias."""
    w = {key: t.numpy().copy() for key, t in tensors["start"].items()}
    own = adam()
    for at in range(20):
        g = {key: gradient(key, torch.tensor(p), at).numpy() for key, p in w.items()}
        w["bias"] = w["bias"] - step * own(g["bias"], at + 1)
        w["kernel"] = w["kernel"] - step * kernel(g["kernel"], at)
    return {"weights": numbers(w)}


def adam(beta1=0.9, beta2=0.999):
    held = {"m": 0, "v": 0}

    def direction(g, t):
        held["m"] = beta1 * held["m"] + (1 - beta1) * g
        held["v"] = beta2 * held["v"] + (1 - beta2) * g**2
        return held["m"] / (1 - beta1**t) / (numpy.sqrt(held["v"] / (1 - beta2**t)) + 1e-8)

    return direction


def natural_galore(lr, rank, every, history, damping):
    """The inverse Fisher matrix itself, without Woodbury's identity."""
    held, own = {"past": []}, adam()

    def kernel(g, at):
        if at % every == 0:
            held["p"] = leading(g, rank)
        low = g @ held["p"]
        held["past"] = ([low.reshape(-1)] + held["past"])[:history]
        fisher = damping * numpy.eye(low.size) + sum(numpy.outer(x, x) for x in held["past"])
        direction = own(numpy.linalg.solve(fisher, low.reshape(-1)).reshape(low.shape), at + 1)
        return 0.25 * direction @ held["p"].T

    return moved(lr, kernel)


def online_subspace(lr, rank, every, penalty):
    held, own = {}, adam()
    learning = torch.zeros(3, rank, requires_grad=True)
    optimizer = torch.optim.Adam([learning], lr=1 / every)

    def kernel(g, at):
        if at == 0:
            with torch.no_grad():
                learning.copy_(torch.tensor(leading(g, rank)))
        p = learning.detach().numpy().copy()
        unit = torch.tensor(g) / torch.tensor(g).norm()
        optimizer.zero_grad()
        lost = ((unit @ learning @ learning.T - unit) ** 2).sum()
        (lost + penalty * ((learning.T @ learning - torch.eye(rank)) ** 2).sum()).backward()
        if at > 0:
            optimizer.step()
        return 0.25 * own(g @ p, at + 1) @ p.T

    return moved(lr, kernel)


def frugal(lr, rank, every, signs):
    held = {}

    def kernel(g, at):
        if at % every == 0:
            held["p"], held["adam"], held["since"] = leading(g, rank), adam(), at
        low = g @ held["p"]
        rest = g - low @ held["p"].T
        return held["adam"](low, at + 1 - held["since"]) @ held["p"].T + signs * numpy.sign(rest)

    return moved(lr, kernel)


def tvlars(lr, trust, fall, delay, floor, momentum, weight_decay):
    w = {key: t.numpy().copy() for key, t in tensors["start"].items()}
    velocity = {key: 0 * p for key, p in w.items()}
    for at in range(20):
        share = trust * (1 / (1 + math.exp(fall * (at - delay))) + floor)
        for key in w:
            g = gradient(key, torch.tensor(w[key]), at).numpy()
            if key == "kernel":
                length = numpy.linalg.norm(w[key])
                ratio = share * length / (numpy.linalg.norm(g) + weight_decay * length)
                g = ratio * (g + weight_decay * w[key])
            velocity[key] = momentum * velocity[key] + g
            w[key] = w[key] - lr * velocity[key]
    return {"weights": numbers(w)}


def opt_amsgrad(lr, history, ridge, beta1=0.9, beta2=0.999):
    w = numpy.concatenate([tensors["start"]["kernel"].numpy().reshape(-1), tensors["start"]["bias"].numpy()])
    mean, square, largest, half, guess = 0 * w, 0 * w, 0 * w, w.copy(), 0 * w
    past = []
    for at in range(20):
        parts = {"kernel": torch.tensor(w[:12]).reshape(4, 3), "bias": torch.tensor(w[12:])}
        g = numpy.concatenate([gradient(key, p, at).numpy().reshape(-1) for key, p in parts.items()])
        before, mean = mean, beta1 * mean + (1 - beta1) * g
        square = beta2 * square + (1 - beta2) * (g - guess) ** 2
        largest = numpy.maximum(largest, square)
        past = (past + [g])[-history:]
        guess = g
        if len(past) == history:
            moves = numpy.array(past[1:]) - numpy.array(past[:-1])
            gram = moves @ moves.T
            z = numpy.linalg.solve(gram + ridge * abs(gram).max() * numpy.eye(history - 1), numpy.ones(history - 1))
            guess = (z / z.sum()) @ numpy.array(past[:-1])
        root = numpy.sqrt(largest) + 1e-8
        half = half - lr * mean / root
        w = half - lr * (beta1 * before + (1 - beta1) * guess) / root
    return {"weights": numbers({"kernel": w[:12], "bias": w[12:]})}


def tag(lr, b, switch, beta1=0.9, beta2=0.99):
    """Two tasks: the second, whose gradients are others, from step `switch` on."""
    w = {key: t.numpy().copy() for key, t in tensors["start"].items()}
    m, v = ({(task, key): 0 * p for task in range(2) for key, p in w.items()} for _ in range(2))
    for at in range(20):
        task = int(at >= switch)
        for key in w:
            g = gradient(key, torch.tensor(w[key]), at).numpy()
            m[task, key] = beta1 * m[task, key] + (1 - beta1) * g
            v[task, key] = beta2 * v[task, key] + (1 - beta2) * g**2
            whole = v[task, key]
            if task == 1:
                one, two = m[1, key].reshape(-1), m[0, key].reshape(-1)
                agree = one @ two / numpy.linalg.norm(one) / numpy.linalg.norm(two)
                whole = math.exp(-b) * v[1, key] + math.exp(-b * agree) * v[0, key]
            w[key] = w[key] - lr * g / (numpy.sqrt(whole) + 1e-8)
    return {"weights": numbers(w)}


def theirs(make, options, only_kernel=None):
    """An optimizer of pytorch_optimizer on matrices as PyTorch has them, `[outputs, inputs]`."""
    w = {key: torch.nn.Parameter((t.T if t.dim() == 2 else t).clone()) for key, t in tensors["start"].items()}
    groups = [{"params": [w["kernel"]], **(only_kernel or {})}, {"params": [w["bias"]]}]
    optimizer = make(groups, options)
    for step in range(20):
        for key, p in w.items():
            own = p.detach().T if p.dim() == 2 else p.detach()
            g = gradient(key, own, step)
            p.grad = (g.T if g.dim() == 2 else g).clone()
        optimizer.step()
    return {"weights": numbers({key: p.detach().T if p.dim() == 2 else p.detach() for key, p in w.items()})}


def galore(every):
    low = {"rank": 2, "update_proj_gap": every, "scale": 0.25, "projection_type": "std"}
    return theirs(lambda groups, options: more.GaLore(groups, **options), dict(lr=0.1), low)


ema = swa_utils.get_ema_multi_avg_fn(0.9)
cases = {
    "scheduleFreeSgd": [dict(lr=0.5, weightDecay=0.1), free(schedulefree.SGDScheduleFree, dict(lr=0.5, weight_decay=0.1, warmup_steps=0))],
    "scheduleFreeAdam": [dict(lr=0.05, weightDecay=0.1), free(schedulefree.AdamWScheduleFree, dict(lr=0.05, weight_decay=0.1, warmup_steps=0))],
    # its step is lr · clip(m / h, p): ours with the rate lr · p and gamma p
    "sophia": [dict(lr=0.03, beta1=0.9, beta2=0.95, gamma=0.01, every=4, weightDecay=2), sophia()],
    "shampoo": [dict(lr=0.1, epsilon=0.01, every=3, graft=False), shampoo(0.1, 0.01, 3, False, 0)],
    "shampoo with the length of adagrad": [dict(lr=0.1, epsilon=0.01, every=1, momentum=0.9), shampoo(0.1, 0.01, 1, True, 0.9)],
    "soap": [dict(lr=0.05, every=2, weightDecay=0.1), soap(0.05, 0.95, 0.95, 0.95, 2, 0.1)],
    "galore": [dict(lr=0.1, rank=2, every=100, rounds=200), galore(100)],
    "galore with a subspace for each step": [dict(lr=0.1, rank=2, every=1, rounds=200), galore(1)],
    "galore with a natural gradient": [
        dict(lr=0.1, rank=2, every=100, rounds=200, history=3, damping=0.5),
        natural_galore(0.1, 2, 100, 3, 0.5),
    ],
    "galore whose subspace learns": [
        dict(lr=0.1, rank=2, every=20, rounds=200, subspace="online", penalty=0.1),
        online_subspace(0.1, 2, 20, 0.1),
    ],
    "frugal": [dict(lr=0.03, share=0.67, every=7, select="svd", rounds=200, signs=0.5), frugal(0.03, 2, 7, 0.5)],
    "tvlars": [
        dict(lr=0.5, trust=0.1, fall=0.5, delay=8, floor=0.05, weightDecay=0.1),
        tvlars(0.5, 0.1, 0.5, 8, 0.05, 0.9, 0.1),
    ],
    "optAmsgrad": [dict(lr=0.03, history=4), opt_amsgrad(0.03, 4, 1e-3)],
    "tag": [dict(lr=0.02, tasks=3), tag(0.02, 5, 9)],
    "stableSpam": [
        dict(lr=0.03, every=8, theta=0.9, weightDecay=0.1),
        theirs(
            lambda groups, options: more.StableSPAM(groups, **options),
            dict(lr=0.03, update_proj_gap=8, theta=0.9, weight_decay=0.1),
        ),
    ],
    "perpGrad": [
        dict(lr=0.1),
        theirs(lambda groups, options: more.OrthoGrad(torch.optim.SGD(groups, **options)), dict(lr=0.1)),
    ],
    "ema": [dict(decay=0.9, ramp=False), averaged(ema, -1, 1)],
    "swa": [{"from": 6, "every": 3}, averaged(swa_utils.get_swa_multi_avg_fn(), 6, 3)],
}
print(json.dumps({name: {"options": options, **found} for name, (options, found) in cases.items()}))
