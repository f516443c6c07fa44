"""Writes peft.json: what LoRA of peft comes to on a small network of a convolution and two linear layers, trained by gradient descent.

python with-peft.py > peft.json, with torch 2.15 and peft 0.21.
"""
import json

import torch
from peft import LoraConfig, get_peft_model

torch.manual_seed(0)


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 3, 3, padding=1)
        self.first = torch.nn.Linear(48, 5)
        self.head = torch.nn.Linear(5, 3)

    def forward(self, x):
        h = torch.relu(self.conv(x))
        h = h.permute(0, 2, 3, 1).reshape(len(x), -1)  # as images lie here: height, width, channels
        return self.head(torch.relu(self.first(h)))


def numbers(tensor):
    return [float(v) for v in tensor.detach().reshape(-1)]


def kernels(state, prefix):
    return numbers(state[prefix].permute(2, 3, 1, 0) if state[prefix].dim() == 4 else state[prefix].T)


small = Small()
given = {name: numbers(t) for name, t in (("convBias", small.conv.bias), ("firstBias", small.first.bias), ("headBias", small.head.bias))}
given |= {
    "conv": numbers(small.conv.weight.permute(2, 3, 1, 0)),
    "first": numbers(small.first.weight.T),
    "head": numbers(small.head.weight.T),
}
model = get_peft_model(small, LoraConfig(r=2, lora_alpha=4, target_modules=["conv", "first"], modules_to_save=["head"]))
state = dict(model.named_parameters())
a = {name: "base_model.model.%s.lora_A.default.weight" % name for name in ("conv", "first")}
b = {name: "base_model.model.%s.lora_B.default.weight" % name for name in ("conv", "first")}
begun = {"%sDown" % name: kernels(state, a[name]) for name in a}

x = torch.randn(6, 1, 4, 4)
y = torch.tensor([0, 1, 2, 0, 1, 2])
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.SGD(trained, lr=0.5)
losses = []
for _ in range(5):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    losses.append(float(loss))
state = dict(model.named_parameters())
ended = {"%sDown" % name: kernels(state, a[name]) for name in a} | {
    "convUp": numbers(state[b["conv"]][:, :, 0, 0].T),
    "firstUp": kernels(state, b["first"]),
}
logits = numbers(model(x))
plain = numbers(model.merge_and_unload()(x))
print(json.dumps({"weights": given, "begun": begun, "x": numbers(x.permute(0, 2, 3, 1)), "y": y.tolist(), "losses": losses, "ended": ended, "logits": logits, "merged": plain}))
