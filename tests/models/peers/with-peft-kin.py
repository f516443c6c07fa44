"""Writes peft-kin.json: what the kin of LoRA in peft come to on a small network of two linear layers and a normalisation, with adapters'
tensors drawn: logits, loss, and the gradient of each adapter's tensors; and what prompts and prefixes come to on a small GPT-2.

python with-peft-kin.py > peft-kin.json, with torch 2.15, transformers 5.24 and peft 0.21. Kernels lie as ours do: a row for each input.
"""
import json

import peft
import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)


def numbers(tensor):
    return [round(float(v), 7) for v in tensor.detach().reshape(-1)]


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(12, 20)
        self.norm = torch.nn.LayerNorm(20, eps=1e-5)
        self.second = torch.nn.Linear(20, 8)
        self.head = torch.nn.Linear(8, 3)

    def forward(self, x):
        h = torch.relu(self.norm(self.first(x)))
        return self.head(torch.relu(self.second(h)))


plain = Small()
state = plain.state_dict()
x = torch.randn(5, 12)
y = torch.tensor([0, 1, 2, 0, 1])
on = ["first", "second"]
flip = lambda t: t.T

# for each adapter: its configuration, and for each of our tensors peft's and how it is turned
kin = {
    "dora": (peft.LoraConfig(r=2, lora_alpha=4, use_dora=True, target_modules=on), {
        "down": ("lora_A.default.weight", flip), "up": ("lora_B.default.weight", flip), "length": ("lora_magnitude_vector.default.weight", None)}),
    "loha": (peft.LoHaConfig(r=2, alpha=4, target_modules=on), {
        "left1": ("hada_w1_b.default", flip), "right1": ("hada_w1_a.default", flip),
        "left2": ("hada_w2_b.default", flip), "right2": ("hada_w2_a.default", flip)}),
    "lokr": (peft.LoKrConfig(r=1, alpha=4, target_modules=on), {
        "small": ("lokr_w1.default", flip), "left": ("lokr_w2_b.default", flip), "right": ("lokr_w2_a.default", flip)}),
    "oft": (peft.OFTConfig(r=0, oft_block_size=4, target_modules=on), {"angles": ("oft_R.default.weight", None)}),
    "hra": (peft.HRAConfig(r=4, target_modules=on), {"planes": ("hra_u.default", flip)}),
    "fourier": (peft.FourierFTConfig(n_frequency=7, scaling=150, target_modules=on), {"spectrum": ("fourierft_spectrum.default", None)}),
    "vera": (peft.VeraConfig(r=6, target_modules=on), {"inner": ("vera_lambda_d.default", None), "outer": ("vera_lambda_b.default", None)}),
    "ia3": (peft.IA3Config(target_modules=on, feedforward_modules=[]), {"outputs": ("ia3_l.default", None)}),
    "normTuning": (peft.LNTuningConfig(target_modules=["norm"]), {"scaleChange": ("ln_tuning_layers.default.weight", None), "shiftChange": ("ln_tuning_layers.default.bias", None)}),
}
out = {"x": numbers(x), "y": y.tolist(), "kin": {}}
out["weights"] = {name: numbers(t.T if t.dim() == 2 else t) for name, t in state.items()}
for name, (config, tensors) in kin.items():
    small = Small()
    small.load_state_dict(state)
    model = peft.get_peft_model(small, config)
    params = dict(model.named_parameters())
    own = {}
    for path, p in params.items():
        if p.requires_grad:
            if name in ("dora", "ia3", "normTuning") and p.dim() == 1 or name == "ia3":
                p.data = p.data * (1 + 0.1 * torch.randn_like(p))
            else:
                p.data = 0.3 * torch.randn_like(p)
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    for layer in ["norm"] if name == "normTuning" else on:
        for ours, (theirs, turn) in tensors.items():
            path = "base_model.model.%s.%s" % (layer, theirs)
            if path not in params:
                continue
            turned = (lambda t: t) if turn is None else turn
            own["%s/%s" % (layer, ours)] = {"value": numbers(turned(params[path])), "grad": numbers(turned(params[path].grad))}
    if name == "fourier":
        for layer in on:
            places = getattr(model.base_model.model, layer).indices["default"]
            own["%s/places" % layer] = {"value": numbers(places.flip(0).T)}
    if name == "vera":
        buffers = {path.split(".")[-2]: t for path, t in model.named_buffers() if "vera_" in path}
        own["down"] = {"value": numbers(buffers["vera_A"].T)}
        own["up"] = {"value": numbers(buffers["vera_B"].T)}
    logits = numbers(model(x))
    trained = sum(p.numel() for p in params.values() if p.requires_grad)
    out["kin"][name] = {"own": own, "logits": logits, "loss": float(loss), "trained": trained}
    if name != "normTuning":
        merged = model.merge_and_unload()(x)
        assert torch.allclose(torch.tensor(logits), merged.reshape(-1), atol=1e-4), name

# places are not told apart, since peft's prompts take the first of them and ours take none
gpt = GPT2LMHeadModel(GPT2Config(vocab_size=11, n_positions=16, n_embd=8, n_layer=2, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))
gpt.transformer.wpe.weight.data.zero_()
for p in gpt.transformer.h.parameters():
    p.data += 0.2 * torch.randn_like(p)
gpt.eval()
tokens = torch.tensor([[1, 4, 2, 9, 0], [3, 3, 10, 7, 5]])
out["gpt"] = {"tokens": tokens.tolist(), "weights": {name: {"shape": list(p.shape), "data": numbers(p)} for name, p in gpt.transformer.named_parameters()}}
base = json.loads(json.dumps(out["gpt"]["weights"]))
for name, config in {
    "prompt": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    "prefix": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
}.items():
    model = peft.get_peft_model(gpt, config)
    model.eval()
    vectors = dict(model.named_parameters())["prompt_encoder.default.embedding.weight"]
    vectors.data = 0.7 * torch.randn_like(vectors)
    seen = {}
    hook = gpt.transformer.ln_f.register_forward_hook(lambda m, i, o: seen.update(features=o))
    model(input_ids=tokens)
    features = seen["features"][:, -tokens.shape[1]:]
    loss = (features * torch.linspace(-1, 1, features.numel()).reshape(features.shape)).sum()
    loss.backward()
    hook.remove()
    out[name] = {"vectors": numbers(vectors), "features": numbers(features), "grad": numbers(vectors.grad)}
    gpt.requires_grad_(True)
print(json.dumps(out))
