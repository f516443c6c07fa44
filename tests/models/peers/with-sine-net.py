"""Writes sine-net.json: what a SineNet of two waves written in PyTorch comes to with numbers of shared.py, one tensor after the other as a pass meets them.

python with-sine-net.py, with torch 2.15.
"""
import json, os
import torch
import torch.nn.functional as F
from shared import numbers

filters, levels, growth, channels = 4, 2, 1.5, 2
width = lambda level: int(filters * growth**level)
made = []


def drawn(shape, centre, spread):
    made.append([list(shape), centre, spread])
    return numbers(len(made) - 1, shape, centre, spread).requires_grad_()


def conv(x, count, window):
    kernel, bias = drawn([window, window, x.shape[1], count], 0.0, 2 / (window * x.shape[1] ** 0.5)), drawn([count], 0.0, 0.6)
    used.extend([kernel, bias])
    return F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding="same")


def norm(x):
    scale, shift = drawn([x.shape[1]], 1.0, 0.4), drawn([x.shape[1]], 0.0, 0.6)
    used.extend([scale, shift])
    return F.group_norm(x, 1, scale, shift, 1e-5)


def block(x, more, count):
    h = torch.cat([x, *more], 1)
    for _ in range(2):
        h = F.gelu(norm(conv(h, count, 3)))
    return h + conv(x, count, 1)


def wave(x):
    kept, h = [x], x
    for level in range(1, levels + 1):
        h = F.avg_pool2d(h, 2)
        h = block(h, [] if level == 1 else [F.avg_pool2d(x, 2**level)], width(level))
        kept.append(h)
    for level in range(levels - 1, -1, -1):
        h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
        h = block(h, [kept[level]], width(level))
    return x + h


used = []
x = numbers(1000, [2, 8, 8, channels], 0.5, 1)
y = wave(wave(conv(x.permute(0, 3, 1, 2), filters, 3))).permute(0, 2, 3, 1)
(y * numbers(2000, list(y.shape))).sum().backward()
sums = [[round(float((p.grad.double() * numbers(3000 + i, list(p.shape)).double()).sum()), 6), round(float(p.grad.double().norm()), 6)] for i, p in enumerate(used)]
json.dump({"parameters": made, "y": [round(float(v), 6) for v in y.detach().flatten()][:96], "gradients": sums}, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sine-net.json"), "w"))
