"""What layers along a sequence come to elsewhere: python with-sequences.py writes sequences.json.

mlstm is the layer of Hugging Face's xLSTM; the gated delta rule that of its Qwen3-Next, place by place. The memories that learn at test time (TTT, Titans) are
their equations, every inner gradient asked of autograd.
"""
import json, os
import torch
import torch.nn.functional as F
from transformers import xLSTMConfig
from transformers.models.xlstm.modeling_xlstm import xLSTMLayer
from transformers.models.qwen3_next.modeling_qwen3_next import torch_recurrent_gated_delta_rule
from shared import numbers

here = os.path.dirname(os.path.abspath(__file__))
flat = lambda t: [round(float(v), 7) for v in t.detach().flatten()]
n, length, units, heads = 2, 21, 8, 2
x = numbers(1, [n, length, units], 0, 3)


def xlstm():
    layer = xLSTMLayer(xLSTMConfig(hidden_size=units, num_heads=heads, use_bias=False, chunk_size=16, mode="inference", chunkwise_kernel="chunkwise--native_autograd", sequence_kernel="native_sequence__native", step_kernel="native"))
    made = {}
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(layer.named_parameters())):
            p.copy_(numbers(100 + i, list(p.shape), 1 if "norm" in name else 0, 2))
            made[name] = p
    ours = {"q": "query", "k": "key", "v": "value", "igate_preact": "enter", "fgate_preact": "keep", "ogate_preact": "leave", "out_proj": "out"}
    params = {"norm/scale": flat(made["multihead_norm.weight"])}
    for name, p in made.items():
        part, _, kind = name.rpartition(".")
        if part in ours:
            params[f"{ours[part]}/{'kernel' if kind == 'weight' else 'bias'}"] = flat(p.T if p.ndim == 2 else p)
    return {"params": params, "out": flat(layer(x)[0])}


def delta():
    q, k, v = (numbers(200 + i, [n, length, heads, 4], 0, 2) for i in range(3))
    rate, decay = numbers(203, [n, length, heads], 0.5, 1), numbers(204, [n, length, heads], -0.5, 1)
    out, _ = torch_recurrent_gated_delta_rule(q, k, v, decay, rate, initial_state=None, output_final_state=False, use_qk_l2norm_in_kernel=True)
    return {"out": flat(out)}


json.dump({"mlstm": xlstm(), "delta": delta()}, open(f"{here}/sequences.json", "w"))
