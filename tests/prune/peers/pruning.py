"""Writes pruning.json: what NumPy comes to for a kernel (a column for each unit) and inputs (a row for each example), by the formulas of the papers.

SparseGPT is written out with the inverse of the Hessian of the inputs that are still to come, worked out anew for each; ADMM by its three lines;
what ADMM goes to by least squares of the numbers that stay; DSnoT as the walk of each unit.
"""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(5)
inputs, units, n = 12, 5, 40
X = rng.normal(size=(n, 6)) @ rng.normal(size=(6, inputs)) + 0.3 * rng.normal(size=(n, inputs)) + rng.normal(size=inputs)
W = rng.normal(size=(inputs, units))
G = X.T @ X


def lowest(scores, count):
    """The mask without the `count` lowest, of a flat list."""
    mask = np.ones(scores.size, bool)
    mask[np.argsort(scores, kind="stable")[:count]] = False
    return mask


def by_unit(scores, share):
    return np.stack([lowest(scores[:, j], int(len(scores) * share)) for j in range(scores.shape[1])], 1)


def n_of_m(scores, keep, of):
    mask = np.zeros(scores.shape, bool)
    for j in range(scores.shape[1]):
        for i in range(0, len(scores), of):
            mask[i : i + of, j] = lowest(scores[i : i + of, j], of - keep)
    return mask


found = {}
wanda = np.abs(W) * np.linalg.norm(X, axis=0)[:, None]
found["wanda"] = W * by_unit(wanda, 0.5)
found["wanda24"] = W * n_of_m(wanda, 2, 4)


def sparse_gpt(share=None, keep=None, of=None):
    H = G + 0.01 * np.mean(np.diag(G)) * np.eye(inputs)
    inverses = [np.linalg.inv(H[i:, i:]) for i in range(inputs)]
    pivots = np.array([inv[0, 0] for inv in inverses])[:, None]
    w = W.copy()
    if share is not None:
        mask = lowest((w**2 / pivots).ravel(), int(w.size * share)).reshape(w.shape)
    else:
        mask = np.ones(w.shape, bool)
    for i in range(inputs):
        if keep is not None and i % of == 0:
            mask[i : i + of] = n_of_m(w[i : i + of] ** 2 / pivots[i : i + of], keep, of)
        lost = np.where(mask[i], 0, w[i])
        w[i:] -= np.outer(inverses[i][:, 0] / inverses[i][0, 0], lost)
    return w * mask


found["sparseGpt"] = sparse_gpt(share=0.5)
found["sparseGpt24"] = sparse_gpt(keep=2, of=4)


def admm(steps, gradual, share=0.5, damp=0.1):
    norm = np.sqrt(np.diag(G)) + 1e-8
    A = G / np.outer(norm, norm)
    A = A + damp * np.mean(np.diag(A)) * np.eye(inputs)
    w = W * norm[:, None]
    first = A @ w
    inverse = np.linalg.inv(A + np.eye(inputs))
    u = np.zeros_like(w)
    for t in range(steps):
        if t < gradual:
            now = share - share * (1 - (t + 1) / gradual) ** 3
            mask = lowest(np.abs(w + u).ravel(), int(w.size * now)).reshape(w.shape)
        z = (w + u) * mask
        u = u + w - z
        w = inverse @ (first + z - u)
    return (w + u) * mask / norm[:, None], mask, A, norm


found["admm"] = admm(20, 15)[0]
_, mask, A, norm = admm(4000, 15)
least = np.zeros_like(W)
for j in range(units):
    k = mask[:, j]
    least[k, j] = np.linalg.solve(A[np.ix_(k, k)], A[k] @ (W[:, j] * norm)) / norm[k]
found["admmAtLast"] = least


def dsnot(share, cycles, smallest):
    mask = by_unit(wanda, share)
    mean, variance = X.mean(0), X.var(0)
    for j in range(units):
        pull = W[:, j] * mean
        pruned, kept = np.flatnonzero(~mask[:, j]), np.flatnonzero(mask[:, j])
        wish = np.where(mask[:, j], 0, pull / variance)
        back = list(np.argsort(wish, kind="stable"))
        kept = kept[np.argsort(wanda[kept, j], kind="stable")]
        away = [i for i in kept if pull[i] < 0] + [i for i in kept if pull[i] > 0][::-1]
        error = pull[pruned].sum()
        sign, gone = np.sign(error), set(pruned)
        for _ in range(cycles):
            if abs(error) <= smallest or not back or not away:
                break
            comes = back.pop(-1 if error > 0 else 0)
            goes = away.pop(-1 if error < 0 else 0)
            after = error + pull[goes] - pull[comes]
            if comes not in gone or np.sign(after) != sign:
                break
            mask[goes, j], mask[comes, j], error = False, True, after
    return W * mask


found["dsnot"] = dsnot(0.5, 50, 0.1)

flat = lambda a: [float(f"{v:.9g}") for v in np.asarray(a, float).ravel()]
out = dict(inputs=inputs, units=units, X=flat(X), W=flat(W), found={k: flat(v) for k, v in found.items()})
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
