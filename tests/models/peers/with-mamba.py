"""What a tiny Mamba of Hugging Face's transformers comes to with numbers of shared.py: python with-mamba.py writes mamba.json."""
import tempfile
import torch
from safetensors.torch import load_file, save_file
from transformers import MambaConfig, MambaForCausalLM
from shared import descend, filled, outcome, written

config = MambaConfig(vocab_size=11, hidden_size=8, state_size=4, num_hidden_layers=2, expand=2, conv_kernel=4, time_step_rank=1)


def named(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(f"{folder}/model.safetensors")


with tempfile.TemporaryDirectory() as folder:
    model = MambaForCausalLM(config)
    tensors, told = filled({name: list(t.shape) for name, t in sorted(named(model).items())})
    model.save_pretrained(folder)
    save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})
    model = MambaForCausalLM.from_pretrained(folder).eval()
tokens = torch.tensor([[1, 4, 0, 10, 7, 4, 2], [3, 3, 9, 2, 8, 5, 6]])
logits = model(tokens, use_cache=False).logits
descend(logits)
with torch.no_grad():
    for p in model.parameters():
        p.copy_(p.grad)
written("mamba.json", {"mamba": {"tokens": tokens.tolist(), **outcome(told, logits, named(model))}})
