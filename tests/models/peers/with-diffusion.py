"""What a diffusion transformer and noise schedules come to in PyTorch and NumPy, with numbers of shared.py: python with-diffusion.py writes diffusion.json.

Written from Peebles and Xie 2023 (arXiv:2212.09748, section 3.2), Ho et al. 2020 (arXiv:2006.11239, equation 7), Nichol and Dhariwal 2021 (arXiv:2102.09672,
equation 17) and Song et al. 2021 (arXiv:2010.02502, equation 12).
"""
import math
import numpy as np
import torch
from torch.nn import functional as F
from shared import numbers, written

WIDTH, HEADS, PATCH, SIDE, CLASSES, WIDEN = 8, 2, 2, 4, 3, 2
SHAPES = {
    "conditions/waves/kernel": [WIDTH, WIDTH], "conditions/waves/bias": [WIDTH],
    "conditions/time/kernel": [WIDTH, WIDTH], "conditions/time/bias": [WIDTH],
    "conditions/classes/kernel": [CLASSES + 1, WIDTH],
    "patches/2-dense/kernel": [PATCH * PATCH, WIDTH], "patches/2-dense/bias": [WIDTH],
    "positions/places": [(SIDE // PATCH) ** 2, WIDTH],
    **{f"block1/{part}/{tensor}": shape
       for part, inputs, outputs in [("query", WIDTH, WIDTH), ("key", WIDTH, WIDTH), ("value", WIDTH, WIDTH), ("out", WIDTH, WIDTH),
                                     ("up", WIDTH, WIDEN * WIDTH), ("down", WIDEN * WIDTH, WIDTH), ("modulation", WIDTH, 6 * WIDTH)]
       for tensor, shape in [("kernel", [inputs, outputs]), ("bias", [outputs])]},
    "norm/modulation/kernel": [WIDTH, 2 * WIDTH], "norm/modulation/bias": [2 * WIDTH],
    "pixels/out/kernel": [WIDTH, PATCH * PATCH], "pixels/out/bias": [PATCH * PATCH],
}


def dit(p, x, time, label):
    linear = lambda x, at: x @ p[f"{at}/kernel"] + p[f"{at}/bias"]
    norm = lambda x: F.layer_norm(x, (WIDTH,), eps=1e-6)
    angles = time[:, None] * torch.tensor([10000 ** (-2 * i / WIDTH) for i in range(WIDTH // 2)])
    t = linear(F.silu(linear(torch.cat([angles.cos(), angles.sin()], 1), "conditions/waves")), "conditions/time")
    c = F.silu(t + p["conditions/classes/kernel"][label])
    n, side = x.shape[0], SIDE // PATCH
    cut = x.view(n, side, PATCH, side, PATCH).permute(0, 1, 3, 2, 4).reshape(n, side * side, PATCH * PATCH)
    h = linear(cut, "patches/2-dense") + p["positions/places"]
    b1, s1, g1, b2, s2, g2 = (v[:, None] for v in linear(c, "block1/modulation").chunk(6, 1))
    entering = norm(h) * (1 + s1) + b1
    q, k, v = (linear(entering, f"block1/{part}").view(n, -1, HEADS, WIDTH // HEADS).transpose(1, 2) for part in ("query", "key", "value"))
    seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, -1, WIDTH)
    h = h + g1 * linear(seen, "block1/out")
    h = h + g2 * linear(F.gelu(linear(norm(h) * (1 + s2) + b2, "block1/up"), approximate="tanh"), "block1/down")
    b, s = (v[:, None] for v in linear(c, "norm/modulation").chunk(2, 1))
    out = linear(norm(h) * (1 + s) + b, "pixels/out").view(n, side, side, PATCH, PATCH)
    return out.permute(0, 1, 3, 2, 4).reshape(n, SIDE * SIDE)


params = {name: numbers(i, shape, 0.0, 1.5).requires_grad_() for i, (name, shape) in enumerate(SHAPES.items())}
out = dit(params, numbers(1000, [3, SIDE, SIDE]), torch.tensor([0.0, 250.0, 990.0]), torch.tensor([0, 2, CLASSES]))
(out * numbers(2000, list(out.shape))).sum().backward()
gradients = {name: round(float((p.grad * numbers(3000 + i, list(p.shape))).sum()), 6) for i, (name, p) in enumerate(params.items())}


def schedules(steps):
    betas = np.linspace(1e-4 * 1000 / steps, 0.02 * 1000 / steps, steps)
    f = lambda t: math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2
    return {"linear": np.cumprod(1 - betas), "cosine": np.cumprod([1 - min(1 - f(t + 1) / f(t), 0.999) for t in range(steps)])}


kept = schedules(40)
x0, noise, t = 0.3, -1.2, 17
steps = {}
for name, bar in kept.items():
    noisy = math.sqrt(bar[t]) * x0 + math.sqrt(1 - bar[t]) * noise
    beta = 1 - bar[t] / bar[t - 1]
    mean = math.sqrt(bar[t - 1]) * beta / (1 - bar[t]) * x0 + math.sqrt(1 - beta) * (1 - bar[t - 1]) / (1 - bar[t]) * noisy
    steps[name] = {"noisy": noisy, "posteriorMean": mean, "posteriorVariance": beta * (1 - bar[t - 1]) / (1 - bar[t]),
                   "ddim": math.sqrt(bar[5]) * x0 + math.sqrt(1 - bar[5]) * noise}
written("diffusion.json", {
    "parameters": [[name, shape] for name, shape in SHAPES.items()],
    "out": [round(v, 7) for v in out.detach().flatten().tolist()],
    "gradients": gradients,
    "kept": {name: [float(f"{v:.9g}") for v in bar] for name, bar in kept.items()},
    "steps": steps,
})
