"""What blocks of transformers that read earlier layers come to in PyTorch, with numbers of shared.py: python with-depth.py writes depth.json.

Written from the equations of LIMe (arXiv:2502.09245, section 3) and MUDDFormer (arXiv:2502.12170, equations 3 to 7).
"""
import torch
from torch import nn
from torch.nn import functional as F
from shared import descend, filled, numbers, outcome, written

WIDTH, HEADS, KV, PLACES = 8, 4, 2, 5
D = WIDTH // HEADS


def causal(q, k, v):
    """[n, places, heads, d] each; as many heads of queries share those of keys, one after the other."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, 1) for x in (k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


class Block(nn.Module):
    def __init__(self, apart, extra):
        super().__init__()
        self.before = nn.ModuleDict({s: nn.LayerNorm(WIDTH) for s in ("query", "key", "value")}) if apart else nn.LayerNorm(WIDTH)
        self.query, self.key, self.value = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, KV * D), nn.Linear(WIDTH, KV * D)
        self.out, self.between, self.up, self.down = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        extra(self)

    def forward(self, q, k, v, passing, remade=lambda k, v: (k, v)):
        n = q.shape[0]
        norms = self.before.values() if isinstance(self.before, nn.ModuleDict) else [self.before] * 3
        q, k, v = (norm(x) for norm, x in zip(norms, (q, k, v)))
        k, v = remade(self.key(k).view(n, PLACES, KV, D), self.value(v).view(n, PLACES, KV, D))
        seen = causal(self.query(q).view(n, PLACES, HEADS, D), k, v).reshape(n, PLACES, WIDTH)
        x = passing + self.out(seen)
        return x + self.down(F.gelu(self.up(self.between(x)), approximate="tanh"))


class Lime(nn.Module):
    def __init__(self, depth):
        super().__init__()
        mixture = lambda i: lambda b: b.register_parameter("mixture", nn.Parameter(torch.zeros((i + 1) * KV, KV))) if i else None
        self.blocks = nn.ModuleList(Block(False, mixture(i)) for i in range(depth))
        self.fc = nn.Linear(WIDTH, 3)

    def forward(self, x):
        buffer = []
        for i, block in enumerate(self.blocks):
            def remade(k, v):
                buffer.append(torch.cat([k, v], -1))
                if i == 0:
                    return k, v
                mixed = torch.einsum("ntgd,gh->nthd", torch.cat(buffer, 2), block.mixture)
                return mixed[..., :D], mixed[..., D:]
            x = block(x, x, x, x, remade)
        return self.fc(x)


class Mudd(nn.Module):
    def __init__(self, depth):
        super().__init__()
        def dense(ways, count):
            def add(module):
                module.rise, module.fall = nn.Linear(WIDTH, ways * count, bias=False), nn.Linear(ways * count, ways * count)
            return add
        self.blocks = nn.ModuleList(Block(i > 0, dense(4, i + 1) if i else lambda b: None) for i in range(depth))
        self.end = nn.Module()
        dense(1, depth + 1)(self.end)
        self.fc = nn.Linear(WIDTH, 3)

    def forward(self, x):
        seen = [x]
        def mean(module, ways):
            rms = seen[-1] * torch.rsqrt(seen[-1].pow(2).mean(-1, keepdim=True) + 1e-6)
            shares = module.fall(F.gelu(module.rise(rms))).unflatten(-1, (ways, len(seen)))
            return torch.einsum("ntcl,lntd->cntd", shares, torch.stack(seen))
        for i, block in enumerate(self.blocks):
            seen.append(block(*(mean(block, 4) if i else (seen[-1],) * 4)))
        return self.fc(mean(self.end, 1)[0])


def of(model):
    own = dict(model.named_parameters())
    tensors, told = filled({name: list(t.shape) for name, t in sorted(own.items())})
    with torch.no_grad():
        for name, t in tensors.items():
            own[name].copy_(t)
    x = numbers(1000, [2, PLACES, WIDTH], 0.0, 2.0).requires_grad_()
    logits = model(x)
    descend(logits)
    return outcome(told, logits, {name: p.grad for name, p in own.items()}, x)


written("depth.json", {"lime": of(Lime(3)), "mudd": of(Mudd(3))})
