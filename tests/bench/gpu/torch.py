"""Training steps in PyTorch on the card: eager, and compiled with CUDA graphs. Prints a JSON line for each model of engine.torch.py that is named."""
import json
import sys
import time

import torch

# The models only: the rest of that program answers over a pipe.
exec(open(sys.path[0] + "/engine.torch.py").read().split("# Model, input, threads")[0])

torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
device = sys.argv[1]
limit = time.time() + float(sys.argv[2])
models = {
    "mlp 784-400-400-10, batch 10": (lambda: mlp([784, 400, 400, 10]), (10, 784)),
    "mlp 784-400-400-10, batch 256": (lambda: mlp([784, 400, 400, 10]), (256, 784)),
    "cnn, batch 64": (cnn, (64, 1, 28, 28)),
    "resnet18 of 20 filters, batch 256": (ResNet18, (256, 3, 32, 32)),
    "vit d64, batch 256": (ViT, (256, 64, 48)),
}


def wait():
    if device == "cuda":
        torch.cuda.synchronize()


def measured(step):
    for _ in range(5):
        step()
    wait()
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(20):
            step()
        wait()
        best = min(best, (time.perf_counter() - start) / 20 * 1e3)
    return best


for name, (build, shape) in models.items():
    row = {"model": name, "torch": torch.__version__}
    for way in ("eager", "compiled"):
        if time.time() > limit:
            row[way] = "no time left"
            continue
        model = build().to(device)
        x, y = torch.rand(*shape, device=device), torch.randint(0, 10, (shape[0],), device=device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def forward():
            return F.cross_entropy(model(x), y)

        loss_of = torch.compile(forward, mode="reduce-overhead") if way == "compiled" else forward

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss_of().backward()
            optimizer.step()

        try:
            row[way] = measured(step)
        except Exception as error:
            row[way] = str(error).split("\n")[0]
    print(json.dumps(row), flush=True)
