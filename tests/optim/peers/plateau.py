"""Learning rates of PyTorch's ReduceLROnPlateau on recorded losses: python plateau.py > plateau.json."""
import json
import random

import torch

random.seed(3)
losses = [2 * 0.9**i + 0.4 * random.random() for i in range(60)]
settings = [
    {"factor": 0.5, "patience": 2, "threshold": 1e-4, "threshold_mode": "rel", "cooldown": 0, "min_lr": 0.0},
    {"factor": 0.1, "patience": 0, "threshold": 0.05, "threshold_mode": "rel", "cooldown": 3, "min_lr": 1e-3},
    {"factor": 0.7, "patience": 1, "threshold": 0.1, "threshold_mode": "abs", "cooldown": 1, "min_lr": 0.2},
]
runs = []
for options in settings:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    rates = []
    for loss in losses:
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(loss)
    runs.append({"options": options, "rates": rates})
print(json.dumps({"torch": torch.__version__, "losses": losses, "runs": runs}))
