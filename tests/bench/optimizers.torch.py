"""The optimizers of optimizers.bench.ts in PyTorch (foreach where there is one): reads "case optimizer runs" lines, answers with milliseconds of
processor time per training step, or a dash where there is none."""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

try:
    import pytorch_optimizer as more
except ImportError:
    more = None
sys.path.insert(0, sys.path[0])
torch.manual_seed(0)
torch.set_num_threads(1)


def mlp():
    return nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 10))


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.n1(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d))
        return x + self.down(F.gelu(self.up(self.n2(x)), approximate="tanh"))


class ViT(nn.Module):
    def __init__(self, d=64, heads=4, depth=4, tokens=64, patch=48):
        super().__init__()
        self.embed, self.place = nn.Linear(patch, d), nn.Parameter(torch.zeros(1, tokens, d))
        self.blocks = nn.Sequential(*[Attention(d, heads) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, 10)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.embed(x) + self.place)).mean(1))


cases = {"mlp": (mlp, (64, 784)), "vit": (ViT, (10, 64, 48))}
o = torch.optim
makers = {
    "sgd": lambda p: o.SGD(p, lr=1e-3, momentum=0.9, foreach=True),
    "adam": lambda p: o.Adam(p, lr=1e-3, foreach=True),
    "adamw": lambda p: o.AdamW(p, lr=1e-3, foreach=True),
    "nadam": lambda p: o.NAdam(p, lr=1e-3, foreach=True),
    "radam": lambda p: o.RAdam(p, lr=1e-3, foreach=True),
    "rmsprop": lambda p: o.RMSprop(p, lr=1e-3, foreach=True),
    "adagrad": lambda p: o.Adagrad(p, lr=1e-3, foreach=True),
    "adadelta": lambda p: o.Adadelta(p, lr=1e-3, foreach=True),
    "adamax": lambda p: o.Adamax(p, lr=1e-3, foreach=True),
    "adafactor": lambda p: o.Adafactor(p, lr=1e-3, foreach=True),
}
if more is not None:
    makers |= {
        "lion": lambda p: more.Lion(p, lr=1e-4),
        "lamb": lambda p: more.Lamb(p, lr=1e-3),
        "lars": lambda p: more.LARS(p, lr=1e-3),
        "scheduleFreeSgd": lambda p: more.ScheduleFreeSGD(p, lr=1e-3),
        "scheduleFreeAdam": lambda p: more.ScheduleFreeAdamW(p, lr=1e-3),
        "stableSpam": lambda p: more.StableSPAM(p, lr=1e-3),
        "soap": lambda p: more.SOAP(p, lr=1e-3, precondition_frequency=10),
        "galore": lambda p: more.GaLore([{"params": p, "rank": 8, "update_proj_gap": 200, "scale": 0.25, "projection_type": "std"}], lr=1e-3),
    }
made = {}


def step_of(case, name):
    build, shape = cases[case]
    model = build()
    x, y = torch.rand(*shape), torch.randint(0, 10, (shape[0],))
    optimizer = makers[name](list(model.parameters()))

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    for _ in range(3):
        step()
    return step


print(torch.__version__, flush=True)
for line in sys.stdin:
    case, name, runs = line.split()
    if name not in makers:
        print("-", flush=True)
        continue
    if (case, name) not in made:
        made[case, name] = step_of(case, name)
    start = time.process_time()
    for _ in range(int(runs)):
        made[case, name]()
    print((time.process_time() - start) / int(runs) * 1e3, flush=True)
