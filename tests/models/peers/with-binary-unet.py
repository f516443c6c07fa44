"""What the parts of a binary U-Net come to in PyTorch, with numbers of shared.py: python with-binary-unet.py writes binary-unet.json.

Written from Chen et al. 2024 (arXiv:2406.05723, section 3) and the authors' account of it; autograd goes through the estimators as they are said: the sign
has the gradient of two parabolas, the kernel that of itself cut at -1 and 1.
"""
import torch
from torch.nn import functional as F
from shared import numbers, written

SPANS, CHANNELS, SIDE = 5, 4, 4
TIMES = [0.0, 150.0, 200.0, 999.0]


def parts(window, inputs, outputs):
    return {"kernel": [window, window, inputs, outputs], "threshold": [SPANS, inputs], "before": [SPANS, outputs], "slope": [SPANS, outputs], "after": [SPANS, outputs]}


def sign(x):
    soft = torch.where(x < 0, x * x + 2 * x, 2 * x - x * x)
    soft = torch.where(x < -1, -torch.ones_like(x), torch.where(x < 1, soft, torch.ones_like(x)))
    return torch.sign(x).detach() - soft.detach() + soft


def binary(x, p, span):
    per = lambda name: p[name][span][:, :, None, None]
    w = p["kernel"].permute(3, 2, 0, 1)
    size = w.abs().mean((1, 2, 3), keepdim=True).detach()
    cut = w.clamp(-1, 1)
    kernel = (size * torch.sign(w)).detach() - cut.detach() + cut
    y = F.conv2d(sign(x + per("threshold")), kernel, padding=w.shape[-1] // 2) + per("before")
    y = torch.where(y > 0, y, y * per("slope")) + per("after")
    return y + x if y.shape == x.shape else y


def down(x, p, span):
    a, b = x.chunk(2, 1)
    return F.pixel_unshuffle(binary(a, p["first"], span) + binary(b, p["second"], span), 2)


def up(x, p, span):
    return F.pixel_shuffle(torch.cat([binary(x, p["first"], span), binary(x, p["second"], span)], 1), 2)


def fusion(x, p, span):
    other = 30 * x * x.flip(1)  # what was remembered: larger by far
    one = torch.cat([x[:, 1::2], other[:, 0::2]], 1)
    two = torch.cat([x[:, 0::2], other[:, 1::2]], 1)
    return binary(one, p["first"], span) + binary(two, p["second"], span)


CASES = {
    "binaryConv": (lambda x, p, s: binary(x, p[""], s), {"": parts(3, CHANNELS, CHANNELS)}),
    "wider": (lambda x, p, s: binary(x, p[""], s), {"": parts(3, CHANNELS, 6)}),
    "consistentDown": (down, {"first": parts(3, CHANNELS // 2, CHANNELS // 2), "second": parts(3, CHANNELS // 2, CHANNELS // 2)}),
    "consistentUp": (up, {"first": parts(3, CHANNELS, CHANNELS), "second": parts(3, CHANNELS, CHANNELS)}),
    "shuffleFusion": (fusion, {"first": parts(1, CHANNELS, CHANNELS), "second": parts(1, CHANNELS, CHANNELS)}),
}
span = torch.tensor([int(t * SPANS / 1000) for t in TIMES])
found = {}
for name, (run, shapes) in CASES.items():
    params, told = {}, []
    for part, tensors in shapes.items():
        params[part] = {}
        for tensor, shape in tensors.items():
            # kernels reach beyond 1, so that some of their numbers have no gradient
            params[part][tensor] = numbers(len(told), shape, 0.0, 3.0 if tensor == "kernel" else 1.5).requires_grad_()
            told.append([f"{part}/{tensor}".strip("/"), shape])
    x = numbers(1000, [len(TIMES), SIDE, SIDE, CHANNELS], 0.0, 3.0).requires_grad_()
    out = run(x.permute(0, 3, 1, 2), params, span).permute(0, 2, 3, 1)
    (out * numbers(2000, list(out.shape))).sum().backward()
    flat = [p for tensors in params.values() for p in tensors.values()]
    gradients = [round(float((p.grad * numbers(3000 + i, list(p.shape))).sum()), 5) for i, p in enumerate(flat)]
    found[name] = {"parameters": told, "shape": list(out.shape), "out": [round(float(v), 5) for v in out.detach().flatten()],
                   "gradients": gradients, "input": round(float((x.grad * numbers(2999, list(x.shape))).sum()), 5)}
written("binary-unet.json", found)
