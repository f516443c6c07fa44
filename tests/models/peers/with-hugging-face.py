"""Writes folders of Hugging Face models with random weights, and what they come to, for tests/runs/hugging-face.test.ts.

Run: python with-hugging-face.py (torch, transformers, safetensors, onnx).
"""
import json
import os

import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, ViTConfig, ViTForImageClassification, ViTModel

here = os.path.dirname(os.path.abspath(__file__))
found = {}


def listed(tensor):
    return [float(f"{v:.8g}") for v in tensor.detach().flatten().tolist()]


def saved(name, model):
    model.save_pretrained(f"{here}/{name}")
    for file in os.listdir(f"{here}/{name}"):
        if file not in ("config.json", "model.safetensors"):
            os.remove(f"{here}/{name}/{file}")
    config = json.load(open(f"{here}/{name}/config.json"))
    config.pop("transformers_version", None)
    json.dump(config, open(f"{here}/{name}/config.json", "w"), indent=2)


def stirred(model):
    """Biases and normalisations begin at 0 and 1; stirred, a mistake with them shows."""
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return model.eval()


torch.manual_seed(3)
vit = stirred(
    ViTForImageClassification(
        ViTConfig(
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=24,
            image_size=8,
            patch_size=4,
            num_channels=2,
            id2label={0: "ant", 1: "bee", 2: "cat"},
            label2id={"ant": 0, "bee": 1, "cat": 2},
        )
    )
)
x = torch.rand(3, 2, 8, 8)
found["vit"] = {"x": listed(x.permute(0, 2, 3, 1)), "logits": listed(vit(x).logits)}
saved("vit-tiny", vit)

bare = ViTModel(vit.config, add_pooling_layer=False).eval()
bare.load_state_dict(vit.vit.state_dict())
found["vitBare"] = {"features": listed(bare(x).last_hidden_state[:, 0])}
saved("vit-bare-tiny", bare)

gpt = stirred(GPT2LMHeadModel(GPT2Config(vocab_size=13, n_positions=8, n_embd=12, n_layer=2, n_head=3, bos_token_id=0, eos_token_id=0)))
tokens = torch.tensor([[1, 12, 0, 7, 4, 4, 9, 2], [3, 3, 9, 11, 8, 5, 0, 6]])
found["gpt2"] = {"tokens": tokens.tolist(), "logits": listed(gpt(tokens).logits)}
saved("gpt2-tiny", gpt)

json.dump(found, open(f"{here}/hugging-face.json", "w"))
