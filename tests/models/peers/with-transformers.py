"""What networks of Hugging Face's transformers come to with numbers of shared.py: python with-transformers.py writes transformers.json.

The names are those of the files that save_pretrained writes.
"""
import tempfile
import torch
from safetensors.torch import load_file, save_file
from transformers import ConvNextConfig, ConvNextForImageClassification, GPT2Config, GPT2LMHeadModel, ViTConfig, ViTForImageClassification
from shared import descend, filled, images, numbers, outcome, written


def named(model):
    """The parameters under the names that they have in a file."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(f"{folder}/model.safetensors")


def with_numbers(kind, config):
    with tempfile.TemporaryDirectory() as folder:
        model = kind(config)
        tensors, told = filled({name: list(t.shape) for name, t in sorted(named(model).items())})
        model.save_pretrained(folder)
        save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})
        return kind.from_pretrained(folder).eval(), told


def gradients(model):
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.grad)
    return named(model)


def vision(kind, config, size, channels):
    model, told = with_numbers(kind, config)
    x = images(3, size, size, channels)
    logits = model(x).logits
    descend(logits)
    return outcome(told, logits, gradients(model), x)


vit = ViTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4, num_channels=3, num_labels=5)
plain = ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=2, num_channels=1, num_labels=3, qkv_bias=False, layer_norm_eps=1e-6)
convnext = ConvNextConfig(num_channels=3, patch_size=2, hidden_sizes=[6, 8], depths=[2, 1], num_stages=2, num_labels=5)
gpt = GPT2Config(vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)

model, told = with_numbers(GPT2LMHeadModel, gpt)
tokens = torch.tensor([[1, 4, 0, 10, 7, 4], [3, 3, 9, 2, 8, 5]])
states = model.transformer(tokens).last_hidden_state
logits = model(tokens).logits
descend(logits)
tied = {"tokens": tokens.tolist(), "states": [round(float(v), 8) for v in states.detach().flatten()], **outcome(told, logits, gradients(model))}

# the same with a head of its own, of other numbers
model, _ = with_numbers(GPT2LMHeadModel, gpt)
head = numbers(4000, [11, 16]).requires_grad_()
logits = model.transformer(tokens).last_hidden_state @ head.T
descend(logits)
untied = {**outcome(told, logits, gradients(model))}
untied["head"] = [round(float((head.grad.double() * numbers(2998, [11, 16]).double()).sum()), 8), round(float(head.grad.double().norm()), 8)]
del untied["parameters"]

written(
    "transformers.json",
    {
        "vit": vision(ViTForImageClassification, vit, 8, 3),
        "vitPlain": vision(ViTForImageClassification, plain, 8, 1),
        "convNext": vision(ConvNextForImageClassification, convnext, 8, 3),
        "gpt": tied,
        "gptUntied": untied,
    },
)
