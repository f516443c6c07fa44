"""Methods of peers.test.ts that Avalanche has not, or not as their papers have them, written by hand in PyTorch: python with-torch.py.

Data, network and start as in with-avalanche.py; one pass, batches of 10 rows in their order, plain descent at 0.1. The memory has room for
every example and is drawn whole, so that nothing is random.
"""
import copy, json, os
import torch
import torch.nn.functional as F
from shared import Network, packed, rows

LR = 0.1


class Run:
    def __init__(self):
        torch.manual_seed(0)
        self.net = Network()
        self.x, self.y, self.z = torch.zeros(0, 64), torch.zeros(0, dtype=torch.long), torch.zeros(0, 6)

    def remember(self, x, y, z):
        self.x, self.y, self.z = torch.cat([self.x, x]), torch.cat([self.y, y]), torch.cat([self.z, z])

    def descend(self, loss):
        grads = torch.autograd.grad(loss, list(self.net.parameters()))
        with torch.no_grad():
            for p, g in zip(self.net.parameters(), grads):
                p -= LR * g


def online(step, before=None):
    """A method that takes a step for every batch, then remembers the batch with the logits it had before the step."""
    run = Run()
    for classes in [(0, 1), (2, 3), (4, 5)]:
        if before:
            before(run)
        x, y = rows(classes)
        for at in range(0, len(x), 10):
            bx, by = x[at : at + 10], y[at : at + 10]
            z = run.net(bx).detach()
            step(run, bx, by)
            run.remember(bx, by, z)
    return packed(run.net)


def replay(run, x, y):
    run.descend(F.cross_entropy(run.net(torch.cat([x, run.x])), torch.cat([y, run.y])))


def dark(alpha, beta):
    def step(run, x, y):
        loss = F.cross_entropy(run.net(x), y)
        if len(run.x):
            said = run.net(run.x)
            loss = loss + alpha * F.mse_loss(said, run.z) + (beta * F.cross_entropy(said, run.y) if beta else 0)
        run.descend(loss)

    return step


def asymmetric(run, x, y):
    shut = torch.ones(6, dtype=torch.bool)
    shut[y] = False
    loss = F.cross_entropy(run.net(x).masked_fill(shut, -1e9), y)
    run.descend(loss + F.cross_entropy(run.net(run.x), run.y) if len(run.x) else loss)


def interfered(count):
    def step(run, x, y):
        if len(run.x) == 0:
            return run.descend(F.cross_entropy(run.net(x), y))
        trial = Run()
        trial.net.load_state_dict(run.net.state_dict())
        trial.descend(F.cross_entropy(trial.net(x), y))
        with torch.no_grad():
            rise = F.cross_entropy(trial.net(run.x), run.y, reduction="none") - F.cross_entropy(run.net(run.x), run.y, reduction="none")
        chosen = torch.topk(rise, min(count, len(rise))).indices
        run.descend(F.cross_entropy(run.net(torch.cat([x, run.x[chosen]])), torch.cat([y, run.y[chosen]])))

    return step


def reptile(draws, beta, gamma):
    def step(run, x, y):
        start = copy.deepcopy(run.net.state_dict())
        for _ in range(draws):
            here = copy.deepcopy(run.net.state_dict())
            for some in ([(run.x, run.y)] if len(run.x) else []) + [(x, y)]:
                run.descend(F.cross_entropy(run.net(some[0]), some[1]))
            run.net.load_state_dict({k: here[k] + beta * (v - here[k]) for k, v in run.net.state_dict().items()})
        run.net.load_state_dict({k: start[k] + gamma * (v - start[k]) for k, v in run.net.state_dict().items()})

    return step


def anchored(strength):
    """To the weights at the end of the last experience."""
    state = {"experience": 0, "anchor": None}

    def before(run):
        if state["experience"] > 0:
            state["anchor"] = copy.deepcopy(run.net)
        state["experience"] += 1

    def step(run, x, y):
        loss = F.cross_entropy(run.net(x), y)
        if state["anchor"] is not None:
            pairs = zip(run.net.parameters(), state["anchor"].parameters())
            loss = loss + strength * sum(((p - q.detach()) ** 2).sum() for p, q in pairs)
        run.descend(loss)

    return step, before


def distances(alpha):
    """FDR: the memory is filled when an experience ends."""
    run = Run()
    for classes in [(0, 1), (2, 3), (4, 5)]:
        x, y = rows(classes)
        for at in range(0, len(x), 10):
            loss = F.cross_entropy(run.net(x[at : at + 10]), y[at : at + 10])
            if len(run.x):
                apart = F.softmax(run.net(run.x), 1) - F.softmax(run.z, 1)
                loss = loss + alpha * ((apart**2).sum(1) + 1e-12).sqrt().mean()
            run.descend(loss)
        run.remember(x, y, run.net(x).detach())
    return packed(run.net)


out = {
    "replay": online(replay),
    "der": online(dark(0.5, 0)),
    "derpp": online(dark(0.5, 0.7)),
    "erAce": online(asymmetric),
    "mir": online(interfered(10)),
    "mer": online(reptile(2, 0.5, 0.6)),
    "l2Anchor": online(*anchored(1.0)),
    "fdr": distances(0.8),
}
file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch.json")
json.dump({"made with": f"torch {torch.__version__}", "end": out}, open(file, "w"), indent=1)
