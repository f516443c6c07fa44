"""What PyTorch makes of the losses with which networks teach networks, and their slopes, for distilling.json: python distilling.py > distilling.json
What torchvision makes of regions of maps and images stands there too.

A student and a teacher are two convolutions with rectifiers, pooling between, and a dense layer on what is flattened. Kernels stand as the library has them:
[window, window, channels, filters], flattened images with channels last.
"""
import json

import torch
import torch.nn.functional as F
from torchvision.ops import roi_align

torch.manual_seed(11)
rows, classes = 5, 3


def network(first, second):
    shapes = [(3, 3, 2, first), (first,), (3, 3, first, second), (second,), (2 * 2 * second, classes), (classes,)]
    return [(torch.randn(shape) * 0.4).requires_grad_() for shape in shapes]


def passed(weights, x):
    k1, b1, k2, b2, k3, b3 = weights
    one = F.relu(F.conv2d(x.permute(0, 3, 1, 2), k1.permute(3, 2, 0, 1), b1, padding=1))
    two = F.relu(F.conv2d(F.max_pool2d(one, 2), k2.permute(3, 2, 0, 1), b2, padding=1))
    features = two.permute(0, 2, 3, 1).flatten(1)
    return one, two, features, features @ k3 + b3


x = torch.randn(rows, 4, 4, 2)
y = torch.tensor([0, 2, 1, 1, 0])
student, teacher = network(3, 2), network(4, 3)
to = (torch.randn(8, 12) * 0.3).requires_grad_()
with torch.no_grad():
    t1, t2, wanted, said = passed(teacher, x)


def logits(own, temperature=3.0, share=0.7):
    soft = F.cross_entropy(own[3] / temperature, F.softmax(said / temperature, 1))
    return (1 - share) * F.cross_entropy(own[3], y) + share * temperature**2 * soft


def distances(of):
    d = torch.cdist(of, of, compute_mode="donot_use_mm_for_euclid_dist")
    return d / d[~torch.eye(rows, dtype=torch.bool)].mean()


def relations(own):
    off = ~torch.eye(rows, dtype=torch.bool)
    return F.smooth_l1_loss(distances(own[2])[off], distances(wanted)[off], reduction="sum") / rows**2


def maps(of):
    return F.normalize(of.pow(2).mean(1).flatten(1))


def attention(own):
    return sum(F.mse_loss(maps(a), maps(b)) for a, b in zip(own[:2], (t1, t2)))


losses = {
    "logits": logits,
    "mse": lambda own: F.mse_loss(own[2] @ to, wanted),
    "cosine": lambda own: (1 - F.cosine_similarity(own[2] @ to, wanted)).mean(),
    "relations": relations,
    "attention": attention,
}


def numbers(tensor):
    return [float(f"{v:.7g}") for v in tensor.detach().flatten().tolist()]


out = {"x": numbers(x), "y": y.tolist(), "map": numbers(to)}
out["student"], out["teacher"] = [numbers(t) for t in student], [numbers(t) for t in teacher]
out["losses"] = {}
for name, loss in losses.items():
    value = loss(passed(student, x))
    slopes = torch.autograd.grad(value, student[:4], retain_graph=False)
    out["losses"][name] = {"value": value.item(), "slopes": [numbers(s) for s in slopes]}

area = torch.randn(1, 2, 3, 4)  # [1, depth, rows, columns]
boxes = [[-0.5, -0.5, 3.5, 2.5], [0.3, 0.1, 2.9, 1.4], [1.2, 0.7, 1.5, 0.9], [-0.5, 1.0, 0.4, 2.5]]
regions = roi_align(area, [torch.tensor(boxes)], output_size=(1, 1)).flatten(1)
image = torch.randn(1, 1, 4, 6)
parts = [[0, 0, 4, 6], [1, 2, 2, 3], [0, 5, 4, 1], [3, 0, 1, 5]]  # top, left, height, width
seen = [F.interpolate(image[:, :, t : t + h, l : l + w], (4, 6), mode="bilinear") for t, l, h, w in parts]
out["regions"] = {
    "map": numbers(area.permute(0, 2, 3, 1)),
    "boxes": boxes,
    "pooled": [numbers(r) for r in regions],
    "image": numbers(image),
    "parts": parts,
    "seen": [numbers(s) for s in seen],
}
print(json.dumps(out))
