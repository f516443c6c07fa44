"""Trains the methods of peers.test.ts with Avalanche and writes what came out: python with-avalanche.py (avalanche-lib 0.6.0, torch, scikit-learn, quadprog).

Data: the first 30 of each of the digits 0-5 of scikit-learn's load_digits, divided by 16, two classes at a time. Network: 64-8-6 with ReLU,
PyTorch's own start from seed 0, written out so that others can start there. Rows are taken in their order, batch after batch, never
shuffled; where a method draws from a memory, the memory is drawn whole, so that nothing here is random. Learning rate 0.1, plain descent.
"""
import json, os, random
import numpy as np
import torch
import shared
from shared import packed, rows
from avalanche.benchmarks import tensors_benchmark
from avalanche.models.base_model import BaseModel
from avalanche.training import Naive
from avalanche.training.plugins import (
    AGEMPlugin, EWCPlugin, EvaluationPlugin, GEMPlugin, LFLPlugin, LwFPlugin, MASPlugin, ReplayPlugin,
    SynapticIntelligencePlugin,
)



class Network(shared.Network, BaseModel):
    pass


def trained(plugins, batch=10, epochs=2, experiences=3, optimizer=lambda p: torch.optim.SGD(p, lr=0.1), same=False):
    torch.manual_seed(0)
    random.seed(0)
    model = Network()
    groups = [(0, 1)] * experiences if same else [(0, 1), (2, 3), (4, 5)][:experiences]
    data = [rows(c) for c in groups]
    if same:  # the pixels in another order each time
        data = [(x if i == 0 else torch.flip(x, [1]) if i == 1 else torch.roll(x, 13, 1), y) for i, (x, y) in enumerate(data)]
    bench = tensors_benchmark(train_tensors=data, test_tensors=data[:1], task_labels=[0] * len(data), complete_test_set_only=True)
    strategy = Naive(
        model=model, optimizer=optimizer(model.parameters()), criterion=torch.nn.CrossEntropyLoss(),
        train_mb_size=batch, train_epochs=epochs, plugins=plugins() if callable(plugins) else plugins, evaluator=EvaluationPlugin(),
    )
    for experience in bench.train_stream:
        strategy.train(experience, shuffle=False)
    return packed(model)


class WholeAGEM(AGEMPlugin):
    """The reference gradient is that of the whole memory."""

    def sample_from_memory(self):
        rows = [buffer[i] for buffer in self.buffers for i in range(len(buffer))]
        return torch.stack([r[0] for r in rows]), torch.tensor([int(r[1]) for r in rows]), torch.zeros(len(rows))


class PlainGEM(GEMPlugin):
    """The quadratic program of the paper, without the 0.001 that the plugin adds to its diagonal."""

    def solve_quadprog(self, g):
        import quadprog

        G, g = self.G.double().numpy(), g.double().numpy()
        v = quadprog.solve_qp(G @ G.T, -G @ g, np.eye(len(G)), np.full(len(G), self.memory_strength))[0]
        return torch.from_numpy(v @ G + g).float()


class CopyingSI(SynapticIntelligencePlugin):
    """Keeps copies of the weights. The plugin keeps views of them, which on a CPU move with the network: nothing ever seems to have moved,
    and its penalty is zero for good (the run "si, as it is" below is the naive one)."""

    @staticmethod
    def extract_weights(model, target, excluded):
        for name, p in SynapticIntelligencePlugin.allowed_parameters(model, excluded):
            target[name].data = p.detach().flatten().clone()


as_it_is = SynapticIntelligencePlugin.extract_weights


def si(copying, **options):
    SynapticIntelligencePlugin.extract_weights = staticmethod(CopyingSI.extract_weights if copying else as_it_is)
    return SynapticIntelligencePlugin(**options)


whole = {
    "naive": dict(plugins=[]),
    "naive, momentum": dict(plugins=[], optimizer=lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)),
    "naive, adam": dict(plugins=[], optimizer=lambda p: torch.optim.Adam(p, lr=0.01)),
    # One row per batch: the square of the batch's gradient is that of the example.
    "ewc, separate": dict(plugins=[EWCPlugin(20.0, mode="separate")], batch=1),
    "ewc, online": dict(plugins=[EWCPlugin(20.0, mode="online", decay_factor=0.8)], batch=1),
    # One batch per pass: its grouping does not depend on the order.
    "ewc, of batches": dict(plugins=[EWCPlugin(5.0, mode="separate")], batch=60, epochs=20),
    "si, as it is": dict(plugins=lambda: [si(False, si_lambda=2000.0, eps=0.1)]),
    "si": dict(plugins=lambda: [si(True, si_lambda=2000.0, eps=0.1)]),
    "lwf": dict(plugins=[LwFPlugin(alpha=1.5, temperature=2)]),
    "mas": dict(plugins=[MASPlugin(lambda_reg=0.005, alpha=0.5)], batch=1, experiences=2),
    "lfl": dict(plugins=[LFLPlugin(lambda_e=2.0)], same=True),
    "gem": dict(plugins=[PlainGEM(patterns_per_experience=60, memory_strength=0.3)]),
    "agem": dict(plugins=[WholeAGEM(patterns_per_experience=60, sample_size=60)]),
    "replay": dict(plugins=[ReplayPlugin(mem_size=180, batch_size=10, batch_size_mem=180)], experiences=2),
}

start = torch.manual_seed(0) and packed(Network())
print("start", start[:20])
out = {name: trained(**options) for name, options in whole.items()}
file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "avalanche.json")
json.dump({"made with": f"avalanche-lib 0.6.0, torch {torch.__version__}", "start": start, "end": out}, open(file, "w"), indent=1)
