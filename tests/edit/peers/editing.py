"""Writes editing.json: what NumPy comes to when it solves the closed forms of ROME, MEMIT, ENCORE and AlphaEdit on random matrices."""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(3)
inputs, units, n, count = 12, 5, 4, 30
kernel = rng.normal(size=(inputs, units))
keys, changes = rng.normal(size=(n, inputs)), rng.normal(size=(n, units))
earlier = rng.normal(size=(3, inputs))
known = rng.normal(size=(count, 7)) @ rng.normal(size=(7, inputs))  # of rank 7: five directions are free
gram, past = known.T @ known, earlier.T @ earlier
covariance = gram / count

found = {}
C = covariance + 0.01 * np.trace(covariance) / inputs * np.eye(inputs)
rome = kernel.copy()
for k, r in zip(keys, changes):
    u = np.linalg.inv(C) @ k
    rome = rome + np.outer(u, r) / (k @ u)
found["rome"] = rome
solve = lambda hold: kernel + np.linalg.solve(keys.T @ keys + hold, keys.T @ changes)
found["memit"] = solve(10 * covariance + past + 1e-6 * np.eye(inputs))
found["encore"] = solve(10 * covariance + past + (2 * np.mean(np.sum(keys**2, axis=1)) + 1e-6) * np.eye(inputs))
values, vectors = np.linalg.eigh(covariance)
free = vectors[:, values < 1e-3 * values.max()]
P = free @ free.T
found["alphaEdit"] = kernel + np.linalg.solve(P @ (keys.T @ keys + past) + 0.01 * np.eye(inputs), P @ keys.T @ changes)

out = {name: value.tolist() for name, value in dict(kernel=kernel, keys=keys, changes=changes, known=known, gram=gram, past=past).items()}
out["found"] = {name: value.tolist() for name, value in found.items()}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
