"""What the programs of L2P and DualPrompt choose from a pool, for prompts.json.

python prompts.py <JH-LEE-KR/l2p-pytorch> <JH-LEE-KR/dualprompt-pytorch>, two folders with their files prompt.py.
"""
import importlib.util
import json
import sys
from pathlib import Path

import torch


def load(folder, name):
    spec = importlib.util.spec_from_file_location(name, Path(folder) / "prompt.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers(tensor):
    return [round(v, 7) for v in tensor.detach().flatten().tolist()]


def shaped(tensor):
    return {"shape": list(tensor.shape), "values": numbers(tensor)}


torch.manual_seed(7)
l2p = load(sys.argv[1], "l2p").Prompt(
    length=2, embed_dim=4, embedding_key="cls", prompt_pool=True, prompt_key=True, pool_size=6, top_k=3
)
x, query = torch.randn(5, 3, 4), torch.randn(5, 4)
own = l2p(x, cls_features=query)
l2p.batchwise_prompt = True
voted = l2p(x, cls_features=query)

dual = load(sys.argv[2], "dual").EPrompt(
    length=2, embed_dim=4, embedding_key="cls", prompt_pool=True, prompt_key=True, pool_size=3, top_k=1, num_layers=2,
    use_prefix_tune_for_e_prompt=True, num_heads=2,
)
chosen = dual(x, cls_features=query)
masked = dual(x, cls_features=query, prompt_mask=torch.tensor([[1]] * 5))

print(json.dumps({
    "x": shaped(x),
    "query": shaped(query),
    "l2p": {
        "prompt": shaped(l2p.prompt),
        "key": shaped(l2p.prompt_key),
        "chosen": own["prompt_idx"].tolist(),
        "cosines": own["reduce_sim"].item(),
        "prompted": shaped(own["prompted_embedding"]),
        "voted": voted["prompt_idx"][0].tolist(),
    },
    "dualPrompt": {
        "key": shaped(dual.prompt_key),
        "chosen": chosen["prompt_idx"].flatten().tolist(),
        "cosines": chosen["reduce_sim"].item(),
        "cosinesOfTask1": masked["reduce_sim"].item(),
    },
}, indent=1))
