"""Recursive convolutions over a sequence in PyTorch.

python with-recursion.py > recursion.json
"""
import json

import torch
import torch.nn.functional as F

torch.manual_seed(0)
units, depth, times, length = 3, 3, 2, 8
listed = lambda a: a.detach().double().numpy().round(6).tolist()
conv = lambda i, o: (torch.randn(o, i, 3) * 0.4, torch.randn(o) * 0.2)
ours = lambda group: {f"conv{k + 1}": {"kernel": listed(w.permute(2, 1, 0)), "bias": listed(b)} for k, (w, b) in enumerate(group)}
run = lambda x, c: F.conv1d(x, c[0], c[1], padding=1)


def pairs(x, group):
    while group:
        y = F.relu(run(x, group[0]))
        if len(group) == 1:
            return y
        x, group = F.relu(run(y, group[1]) + x), group[2:]
    return x


first, again, wide, last = ([conv(units, units) for _ in range(depth)] for _ in range(4))
wide[0] = conv(units, 2 * units)
x = torch.randn(2, units, length)
down = pairs(x, first)
for _ in range(times):
    down = pairs(F.max_pool1d(down, 2), again)
up = down
for _ in range(times):
    y = F.relu(run(up, wide[0]))  # [n, 2 units, length]: the first half are the numbers of the first of two places
    n, _, l = y.shape
    up = pairs(y.view(n, 2, units, l).permute(0, 2, 3, 1).reshape(n, units, 2 * l), wide[1:])
up = pairs(up, last)
print(json.dumps({"x": listed(x.permute(0, 2, 1)), "encoder": {"first": ours(first), "again": ours(again)}, "down": listed(down.permute(0, 2, 1)),
                  "decoder": {"again": ours(wide), "last": ours(last)}, "up": listed(up.permute(0, 2, 1))}))
