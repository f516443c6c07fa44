"""What recurrent layers give on a few places: PyTorch's own, the liquid ones of the package ncps (1.0.1), and formulas of papers in numpy.

python with-recurrent.py > recurrent.json
"""
import json

import numpy as np
import torch
from ncps.torch import CfC, LTC
from ncps.wirings import FullyConnected

torch.manual_seed(0)
rng = np.random.default_rng(0)
n, length, inputs, units = 2, 9, 3, 4
x = rng.normal(size=(n, length, inputs)).astype(np.float32)
times = rng.uniform(0.2, 2, size=(n, length)).astype(np.float32)
tx = torch.tensor(x)
listed = lambda a: np.asarray(a.detach() if isinstance(a, torch.Tensor) else a, dtype=np.float64).round(7).tolist()
sigmoid = lambda a: 1 / (1 + np.exp(-a))
found = {"x": listed(x), "times": listed(times)}


def drawn(*shape):
    return rng.normal(size=shape) * 0.5


# torch.nn.RNN
rnn = torch.nn.RNN(inputs, units, batch_first=True)
found["rnn"] = {
    "input": listed(rnn.weight_ih_l0.T), "inputBias": listed(rnn.bias_ih_l0),
    "state": listed(rnn.weight_hh_l0.T), "stateBias": listed(rnn.bias_hh_l0), "out": listed(rnn(tx)[0]),
}

# Khajehabdollahi et al. 2023, equation 1, with the rectifier around the whole as in the authors' program
w, u, b, tau = drawn(inputs, units), drawn(units, units), drawn(units), np.array([0.5, 1.3, 2.0, 5.0])
h, out = np.zeros((n, units)), []
off = u * (1 - np.eye(units))
for t in range(length):
    share = 1 / np.maximum(tau, 1)
    h = (1 - share) * h + share * (x[:, t] @ w + h @ off + b)
    h = np.where(h > 0, h, 0.01 * h)
    out.append(h)
found["timescales"] = {"input": listed(w), "inputBias": listed(b), "state": listed(u), "timescale": listed(tau),
                       "out": listed(np.stack(out, 1))}

# Beck et al. 2024, section 2.2: as it is written there, without stabilisation
w, u, b = drawn(inputs, 4 * units), drawn(units, 4 * units), drawn(4 * units)
h, c, m, out = np.zeros((n, units)), np.zeros((n, units)), np.zeros((n, units)), []
for t in range(length):
    i, f, z, o = np.split(x[:, t] @ w + h @ u + b, 4, axis=1)
    c = sigmoid(f) * c + np.exp(i) * np.tanh(z)
    m = sigmoid(f) * m + np.exp(i)
    h = sigmoid(o) * c / m
    out.append(h)
found["slstm"] = {"input": listed(w), "inputBias": listed(b), "state": listed(u), "out": listed(np.stack(out, 1))}


def passed(cell, spans):
    h, out = torch.zeros(n, units), []
    for t in range(length):
        _, h = cell(tx[:, t], h, 1.0 if spans is None else spans[:, t : t + 1])
        out.append(h)
    return listed(torch.stack(out, 1))


# ncps: closed form
for mode in ["default", "no_gate", "pure"]:
    cell = CfC(inputs, units, mode=mode, backbone_units=5, backbone_layers=1)
    own = cell.rnn_cell
    with torch.no_grad():
        for p in cell.parameters():
            p.add_(torch.randn_like(p) * 0.3)
    weights = [own.ff1] + ([] if mode == "pure" else [own.ff2, own.time_a, own.time_b])
    kernel = own.backbone[0].weight.T
    found[f"cfc {mode}"] = {
        "input": listed(kernel[:inputs]), "inputBias": listed(own.backbone[0].bias), "state": listed(kernel[inputs:]),
        "kernel": listed(torch.cat([one.weight.T for one in weights], 1)),
        "bias": listed(torch.cat([one.bias for one in weights])),
        **({"rate": listed(own.w_tau[0]), "target": listed(own.A[0])} if mode == "pure" else {}),
        "out": listed(cell(tx)[0]),
        # the cell by itself: the whole network takes one time for all sequences
        "outInTime": passed(own, torch.tensor(times)),
    }

# ncps: the differential equation
ltc = LTC(inputs, FullyConnected(units), implicit_param_constraints=True)
own = ltc.rnn_cell
with torch.no_grad():
    own.input_w.add_(torch.randn_like(own.input_w) * 0.3)
    own.input_b.add_(torch.randn_like(own.input_b) * 0.3)
names = {"weight": "w", "steepness": "sigma", "middle": "mu", "reversal": "erev"}
found["ltc"] = {
    "input": {"scale": listed(own.input_w), "shift": listed(own.input_b),
              **{ours: listed(own._params[f"sensory_{theirs}"]) for ours, theirs in names.items()}},
    "state": {ours: listed(own._params[theirs]) for ours, theirs in names.items()},
    "capacity": listed(own.cm), "leak": listed(own.gleak), "rest": listed(own.vleak),
    "out": passed(own, None), "outInTime": passed(own, torch.tensor(times)),
}
print(json.dumps(found))
