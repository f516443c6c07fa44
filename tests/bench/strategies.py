"""The five experiments of strategies.bench.ts in PyTorch, by hand and with Avalanche: python strategies.py <folder> <method> [avalanche|online]."""
import gzip, random, struct, sys, time
import torch
import torch.nn.functional as F

folder, method = sys.argv[1], sys.argv[2]
style = sys.argv[3] if len(sys.argv) > 3 else "plain"
torch.set_num_threads(2)
torch.manual_seed(0)
random.seed(0)


def read(name):
    raw = gzip.open(f"{folder}/{name}.gz").read()
    sizes = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
    return torch.frombuffer(bytearray(raw[4 + 4 * raw[3] :]), dtype=torch.uint8).reshape(sizes)


x, y = read("train-images-idx3-ubyte").reshape(-1, 784).float() / 255, read("train-labels-idx1-ubyte").long()
tasks = [torch.nonzero((y == 2 * t) | (y == 2 * t + 1)).flatten() for t in range(5)]
model = torch.nn.Sequential(
    torch.nn.Linear(784, 100), torch.nn.ReLU(), torch.nn.Linear(100, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10)
)
samples = sum(len(t) for t in tasks)


class Reservoir:
    def __init__(self, capacity):
        self.capacity, self.seen = capacity, 0
        self.x, self.y, self.z = torch.zeros(capacity, 784), torch.zeros(capacity, dtype=torch.long), torch.zeros(capacity, 10)

    def size(self):
        return min(self.seen, self.capacity)

    def add(self, xs, ys, zs=None):
        for i in range(len(xs)):
            at = self.seen if self.seen < self.capacity else random.randrange(self.seen + 1)
            self.seen += 1
            if at < self.capacity:
                self.x[at], self.y[at] = xs[i], ys[i]
                if zs is not None:
                    self.z[at] = zs[i]

    def draw(self, n):
        at = torch.randperm(self.size())[:n]
        return self.x[at], self.y[at], self.z[at]


def by_hand():
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    params = list(model.parameters())
    buffer, penalty, memory = Reservoir(500), [], []
    for rows in tasks:
        order = rows[torch.randperm(len(rows))]
        for start in range(0, len(order), 10):
            xs, ys = x[order[start : start + 10]], y[order[start : start + 10]]
            optimizer.zero_grad()
            if method == "replay":
                n = len(xs)
                bx, by, _ = buffer.draw(n)
                F.cross_entropy(model(torch.cat([xs, bx])), torch.cat([ys, by])).backward()
                buffer.add(xs, ys)
            elif method == "derpp":
                out = model(xs)
                loss = F.cross_entropy(out, ys)
                if buffer.size() > 0:
                    bx, _, bz = buffer.draw(10)
                    loss = loss + F.mse_loss(model(bx), bz)
                    bx, by, _ = buffer.draw(10)
                    loss = loss + 0.5 * F.cross_entropy(model(bx), by)
                loss.backward()
                buffer.add(xs, ys, out.detach())
            elif method == "agem":
                F.cross_entropy(model(xs), ys).backward()
                if memory:
                    g = torch.cat([p.grad.flatten() for p in params])
                    mx, my = torch.cat([m[0] for m in memory]), torch.cat([m[1] for m in memory])
                    at = torch.randperm(len(mx))[:128]
                    optimizer.zero_grad()
                    F.cross_entropy(model(mx[at]), my[at]).backward()
                    r = torch.cat([p.grad.flatten() for p in params])
                    dot = torch.dot(g, r)
                    if dot < 0:
                        g = g - dot / (torch.dot(r, r) + 1e-7) * r
                    start_at = 0
                    for p in params:
                        p.grad.copy_(g[start_at : start_at + p.numel()].view_as(p))
                        start_at += p.numel()
            else:
                loss = F.cross_entropy(model(xs), ys)
                for f, c in penalty:
                    loss = loss + 5 * sum((fi * (p - ci) ** 2).sum() for fi, p, ci in zip(f, params, c))
                loss.backward()
            optimizer.step()
        if method == "ewc":
            at = rows[torch.randperm(len(rows))[:200]]
            fisher = [torch.zeros_like(p) for p in params]
            for i in at:
                optimizer.zero_grad()
                F.cross_entropy(model(x[i : i + 1]), y[i : i + 1]).backward()
                for f, p in zip(fisher, params):
                    f += p.grad**2 / len(at)
            new = ([f for f in fisher], [p.detach().clone() for p in params])
            if penalty:  # one merged quadratic, as in the library
                f0, c0 = penalty[0]
                merged = [a + b for a, b in zip(f0, new[0])]
                centers = [(a * u + b * v) / (a + b).clamp(min=1e-30) for a, u, b, v in zip(f0, c0, new[0], new[1])]
                penalty[0] = (merged, centers)
            else:
                penalty.append(new)
        if method == "agem":
            at = rows[torch.randperm(len(rows))[:40]]
            memory.append((x[at], y[at]))


def with_avalanche():
    from avalanche.benchmarks import tensors_benchmark
    from avalanche.benchmarks.scenarios.online import split_online_stream
    from avalanche.training import Naive, Replay
    from avalanche.training.plugins import EvaluationPlugin

    short = 2000 if style == "online" else None
    data = [(x[t[:short]], y[t[:short]]) for t in tasks]
    bench = tensors_benchmark(train_tensors=data, test_tensors=data[:1], task_labels=[0] * 5, complete_test_set_only=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    common = dict(train_mb_size=10, train_epochs=1, evaluator=EvaluationPlugin())
    kind = Replay(model, optimizer, torch.nn.CrossEntropyLoss(), mem_size=500, **common) if method == "replay" else Naive(
        model, optimizer, torch.nn.CrossEntropyLoss(), **common
    )
    stream = bench.train_stream
    if style == "online":
        stream = split_online_stream(stream, experience_size=10)
    count = 0
    limit = 300 if style == "online" else 10**9
    started = time.perf_counter()
    for i, experience in enumerate(stream):
        if i >= limit:
            break
        kind.train(experience, num_workers=0)
        count += len(experience.dataset)
    return count / (time.perf_counter() - started)


if style == "plain":
    started = time.perf_counter()
    by_hand()
    print(samples / (time.perf_counter() - started))
else:
    print(with_avalanche())
