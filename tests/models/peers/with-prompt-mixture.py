"""What prompts behind a noisy gate come to in PyTorch, with numbers of shared.py: python with-prompt-mixture.py writes prompt-mixture.json.

Written from Shazeer et al. 2017 (arXiv:1701.06538, equations 3 to 11), the gate knowing the block as in the program of Ham et al. 2025 (arXiv:2405.17825).
The two blocks leave their input as it is, so that what comes out is what was added.
"""
import torch
from torch.distributions.normal import Normal
from torch.nn import functional as F
from shared import numbers, written

N, TOLD, PLACES, WIDTH, BLOCKS = 3, 4, 5, 2, 2
SHAPES = {"prompt": [BLOCKS, PLACES, WIDTH], "gate": [TOLD + 1, PLACES], "bias": [PLACES], "noise": [TOLD, PLACES]}


def cv2(v):
    return (v.std() / v.mean()) ** 2


def come_to(k, noisy):
    p = {name: numbers(i, shape, 0.0, 2.0).requires_grad_() for i, (name, shape) in enumerate(SHAPES.items())}
    c = numbers(1000, [N, TOLD], 0.0, 2.0)
    x = numbers(1001, [N, PLACES, WIDTH])
    importance, load = 0, 0
    for block in range(BLOCKS):
        clean = torch.cat([c, torch.full([N, 1], float(block))], 1) @ p["gate"] + p["bias"]
        deviation = F.softplus(c @ p["noise"]) + 0.01
        h = clean + numbers(1100 + block, [N, PLACES], 0.0, 3.0) * deviation if noisy else clean
        best = h.topk(k, 1)
        gates = torch.zeros_like(h).scatter(1, best.indices, F.softmax(best.values, 1))
        importance = importance + gates
        if noisy and k < PLACES:
            rows = []
            for i in range(N):
                for j in range(PLACES):
                    others = torch.cat([h[i, :j], h[i, j + 1 :]])
                    # the k-th largest without this one (equation 9)
                    rows.append(Normal(0.0, 1.0).cdf((clean[i, j] - others.sort(descending=True).values[k - 1]) / deviation[i, j]))
            load = load + torch.stack(rows).view(N, PLACES).sum(0)
        x = x + gates[:, :, None] * p["prompt"][block]
    cost = cv2(importance) + (cv2(load) if torch.is_tensor(load) else 0)
    ((x * numbers(2000, list(x.shape))).sum() + (cost if noisy else 0)).backward()
    gradients = {
        name: round(float((t.grad * numbers(3000 + i, list(t.shape))).sum()), 6) if t.grad is not None else 0.0
        for i, (name, t) in enumerate(p.items())
    }
    return {"out": [round(float(v), 6) for v in x.detach().flatten()], "cost": round(float(cost.detach()), 6), "gradients": gradients}


written("prompt-mixture.json", {
    "all noisy": come_to(5, True), "two noisy": come_to(2, True), "all": come_to(5, False), "two": come_to(2, False),
})
