"""Writes experts.json: what the mixtures of experts of transformers come to with numbers of shared.py, and the losses of their routers.

python with-experts.py, with torch 2.15 and transformers 5.24. Sums are those of shared.py: a product with other numbers, and a length.
"""
import json, os
import torch
from transformers import MixtralConfig, SwitchTransformersConfig
from transformers.models.mixtral import modeling_mixtral as mixtral
from transformers.models.switch_transformers import modeling_switch_transformers as switch
from shared import numbers


def listed(tensor):
    return [round(float(v), 7) for v in tensor.detach().flatten()]


def summed(i, tensor):
    g = tensor.detach().double()
    return [round(float((g * numbers(3000 + i, list(g.shape)).double()).sum()), 7), round(float(g.norm()), 7)]


d, inner, experts, length = 8, 12, 4, 10
kernels = {name: numbers(i, shape, 0, 1) for i, (name, shape) in enumerate({
    "router": [d, experts], "gate": [experts, d, inner], "up": [experts, d, inner], "down": [experts, inner, d], "x": [1, length, d]}.items())}
x = kernels["x"] * 2
weigh = numbers(2000, [1, length, d])
found = {"sizes": {"width": d, "inner": inner, "experts": experts, "length": length}}

block = mixtral.MixtralSparseMoeBlock(MixtralConfig(hidden_size=d, intermediate_size=inner, num_local_experts=experts, num_experts_per_tok=2))
with torch.no_grad():
    block.gate.weight.copy_(kernels["router"].T)
    block.experts.gate_up_proj.copy_(torch.cat([kernels["gate"].transpose(1, 2), kernels["up"].transpose(1, 2)], 1))
    block.experts.down_proj.copy_(kernels["down"].transpose(1, 2))
given = x.clone().requires_grad_()
y = block(given)
(y * weigh).sum().backward()
gates, ups = block.experts.gate_up_proj.grad.chunk(2, 1)
found["mixtral"] = {
    "y": listed(y),
    "gradients": {"router": summed(0, block.gate.weight.grad.T), "gate": summed(1, gates.transpose(1, 2)), "up": summed(2, ups.transpose(1, 2)),
                  "down": summed(3, block.experts.down_proj.grad.transpose(1, 2)), "x": summed(4, given.grad)},
}
router = kernels["router"].clone().requires_grad_()
loss = mixtral.load_balancing_loss_func((x.reshape(-1, d) @ router,), experts, 2)
loss.backward()
found["mixtral"]["balance"] = [round(float(loss), 7), *summed(0, router.grad)]

# the capacity of 3 drops some of the 10 places
config = SwitchTransformersConfig(d_model=d, d_ff=inner, num_experts=experts, expert_capacity=3, dropout_rate=0.0, router_jitter_noise=0.0)
sparse = switch.SwitchTransformersSparseMLP(config)
with torch.no_grad():
    sparse.router.classifier.weight.copy_(kernels["router"].T)
    for e in range(experts):
        sparse.experts[f"expert_{e}"].wi.weight.copy_(kernels["up"][e].T)
        sparse.experts[f"expert_{e}"].wo.weight.copy_(kernels["down"][e].T)
given = x.clone().requires_grad_()
y = sparse(given)
(y * weigh).sum().backward()
chosen, _, logits = sparse.router(x)
found["switch"] = {
    "y": listed(y),
    "gradients": {"router": summed(0, sparse.router.classifier.weight.grad.T), "x": summed(4, given.grad)},
    "z": round(float(switch.router_z_loss_func(logits)), 7),
    "balance": round(float(switch.load_balancing_loss_func(logits.softmax(-1), logits.argmax(-1))), 7),
}
json.dump(found, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "experts.json"), "w"))
