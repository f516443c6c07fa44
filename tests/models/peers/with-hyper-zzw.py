"""Writes hyper-zzw.json: what one block of HyperZ.Z.W written in PyTorch comes to in training with numbers of shared.py, by the paths of our parameters.

python with-hyper-zzw.py, with torch 2.15.
"""
import json, math, os
import torch
import torch.nn.functional as F
from shared import numbers

side, channels, hidden, units, groups, windows = 6, 2, 3, 4, 2, [3, 5, 1, 3]
told, made = [], {}


def drawn(path, shape, centre=0.0, spread=1.0):
    made[path] = numbers(len(told), shape, centre, spread).requires_grad_()
    told.append([path, list(shape), centre, spread])


def linear(path, inputs, outputs, bias=0.0):
    drawn(f"{path}/kernel", [inputs, outputs], 0.0, math.sqrt(12 / inputs))
    drawn(f"{path}/bias", [outputs], bias, 0.6)


def slow(path, axes, points, count, context=False):
    for i in range(3):
        linear(f"{path}/filter{i}", axes, hidden)
    for i in (1, 2):
        linear(f"{path}/linear{i}", hidden, hidden, 1.0)
    drawn(f"{path}/place/bias", [points])
    linear(f"{path}/out", hidden, count)
    if context:
        linear(f"{path}/context", count, hidden)
        linear(f"{path}/enter", hidden, hidden)
        for i in (1, 2):
            linear(f"{path}/by{i}", hidden, hidden, 1.0)


slow("kernels/whole", 2, side * side, channels)
slow("kernels/channels", 1, channels, 1)
slow("kernels/scoreChannels", 1, channels, 1)
slow("kernels/scorePlaces", 2, side * side, 1)
for i, window in enumerate(windows):
    slow(f"kernels/local{i + 1}", 2, window * window, channels, True)
for unit in ("slow", "fast"):
    for part in ("key", "value", "query"):
        linear(f"{unit}/{part}", channels, channels)
    drawn(f"{unit}/place/bias", [side, side, 1])
    linear(f"{unit}/out", channels, channels)
linear("mixer", channels, channels)
for i in range(4):
    linear(f"local{i + 1}/mixer", channels, channels)
    drawn(f"local{i + 1}/end/bias", [1])
linear("bottleneck", 10 * channels, units)
drawn("end/bias", [1])


def through(x, path):
    """A linear layer on the last axis."""
    return x @ made[f"{path}/kernel"] + made[f"{path}/bias"]


def at_pixels(x, path):
    return through(x.permute(0, 2, 3, 1), path).permute(0, 3, 1, 2)


def grid(*sides):
    lines = [torch.linspace(-1, 1, s) for s in sides]
    return torch.stack([g.flatten() for g in torch.meshgrid(*lines, indexing="ij")], 1)


def kernel(path, *sides, context=None):
    c = grid(*sides)
    h = torch.sin(through(c, f"{path}/filter0"))
    for i in (1, 2):
        h = torch.sin(through(c, f"{path}/filter{i}")) * through(h, f"{path}/linear{i}") + made[f"{path}/place/bias"][:, None]
        if context is not None:
            h = h.detach() + 0.1 * F.normalize(h, dim=0)
            h = h * through(F.gelu(through(through(context, f"{path}/context"), f"{path}/enter")), f"{path}/by{i}")
    return through(h, f"{path}/out").T.reshape(-1, *sides)


def alone(x):
    return F.instance_norm(x, eps=1e-5)


def together(x):
    return F.batch_norm(x, None, None, training=True, eps=1e-5)


def gated(x, unit):
    k, v = at_pixels(x, f"{unit}/key"), at_pixels(x, f"{unit}/value")
    q = F.gelu(alone(k * at_pixels(v, f"{unit}/query"))) + made[f"{unit}/place/bias"].permute(2, 0, 1)
    return at_pixels(q, f"{unit}/out")


def by_channels(x, path):
    means = F.adaptive_avg_pool2d(x, 1)
    return means * kernel(path, channels).reshape(1, channels, 1, 1) * means


def local(i, seen, of):
    w = windows[i]
    context = F.adaptive_avg_pool2d(seen, w).mean(0).permute(1, 2, 0).reshape(w * w, channels)
    drawn_kernel = kernel(f"kernels/local{i + 1}", w, w, context=context)
    y = F.conv2d(of, drawn_kernel[:, None], padding=w // 2, groups=channels)
    return F.gelu(together(at_pixels(y, f"local{i + 1}/mixer"))) + made[f"local{i + 1}/end/bias"]


x = numbers(1000, [3, side, side, channels], 0.0, 2.0).requires_grad_()
image = x.permute(0, 3, 1, 2)
met = image * kernel("kernels/whole", side, side)
fast = alone(gated(met, "slow") + gated(image, "fast"))
mixed = alone(at_pixels(image, "mixer"))
told_by = alone(image * torch.sigmoid(by_channels(image, "kernels/channels")))
out, out_mixed, out_told = met @ fast, met @ mixed, met @ told_by
places = out.mean(1, keepdim=True)
score = places * kernel("kernels/scorePlaces", side, side) * places * by_channels(out, "kernels/scoreChannels")
wide = torch.cat(
    [
        out, local(1, told_by, image), fast, out_mixed, local(0, image, told_by), torch.sigmoid(out) * out,
        local(2, mixed, image), out_told, local(3, image, mixed), image * torch.sigmoid(score),
    ],
    1,
)
y = at_pixels(wide, "bottleneck")
half = units // groups
parts = [together(p) if g % 2 == 0 else alone(p) for g, p in enumerate(y.split(half, 1))]
y = (F.gelu(torch.cat(parts, 1)) + made["end/bias"]).permute(0, 2, 3, 1)
(y * numbers(2000, list(y.shape))).sum().backward()
sums = [
    [round(float((made[path].grad.double() * numbers(3000 + i, shape).double()).sum()), 6), round(float(made[path].grad.double().norm()), 6)]
    for i, (path, shape, *_) in enumerate(told)
]
here = os.path.dirname(os.path.abspath(__file__))
y = [round(float(v), 6) for v in y.detach().flatten()]
json.dump({"parameters": told, "y": y, "gradients": sums}, open(os.path.join(here, "hyper-zzw.json"), "w"))
