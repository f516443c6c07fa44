"""Numbers that two programs can make alike, and what a network comes to with them.

Parameters, inputs and what logits are weighed with are drawn by `numbers`, a hash of place and name, so that only what the network comes to
has to be written down: its logits, and of each gradient its product with other such numbers and its length.
"""
import json, math, os
import numpy as np
import torch


def numbers(stream, shape, centre=0.0, spread=1.0):
    """Numbers within spread / 2 around centre; the same for the same stream and shape in any language with 32-bit integers."""
    with np.errstate(over="ignore"):
        k = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint32)
        h = k * np.uint32(2654435761) ^ np.uint32((stream + 1) * 2246822519 % 2**32)
        h ^= h >> np.uint32(15)
        h *= np.uint32(2246822519)
        h ^= h >> np.uint32(13)
        h *= np.uint32(3266489917)
        h ^= h >> np.uint32(16)
    return torch.tensor((centre + spread * (h / 2**32 - 0.5)).astype(np.float32).reshape(shape))


def rule(name, shape):
    """Centre and spread of a parameter or statistic."""
    if name.endswith("running_var"):
        return 1.0, 0.8
    if name.endswith("layer_scale_parameter"):
        return 0.6, 0.4
    if len(shape) == 1 and name.endswith("weight"):
        return 1.0, 0.4  # of a normalisation
    if len(shape) == 1 or "embed" in name and len(shape) < 4 or "wte" in name or "wpe" in name or "positions" in name:
        return 0.0, 0.6
    return 0.0, math.sqrt(12 / math.prod(shape[1:]))


def filled(shapes):
    """A tensor for each name, and the list that says how they were made."""
    told = [[name, list(shape), *rule(name, shape)] for name, shape in shapes.items()]
    return {name: numbers(i, *how) for i, (name, *how) in enumerate(told)}, told


def outcome(told, logits, gradients, x=None):
    """What is written down. `gradients` is by the names of `told`, or of some of them; x is an input with its gradient, if it has one."""
    sums = {}
    for i, (name, *_) in enumerate(told):
        if name in gradients:
            g = gradients[name].detach().double()
            sums[name] = [round(float((g * numbers(3000 + i, list(g.shape)).double()).sum()), 8), round(float(g.norm()), 8)]
    out = {"parameters": told, "logits": [round(float(v), 8) for v in logits.detach().flatten()], "gradients": sums}
    if x is not None:
        g = x.grad.double()
        out["input"] = [round(float((g * numbers(2999, list(g.shape)).double()).sum()), 8), round(float(g.norm()), 8)]
    return out


def descend(logits):
    """Goes back from a sum of the logits, each weighed."""
    (logits * numbers(2000, list(logits.shape))).sum().backward()


def images(n, height, width, channels):
    """Images as PyTorch has them, of numbers that are drawn as n, height, width, channels."""
    return numbers(1000, [n, height, width, channels], 0.5, 1.0).permute(0, 3, 1, 2).contiguous().requires_grad_()


def written(name, found):
    path = os.path.join(os.path.dirname(__file__), name)
    with open(path, "w") as file:
        entries = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in found.items())
        file.write("{\n" + entries + "\n}\n")
