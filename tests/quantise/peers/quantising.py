"""Writes quantising.json: what NumPy comes to for a kernel (a column for each unit) and inputs (a row for each example), by the formulas of the papers.

GPTQ is written out with the inverse of the Hessian of the inputs that are still to come, worked out anew for each; COMQ with the residual of
the layer's answers, not with the Gram matrix.
"""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(7)
inputs, units, n = 12, 5, 40
X = rng.normal(size=(n, 6)) @ rng.normal(size=(6, inputs)) + 0.3 * rng.normal(size=(n, inputs))
X *= np.array([1, 4, 1, 1, 9, 1, 1, 1, 2, 1, 1, 1])
W = rng.normal(size=(inputs, units))


def grid(w, bits, symmetric=False):
    most = 2**bits - 1
    low, high = min(w.min(), 0), max(w.max(), 0)
    if symmetric:
        high = max(-low, high)
        low = -high
    scale = np.float32((high - low) / most)
    return float(scale), (most + 1) / 2 if symmetric else np.floor(-low / scale + 0.5)


half_up = lambda v: np.floor(v + 0.5)
code = lambda w, scale, zero, bits: np.clip(half_up(w / scale) + zero, 0, 2**bits - 1)
value = lambda c, scale, zero: (c - zero) * scale


def rtn(bits, group=inputs, symmetric=False):
    out = np.zeros_like(W)
    for j in range(units):
        for i in range(0, inputs, group):
            s, z = grid(W[i : i + group, j], bits, symmetric)
            out[i : i + group, j] = value(code(W[i : i + group, j], s, z, bits), s, z)
    return out


def gptq(bits, group=None, order=False):
    turn = np.argsort(-np.sum(X**2, 0), kind="stable") if order else np.arange(inputs)
    G = X[:, turn].T @ X[:, turn]
    H = G + 0.01 * np.mean(np.diag(G)) * np.eye(inputs)
    w, out = W[turn].copy(), np.zeros_like(W)
    size = group or inputs
    static = {(i, j): grid(W[i : i + size, j], bits) for i in range(0, inputs, size) for j in range(units)}
    for i in range(inputs):
        inverse = np.linalg.inv(H[i:, i:])
        if group and not order and i % group == 0:
            for j in range(units):
                static[i, j] = grid(w[i : i + group, j], bits)
        first = turn[i] - turn[i] % size
        q = np.array([value(code(w[i, j], *static[first, j], bits), *static[first, j]) for j in range(units)])
        out[turn[i]] = q
        w[i:] -= np.outer(inverse[:, 0] / inverse[0, 0], w[i] - q)
    return out


def comq(bits, rounds, scales):
    out = np.zeros_like(W)
    for j in range(units):
        w, (s, z) = W[:, j], grid(W[:, j], bits)
        q = w.copy()
        order = np.argsort(-np.abs(w) * np.linalg.norm(X, axis=0), kind="stable")
        for _ in range(rounds):
            for i in order:
                rest = X @ w - X @ q + X[:, i] * q[i]
                q[i] = value(code(rest @ X[:, i] / (X[:, i] @ X[:, i]), s, z, bits), s, z)
            if scales:
                whole = np.round(q / s)
                s = float(np.float32((X @ whole) @ (X @ w) / np.sum((X @ whole) ** 2)))
                q = whole * s
        out[:, j] = q
    return out


def awq(bits, tried=20):
    mean = np.abs(X).mean(0)
    best = (np.inf, None)
    for k in range(tried):
        by = np.maximum(mean ** (k / tried), 1e-4)
        by = by / np.sqrt(by.max() * by.min())
        out = np.zeros_like(W)
        for j in range(units):
            s, z = grid(W[:, j] * by, bits)
            out[:, j] = value(code(W[:, j] * by, s, z, bits), s, z) / by
        error = np.sum((X @ (W - out)) ** 2)
        if error < best[0]:
            best = (error, out)
    return best[1]


found = dict(
    rtn=rtn(3),
    rtnGroup=rtn(2, 4),
    rtnSymmetric=rtn(4, inputs, True),
    gptq=gptq(3),
    gptqGroup=gptq(3, 4),
    gptqOrder=gptq(3, None, True),
    gptqOrderGroup=gptq(3, 4, True),
    comq=comq(3, 3, True),
    comqStill=comq(2, 2, False),
    awq=awq(3),
)
flat = lambda a: [float(f"{v:.9g}") for v in np.asarray(a, float).ravel()]
out = dict(inputs=inputs, units=units, X=flat(X), W=flat(W), found={k: flat(v) for k, v in found.items()})
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
