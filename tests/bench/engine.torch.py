"""The models of engine.bench.ts in PyTorch: reads "case runs" lines, answers with milliseconds per training step."""
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


def mlp(sizes):
    layers = []
    for i in range(1, len(sizes)):
        layers.append(nn.Linear(sizes[i - 1], sizes[i]))
        if i < len(sizes) - 1:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(7 * 7 * 64, 128), nn.ReLU(), nn.Linear(128, 10),
    )


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.c2, self.b2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        same = stride == 1 and before == after
        self.s = nn.Sequential() if same else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        return F.relu(self.b2(self.c2(F.relu(self.b1(self.c1(x))))) + self.s(x))


class ResNet18(nn.Module):
    def __init__(self, filters=20):
        super().__init__()
        self.c, self.b = nn.Conv2d(3, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters)
        blocks, before = [], filters
        for times, stride in ((1, 1), (2, 2), (4, 2), (8, 2)):
            for first in (True, False):
                blocks.append(Block(before, filters * times, stride if first else 1))
                before = filters * times
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(before, 10)

    def forward(self, x):
        return self.head(self.blocks(F.relu(self.b(self.c(x)))).mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.qkv, self.out = nn.LayerNorm(d), nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d)
        self.n2, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.n1(x)).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d))
        return x + self.down(F.gelu(self.up(self.n2(x)), approximate="tanh"))


class ViT(nn.Module):
    def __init__(self, d=64, heads=4, depth=4, tokens=64, patch=48):
        super().__init__()
        self.embed, self.place = nn.Linear(patch, d), nn.Parameter(torch.zeros(1, tokens, d))
        self.blocks, self.norm, self.head = nn.Sequential(*[Attention(d, heads) for _ in range(depth)]), nn.LayerNorm(d), nn.Linear(d, 10)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.embed(x) + self.place)).mean(1))


# Model, input, threads: PyTorch is given the number of threads that is fastest for it.
cases = {
    "mlp 784-100-100-10, batch 10": (lambda: mlp([784, 100, 100, 10]), (10, 784), 1),
    "mlp 784-400-400-10, batch 128": (lambda: mlp([784, 400, 400, 10]), (128, 784), 2),
    "cnn, batch 10": (cnn, (10, 1, 28, 28), 2),
    "cnn, batch 64": (cnn, (64, 1, 28, 28), 2),
    "resnet18 of 20 filters, batch 10": (ResNet18, (10, 3, 32, 32), 2),
    "resnet18 of 20 filters, batch 64": (ResNet18, (64, 3, 32, 32), 2),
    "vit d64, batch 10": (ViT, (10, 64, 48), 2),
}
made = {}


def step_of(name):
    if name not in made:
        build, shape, threads = cases[name]
        model = build()
        x, y = torch.rand(*shape), torch.randint(0, 10, (shape[0],))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.item()

        made[name] = (step, threads)
    return made[name]


wall = os.environ.get("THALWEG_BENCH_WALL") == "1"
now = time.perf_counter if wall else time.process_time
print(torch.__version__, flush=True)
for line in sys.stdin:
    name, runs = line.rstrip("\n").rsplit(" ", 1)
    step, threads = step_of(name)
    torch.set_num_threads(threads if wall else 1)
    step()
    start = now()
    for _ in range(int(runs)):
        step()
    print((now() - start) / int(runs) * 1e3, flush=True)
