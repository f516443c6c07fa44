"""A quantum circuit gate by gate in numpy, and an echo state network in numpy whose readout is scikit-learn's.

python with-reservoirs.py > reservoirs.json
"""
import json

import numpy as np
from sklearn.linear_model import Ridge

rng = np.random.default_rng(0)
listed = lambda a: np.asarray(a, dtype=np.float64).round(7).tolist()

# gates on a state vector as a tensor with an axis for each qubit
H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
ry = lambda a: np.array([[np.cos(a / 2), -np.sin(a / 2)], [np.sin(a / 2), np.cos(a / 2)]])
rz = lambda a: np.diag([np.exp(-0.5j * a), np.exp(0.5j * a)])


def gate(state, matrix, qubit):
    return np.moveaxis(np.tensordot(matrix, state, axes=(1, qubit)), 0, qubit)


def cnot(state, control, target):
    state = np.moveaxis(state, (control, target), (0, 1)).copy()
    state[1] = state[1][::-1].copy()
    return np.moveaxis(state, (0, 1), (control, target))


def expectations(x, angles, count):
    q = len(x)
    state = np.zeros([2] * q, dtype=complex)
    state[(0,) * q] = 1
    for i, v in enumerate(x):
        for g in (H, ry(np.arctan(v)), rz(np.arctan(v**2))):
            state = gate(state, g, i)
    for layer in angles:
        for step in (1, 2):
            if step < q:
                for i in range(q):
                    state = cnot(state, i, (i + step) % q)
        for i, (phi, theta, omega) in enumerate(layer):
            for g in (rz(phi), ry(theta), rz(omega)):
                state = gate(state, g, i)
    p = np.abs(state) ** 2
    return [np.moveaxis(p, i, 0)[0].sum() - np.moveaxis(p, i, 0)[1].sum() for i in range(count)]


found = {"quantum": []}
for units, inputs, depth in [(1, 1, 1), (3, 1, 2), (2, 2, 3)]:
    angles = rng.uniform(0, 2 * np.pi, size=(depth, units + inputs, 3))
    x = rng.normal(size=(2, 6, inputs))
    out = []
    for row in x:
        h = np.zeros(units)
        for given in row:
            h = np.tanh(expectations(np.concatenate([h, given]), angles, units))
            out.append(h)
    found["quantum"].append({"units": units, "depth": depth, "angles": listed(angles), "x": listed(x), "out": listed(out)})

# with gates, circuits of their own
sigmoid = lambda a: 1 / (1 + np.exp(-np.asarray(a)))
units, inputs, depth = 2, 1, 1
x = rng.normal(size=(2, 6, inputs))
for cell, count in [("lstm", 4), ("gru", 3)]:
    circuits = [rng.uniform(0, 2 * np.pi, size=(depth, units + inputs, 3)) for _ in range(count)]
    if cell == "lstm":
        circuits.append(rng.uniform(0, 2 * np.pi, size=(depth, units, 3)))
    run = lambda i, given: np.asarray(expectations(given, circuits[i], units))
    out = []
    for row in x:
        h, c = np.zeros(units), np.zeros(units)
        for given in row:
            v = np.concatenate([h, given])
            if cell == "lstm":
                c = sigmoid(run(0, v)) * c + sigmoid(run(1, v)) * np.tanh(run(2, v))
                h = run(4, sigmoid(run(3, v)) * np.tanh(c))
            else:
                r, z = sigmoid(run(0, v)), sigmoid(run(1, v))
                h = z * h + (1 - z) * np.tanh(run(2, np.concatenate([r * h, given])))
            out.append(h)
    found[f"quantum {cell}"] = {"circuits": [listed(a) for a in circuits], "x": listed(x), "out": listed(out)}

# an echo state network: its largest eigenvalue, its states, and a ridge regression of the next number of a series
units, inputs = 12, 1
state = rng.uniform(-1, 1, size=(units, units)) * (rng.uniform(size=(units, units)) < 0.3)
state *= 0.8 / np.abs(np.linalg.eigvals(state)).max()
win, bias = rng.uniform(-1, 1, size=(inputs, units)), rng.uniform(-1, 1, size=units)
t = np.arange(90)
series = np.sin(t / 3) + 0.5 * np.sin(t / 7)
x = np.stack([series[i : i + 10] for i in range(80)])[..., None]
y = series[10:90]
h = np.zeros((80, units))
for k in range(10):
    h = 0.4 * h + 0.6 * np.tanh(x[:, k] @ win + h @ state + bias)
fitted = Ridge(alpha=0.01).fit(h[:60], y[:60])
found["echo"] = {"state": listed(state), "input": listed(win), "bias": listed(bias), "x": listed(x), "y": listed(y),
                 "states": listed(h[:5]), "predicted": listed(fitted.predict(h[60:]))}
print(json.dumps(found))
