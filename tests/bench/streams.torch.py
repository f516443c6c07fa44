"""The batches of streams.bench.ts in PyTorch: reads "case rounds" lines, answers with microseconds per batch of 128."""
import sys
import time

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
torch.manual_seed(0)
COUNT, SIZE, BATCH = 60_000, 784, 128
raw = torch.randint(0, 256, (COUNT, SIZE), dtype=torch.uint8)
single = raw.float() / 255
labels = torch.randint(0, 10, (COUNT,))
loader = DataLoader(TensorDataset(single, labels), batch_size=BATCH, shuffle=True)
order = torch.randperm(COUNT)
permutation = torch.randperm(SIZE)
angle = torch.tensor(0.7)
turn = torch.stack([torch.stack([angle.cos(), -angle.sin(), angle * 0]), torch.stack([angle.sin(), angle.cos(), angle * 0])])


def batches(make):
    def run(rounds):
        for i in range(rounds):
            start = (i * BATCH) % (COUNT - BATCH)
            make(order[start:start + BATCH])
    return run


def rotate(at):
    x = raw[at].view(-1, 1, 28, 28).float() / 255
    grid = F.affine_grid(turn.expand(BATCH, 2, 3), x.shape, align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def load(rounds):
    done = 0
    while done < rounds:
        for _ in loader:
            done += 1
            if done >= rounds:
                break


cases = {
    "gather bytes": batches(lambda at: raw[at].float() / 255),
    "gather floats": batches(lambda at: single[at]),
    "data loader": load,
    "permute": batches(lambda at: raw[at][:, permutation].float() / 255),
    "rotate": batches(rotate),
}

for line in sys.stdin:
    name, rounds = line.rsplit(" ", 1)
    begun = time.perf_counter()
    cases[name](int(rounds))
    print(1e6 * (time.perf_counter() - begun) / int(rounds), flush=True)
