"""Writes ada-lora.json: what AdaLoRA in peft comes to on a small network of two linear layers and a head, step after step: its numbers, their
slopes, how far its factors are from orthogonal, and the singular values as its allocator leaves them.

The allocator's parts are called in the paper's order: scores before the step, masks after it. Kernels lie as ours do: a row for each input.

python ada-lora.py > ada-lora.json, with torch 2.15 and peft 0.21.
"""
import json
from types import SimpleNamespace

import peft
import torch

torch.manual_seed(0)
torch.set_num_threads(1)
steps, first, settle, every = 12, 2, 3, 2


def numbers(tensor):
    return [float("%.6g" % v) for v in tensor.detach().reshape(-1)]


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(4, 5)
        self.second = torch.nn.Linear(5, 3)
        self.head = torch.nn.Linear(3, 3)

    def forward(self, x, y):
        h = torch.relu(self.second(torch.relu(self.first(x))))
        logits = self.head(h)
        return SimpleNamespace(logits=logits, loss=torch.nn.functional.cross_entropy(logits, y))


plain = Small()
state = {name: numbers(t.T if t.dim() == 2 else t) for name, t in plain.state_dict().items()}
config = peft.AdaLoraConfig(init_r=3, target_r=1, lora_alpha=6, tinit=first, tfinal=settle, total_step=steps, deltaT=every, orth_reg_weight=0.1, target_modules=["first", "second"])
model = peft.get_peft_model(plain, config)
own = {name: p for name, p in model.named_parameters() if "lora_" in name}
for name, p in own.items():
    p.data = (0.5 if "lora_E" in name else 0.3) * torch.randn_like(p)
allocator = model.base_model.rankallocator
optimizer = torch.optim.SGD(own.values(), lr=0.3)


def terms(of):
    get = lambda layer, part: of(own["base_model.model.%s.lora_%s.default" % (layer, part)])
    return {layer: {"left": numbers(get(layer, "A").T), "values": numbers(get(layer, "E")), "right": numbers(get(layer, "B").T)} for layer in ("first", "second")}


x, y = torch.randn(6, 4), torch.tensor([0, 1, 2, 2, 1, 0])
out = {"x": numbers(x), "y": y.tolist(), "weights": state, "steps": []}
pattern = None
for t in range(1, steps + 1):
    optimizer.zero_grad()
    result = model.base_model(x, y)  # which adds the regulariser; the model around it does not
    result.loss.backward()
    before, slope = terms(lambda p: p), terms(lambda p: p.grad)
    if t == 1:
        out["loss"], out["logits"] = float(result.loss), numbers(result.logits)
    if t < steps - settle:
        allocator.update_ipt(model)
    optimizer.step()
    moved = terms(lambda p: p)
    budget, due = allocator.budget_schedule(t)
    if t < steps - settle and due:
        allocator.mask_to_budget(model, budget)
    elif t == steps - settle:
        pattern = allocator.mask_to_budget(model, budget)
    elif t > steps - settle:
        allocator.mask_using_rank_pattern(model, pattern)
    left = {layer: each["values"] for layer, each in terms(lambda p: p).items()}
    out["steps"].append({"before": before, "slope": slope, "moved": moved, "left": left})
print(json.dumps(out))
