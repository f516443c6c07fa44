"""What layers along a sequence come to elsewhere: python with-sequences.py writes sequences.json.

mlstm is the layer of Hugging Face's xLSTM; the gated delta rule that of its Qwen3-Next, place by place. The memories that learn at test time (TTT, Titans) are
their equations, every inner gradient asked of autograd.
"""
import json, os
import torch
import torch.nn.functional as F
from transformers import xLSTMConfig
from transformers.models.xlstm.modeling_xlstm import xLSTMLayer
from transformers.models.qwen3_next.modeling_qwen3_next import torch_recurrent_gated_delta_rule
from shared import numbers

here = os.path.dirname(os.path.abspath(__file__))
flat = lambda t: [round(float(v), 7) for v in t.detach().flatten()]
n, length, units, heads = 2, 21, 8, 2
x = numbers(1, [n, length, units], 0, 3)


def xlstm():
    layer = xLSTMLayer(xLSTMConfig(hidden_size=units, num_heads=heads, use_bias=False, chunk_size=16, mode="inference", chunkwise_kernel="chunkwise--native_autograd", sequence_kernel="native_sequence__native", step_kernel="native"))
    made = {}
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(layer.named_parameters())):
            p.copy_(numbers(100 + i, list(p.shape), 1 if "norm" in name else 0, 2))
            made[name] = p
    ours = {"q": "query", "k": "key", "v": "value", "igate_preact": "enter", "fgate_preact": "keep", "ogate_preact": "leave", "out_proj": "out"}
    params = {"norm/scale": flat(made["multihead_norm.weight"])}
    for name, p in made.items():
        part, _, kind = name.rpartition(".")
        if part in ours:
            params[f"{ours[part]}/{'kernel' if kind == 'weight' else 'bias'}"] = flat(p.T if p.ndim == 2 else p)
    return {"params": params, "out": flat(layer(x)[0])}


def delta():
    q, k, v = (numbers(200 + i, [n, length, heads, 4], 0, 2) for i in range(3))
    rate, decay = numbers(203, [n, length, heads], 0.5, 1), numbers(204, [n, length, heads], -0.5, 1)
    out, _ = torch_recurrent_gated_delta_rule(q, k, v, decay, rate, initial_state=None, output_final_state=False, use_qk_l2norm_in_kernel=True)
    return {"out": flat(out)}


def given(shapes):
    """Parameters by their paths in our tree, and how they were drawn."""
    told = {path: [300 + i, *how] for i, (path, how) in enumerate(shapes.items())}
    return {path: numbers(how[0], how[1], *how[2:]) for path, how in told.items()}, told


kernel = lambda inputs, outputs: [[inputs, outputs], 0, 2]
rms = lambda t: t / torch.sqrt(t.square().mean(-1, keepdim=True) + 1e-5)
unit = lambda t: t / torch.sqrt(t.square().sum(-1, keepdim=True) + 1e-6)
split = lambda t: t.reshape(n, length, heads, -1)
d = units // heads


def by_head(run):
    """What `run` reads at the places of one head of one sequence, for all of them."""
    return torch.stack([torch.stack([run(i, h) for h in range(heads)], 1) for i in range(n)]).reshape(n, length, units)


def ttt(depth, batch=8, rate=1.0):
    hidden = 4 * d if depth == 2 else d
    p, told = given({**{f"{part}/kernel": kernel(units, units) for part in ("query", "key", "value", "out")}, "rate/kernel": kernel(units, heads), "rate/bias": [[heads], 0, 1], "pace/added": [[batch], 0, 0.2],
                     "inner/first": [[heads, d + 1, hidden], 0, 2], **({"inner/second": [[heads, hidden + 1, d], 0, 2]} if depth == 2 else {}),
                     "norm/scale": [[heads, 1, d], 1, 0.4], "norm/shift": [[heads, 1, d], 0, 0.4], "after/scale": [[units], 1, 0.4], "after/shift": [[units], 0, 0.4]})
    q, k, v = (split(x @ p[f"{part}/kernel"]) for part in ("query", "key", "value"))
    speed = torch.sigmoid(x @ p["rate/kernel"] + p["rate/bias"]) * rate / d
    pace = torch.relu(1 / torch.arange(1, batch + 1) + p["pace/added"])

    def run(i, h):
        norm = lambda z: F.layer_norm(z, [d], p["norm/scale"][h, 0], p["norm/shift"][h, 0], 1e-6)
        def net(w, z):
            for l, kernel in enumerate(w):
                z = (F.gelu(z, approximate="tanh") if l else z) @ kernel[:-1] + kernel[-1]
            return z
        weights = [p[name][h] for name in ("inner/first", "inner/second")[:depth]]
        out = []
        for begin in range(0, length, batch):
            at = [w.clone().requires_grad_() for w in weights]
            sums = [torch.zeros_like(w) for w in weights]
            for place, t in enumerate(range(begin, min(begin + batch, length))):
                loss = 0.5 * (norm(net(at, k[i, t, h])) - (v - k)[i, t, h]).square().sum()
                sums = [s + speed[i, t, h] * g for s, g in zip(sums, torch.autograd.grad(loss, at))]
                now = [w - pace[place] * s for w, s in zip(weights, sums)]
                out.append(q[i, t, h] + norm(net(now, q[i, t, h])))
            weights = now
        return torch.stack(out)

    y = F.layer_norm(by_head(run), [units], p["after/scale"], p["after/shift"], 1e-6) @ p["out/kernel"]
    return {"params": told, "out": flat(y)}


def titans(depth, batch=8, rate=0.1):
    hidden = 2 * d
    p, told = given({**{f"{part}/kernel": kernel(units, units) for part in ("query", "key", "value", "gate", "out")}, **{f"{part}/{kind}": how for part in ("rate", "momentum", "forget") for kind, how in (("kernel", kernel(units, heads)), ("bias", [[heads], 0, 2]))},
                     "memory/first": [[heads, d, hidden if depth == 2 else d], 0, 2], **({"memory/second": [[heads, hidden, d], 0, 2]} if depth == 2 else {}), "norm/scale": [[d], 1, 0.4]})
    q, k = (unit(split(F.silu(x @ p[f"{part}/kernel"]))) for part in ("query", "key"))
    v = split(F.silu(x @ p["value/kernel"]))
    theta, eta, alpha = (torch.sigmoid(x @ p[f"{part}/kernel"] + p[f"{part}/bias"]) for part in ("rate", "momentum", "forget"))

    def run(i, h):
        net = lambda w, z: z @ w[0] if depth == 1 else F.gelu(z @ w[0], approximate="tanh") @ w[1]
        memory = [p[name][h] for name in ("memory/first", "memory/second")[:depth]]
        surprise = [torch.zeros_like(w) for w in memory]
        out = []
        for t in range(length):
            if t % batch == 0:
                at = [w.clone().requires_grad_() for w in memory]
            loss = (net(at, k[i, t, h]) - v[i, t, h]).square().sum()
            surprise = [eta[i, t, h] * s - rate * theta[i, t, h] * g for s, g in zip(surprise, torch.autograd.grad(loss, at))]
            memory = [(1 - alpha[i, t, h]) * w + s for w, s in zip(memory, surprise)]
            out.append(net(memory, q[i, t, h]))
        return rms(torch.stack(out)) * p["norm/scale"]

    return {"params": told, "out": flat((by_head(run) * F.silu(x @ p["gate/kernel"])) @ p["out/kernel"])}


def lattice(slots=3, batch=4):
    p, told = given({**{f"{part}/kernel": kernel(units, heads * slots) for part in ("query", "key")}, **{f"{part}/kernel": kernel(units, units) for part in ("value", "gate", "out")}, "rate/kernel": kernel(units, heads), "rate/bias": [[heads], 0, 1],
                     "memory/slots": [[heads, slots, d], 0, 2], "norm/scale": [[d], 1, 0.4]})
    q, k, v = split(x @ p["query/kernel"]), unit(split(x @ p["key/kernel"])), split(x @ p["value/kernel"])
    gamma = torch.sigmoid(x @ p["rate/kernel"] + p["rate/bias"])

    def run(i, h):
        memory = p["memory/slots"][h]
        out = []
        for t in range(length):
            if t % batch == 0:
                at = memory.clone().requires_grad_()
            loss = 0.5 * (v[i, t, h] - k[i, t, h] @ F.normalize(at, dim=-1)).square().sum()
            memory = memory - gamma[i, t, h] * torch.autograd.grad(loss, at)[0]
            out.append(q[i, t, h] @ F.normalize(memory, dim=-1))
        return rms(torch.stack(out)) * p["norm/scale"]

    return {"params": told, "out": flat((by_head(run) * F.silu(x @ p["gate/kernel"])) @ p["out/kernel"])}


json.dump({"mlstm": xlstm(), "delta": delta(), "ttt": ttt(1), "tttMlp": ttt(2), "titans": titans(1), "titansMlp": titans(2), "lattice": lattice()}, open(f"{here}/sequences.json", "w"))
