"""What Llama, Mistral and Qwen3 of Hugging Face's transformers come to with numbers of shared.py: python with-llama.py writes llama.json.

Llama has rotary positions, normalisation by the root mean square, gated dense layers and grouped heads of keys; Mistral a sliding window as well, Qwen3
normalised queries and keys.
"""
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen3Config, Qwen3ForCausalLM
from shared import descend, filled, outcome, written

common = dict(vocab_size=11, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=32, rms_norm_eps=1e-5, tie_word_embeddings=False, attn_implementation="eager")
tokens = torch.tensor([[1, 4, 0, 10, 7, 4], [3, 3, 9, 2, 8, 5]])


def of(kind, config):
    model = kind(config)
    own = dict(model.named_parameters())
    tensors, told = filled({name: list(t.shape) for name, t in sorted(own.items())})
    with torch.no_grad():
        for name, t in tensors.items():
            own[name].copy_(t)
    model.eval()
    logits = model(tokens).logits
    descend(logits)
    return {"tokens": tokens.tolist(), **outcome(told, logits, {name: p.grad for name, p in own.items()})}


written(
    "llama.json",
    {
        "llama": of(LlamaForCausalLM, LlamaConfig(**common, num_key_value_heads=2)),
        "llamaOneHead": of(LlamaForCausalLM, LlamaConfig(**common, num_key_value_heads=1)),
        "mistral": of(MistralForCausalLM, MistralConfig(**common, num_key_value_heads=2, sliding_window=3)),
        "qwen3": of(Qwen3ForCausalLM, Qwen3Config(**{**common, "rms_norm_eps": 1e-6}, num_key_value_heads=2, head_dim=4)),
    },
)
