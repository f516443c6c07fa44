"""A V-cycle, standardised filters and batch-channel normalisation in PyTorch.

python with-operators.py > operators.json
"""
import json

import torch
import torch.nn.functional as F

torch.manual_seed(0)
listed = lambda a: a.detach().double().numpy().round(6).tolist()
image = lambda a: listed(a.permute(0, 2, 3, 1))  # to [n, height, width, channels]
ours = lambda w: listed(w.permute(2, 3, 1, 0))  # filters to [height, width, in, out]
f, u = 2, 3  # channels of what comes in and of what goes out
x = torch.randn(2, f, 8, 8)
small = lambda *shape: torch.randn(*shape) * 0.3

# levels 3, smoothing [2, 1]
grids, out = [], {}
for level in range(3):
    own = {"down1": {"smooth": small(u, f, 3, 3)}, "down2": {"smooth": small(u, f, 3, 3), "operator": small(f, u, 3, 3)}}
    if level > 0:
        own["down1"]["operator"] = small(f, u, 3, 3)
    if level < 2:
        own["up1"] = {"smooth": small(u, f, 3, 3), "operator": small(f, u, 3, 3)}
        own |= {"operator": small(f, u, 3, 3), "restrict": small(f, f, 3, 3), "inject": small(u, u, 3, 3), "prolong": small(u, u, 4, 4)}
    grids.append(own)
conv = lambda a, w, s=1: F.conv2d(a, w, stride=s, padding=1)
state, rhs, met = None, x, []
for level, own in enumerate(grids):
    for step in ("down1", "down2"):
        p = own[step]
        state = conv(rhs, p["smooth"]) if state is None else state + conv(rhs - conv(state, p["operator"]), p["smooth"])
    met.append((state, rhs))
    if level < 2:
        rhs = conv(rhs - conv(state, own["operator"]), own["restrict"], 2)
        state = conv(state, own["inject"], 2)
for level in (1, 0):
    before, rhs = met[level]
    p = grids[level]["up1"]
    state = before + F.conv_transpose2d(state, grids[level]["prolong"], stride=2, padding=1)
    state = state + conv(rhs - conv(state, p["operator"]), p["smooth"])
kernel, bias = small(u, f, 1, 1), small(u)
state = state + F.conv2d(x, kernel, bias)


def tree(own):
    # a transposed convolution of PyTorch has [in, out, …], and ours the number of what comes out before that of what comes in
    return {k: tree(v) if isinstance(v, dict) else listed(v.permute(2, 3, 1, 0)) if k != "prolong" else listed(v.permute(2, 3, 1, 0)) for k, v in own.items()}


out["multigrid"] = {"x": image(x), "params": {**{f"grid{i + 1}": tree(g) for i, g in enumerate(grids)},
                                              "beside": {"kernel": ours(kernel), "bias": listed(bias)}}, "out": image(state)}

# the authors' standardised convolution
w = torch.randn(4, f, 3, 3)
centred = w - w.mean((1, 2, 3), keepdim=True)
flat = centred / torch.sqrt(centred.reshape(4, -1).var(1) + 1e-5).view(-1, 1, 1, 1)
out["standardised"] = {"kernel": ours(w), "out": image(conv(x, flat))}

# running statistics that take in the batch first, then groups
channels, momentum = 4, 0.1
data, mean, var = torch.randn(2, channels, 3, 3) * 2 + 1, torch.zeros(channels), torch.ones(channels)
s1, b1, s2, b2 = (torch.randn(channels) for _ in range(4))
view = lambda a: a.view(1, -1, 1, 1)
steps = []
for _ in range(2):
    mean = mean + momentum * (data.mean((0, 2, 3)) - mean)
    var = var + momentum * (data.var((0, 2, 3), unbiased=False) - var)
    normal = (data - view(mean)) / torch.sqrt(view(var) + 1e-5) * view(s1) + view(b1)
    steps.append(image(F.group_norm(normal, 2, s2, b2)))
out["batchChannel"] = {"x": image(data), "batch": {"scale": listed(s1), "shift": listed(b1)}, "channel": {"scale": listed(s2), "shift": listed(b2)},
                       "out": steps, "mean": listed(mean), "variance": listed(var)}
print(json.dumps(out))
