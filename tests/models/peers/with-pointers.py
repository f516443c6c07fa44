"""A pointer network on PyTorch's cells, told the places and going by its own.

python with-pointers.py > pointers.json
"""
import json

import torch

torch.manual_seed(0)
n, length, inputs, hidden, steps = 2, 5, 2, 3, 4
listed = lambda a: torch.as_tensor(a).detach().double().numpy().round(7).tolist()
x = torch.randn(n, length, inputs)
order = torch.tensor([[3, 0, 4, 1], [2, 2, 0, 1]])
encoder, decoder = torch.nn.LSTM(inputs, hidden, batch_first=True), torch.nn.LSTMCell(inputs, hidden)
w1, w2, v = torch.randn(hidden, hidden), torch.randn(hidden, hidden), torch.randn(hidden)
b2, start = torch.randn(hidden), torch.randn(1, inputs)


def run(told, once):
    e, (h, c) = encoder(x)
    state, given, taken, out = (h[0], c[0]), start.repeat(n, 1), torch.zeros(n, length), []
    for k in range(steps):
        state = decoder(given, state)
        logits = torch.tanh(e @ w1 + (state[0] @ w2 + b2)[:, None]) @ v
        if once:
            logits = logits.masked_fill(taken > 0, -1e9)
        out.append(logits)
        at = order[:, k] if told else logits.argmax(1)
        taken[torch.arange(n), at] = 1
        given = x[torch.arange(n), at]
    return listed(torch.stack(out, 1))


both = lambda ih, hh, bi, bh: {"input": {"kernel": listed(ih.T), "bias": listed(bi)}, "state": {"kernel": listed(hh.T), "bias": listed(bh)}}
print(json.dumps({
    "x": listed(x), "order": order.tolist(), "start": listed(start),
    "encoder": both(encoder.weight_ih_l0, encoder.weight_hh_l0, encoder.bias_ih_l0, encoder.bias_hh_l0),
    "decoder": both(decoder.weight_ih, decoder.weight_hh, decoder.bias_ih, decoder.bias_hh),
    "places": {"kernel": listed(w1)}, "query": {"kernel": listed(w2), "bias": listed(b2)},
    "score": {"kernel": listed(v[:, None])},
    "told": run(True, False), "alone": run(False, False), "once": run(False, True),
}))
