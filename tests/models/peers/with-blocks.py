"""What a block-recurrent transformer comes to in PyTorch, with numbers of shared.py: python with-blocks.py writes blocks.json.

Written from Hutchins et al. 2022 (arXiv:2203.07852), section 3: tokens in blocks that see a window and the states, and states behind a gate.
"""
import torch
from torch import nn
from torch.nn import functional as F
from shared import descend, filled, numbers, outcome, written

WIDTH, HEADS, PLACES, BLOCK, STATES = 8, 2, 7, 3, 2


def split(x):
    return x.unflatten(-1, (HEADS, WIDTH // HEADS)).transpose(1, 2)


def attend(q, k, v, hidden=None):
    scores = split(q) @ split(k).transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
    if hidden is not None:
        scores = scores.masked_fill(hidden, float("-inf"))
    return (scores.softmax(-1) @ split(v)).transpose(1, 2).flatten(2)


class BlockRecurrent(nn.Module):
    def __init__(self, gate):
        super().__init__()
        self.gate = gate
        for name in ("before", "ofStates", "between"):
            setattr(self, name, nn.LayerNorm(WIDTH))
        for name in ("key", "value", "stateKey", "stateValue", "query", "stateQuery", "fromStates", "fromTokens"):
            setattr(self, name, nn.Linear(WIDTH, WIDTH))
        for name in ("out", "change", *(("enter", "stay") if gate == "lstm" else ())):
            setattr(self, name, nn.Linear(2 * WIDTH, WIDTH))
        if gate == "fixed":
            self.keep = nn.Parameter(torch.zeros(WIDTH))
        self.begin, self.names = nn.Parameter(torch.zeros(STATES, WIDTH)), nn.Parameter(torch.zeros(STATES, WIDTH))
        self.up, self.down, self.fc = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, x):
        state, out = self.begin.expand(x.shape[0], -1, -1), []
        whole = self.before(x)
        for start in range(0, PLACES, BLOCK):
            end, first = min(start + BLOCK, PLACES), max(0, start - BLOCK)
            own, window = whole[:, start:end], whole[:, first:end]
            at, other = torch.arange(start, end)[:, None], torch.arange(first, end)[None]
            hidden = (other > at) | (at - other >= BLOCK)
            known = self.ofStates(state + self.names)
            seen = attend(self.query(own), self.key(window), self.value(window), hidden)
            recalled = attend(self.fromStates(own), self.stateKey(known), self.stateValue(known))
            between = x[:, start:end] + self.out(torch.cat([seen, recalled], -1))
            out.append(between + self.down(F.gelu(self.up(self.between(between)), approximate="tanh")))
            kept = attend(self.stateQuery(known), self.stateKey(known), self.stateValue(known))
            read = attend(self.fromTokens(known), self.key(own), self.value(own))
            both = torch.cat([kept, read], -1)
            if self.gate == "fixed":
                stay = torch.sigmoid(self.keep)
                state = stay * state + (1 - stay) * self.change(both)
            else:
                state = torch.sigmoid(self.stay(both) + 1) * state + torch.sigmoid(self.enter(both) - 1) * torch.tanh(self.change(both))
        return self.fc(torch.cat(out, 1))


def of(model):
    own = dict(model.named_parameters())
    tensors, told = filled({name: list(t.shape) for name, t in sorted(own.items())})
    with torch.no_grad():
        for name, t in tensors.items():
            own[name].copy_(t)
    x = numbers(1000, [2, PLACES, WIDTH], 0.0, 2.0).requires_grad_()
    logits = model(x)
    descend(logits)
    # what the last states would have got does not come to a loss
    return outcome(told, logits, {name: p.grad for name, p in own.items() if p.grad is not None}, x)


written("blocks.json", {"blockRecurrent": of(BlockRecurrent("fixed")), "blockRecurrentLstm": of(BlockRecurrent("lstm"))})
