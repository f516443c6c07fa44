"""Learning rates of PyTorch's schedulers at every step: python schedules.py > schedules.json."""
import json

import torch
from torch.optim import lr_scheduler as s


def rates(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


print(
    json.dumps(
        {
            "torch": torch.__version__,
            "oneCycle": rates(lambda o: s.OneCycleLR(o, max_lr=1.0, total_steps=40), 40),
            "oneCycleEarly": rates(
                lambda o: s.OneCycleLR(o, max_lr=1.0, total_steps=37, pct_start=0.2, div_factor=10, final_div_factor=100),
                37,
            ),
            "cosineRestarts": rates(lambda o: s.CosineAnnealingWarmRestarts(o, T_0=5, T_mult=2, eta_min=0.1), 40),
            "exponential": rates(lambda o: s.ExponentialLR(o, gamma=0.9), 20),
            "stepped": rates(lambda o: s.MultiStepLR(o, milestones=[10, 15], gamma=0.1), 20),
            "warmup": rates(lambda o: s.LinearLR(o, start_factor=0.1, total_iters=9), 15),
        }
    )
)
