"""Writes files with the safetensors package, for tests/models/safetensors.test.ts. Run: python with-safetensors.py (numpy, torch, safetensors)."""

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

save_file(
    {
        "b.kernel": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
        "a.steps": np.array([3, -4], dtype=np.int32),
        "flag": np.array([True, False, True]),
        "c": np.array(1.5, dtype=np.float32),
        "empty": np.zeros((0, 2), dtype=np.float32),
    },
    "same.safetensors",
    {"made": "by hand"},
)
save_torch(
    {
        "half": torch.tensor([1.5, -2.0, 6e-5, 65504.0, 5.9604645e-8], dtype=torch.float16),
        "brain": torch.tensor([1.5, -2.0, 3.0e38, 1e-40], dtype=torch.bfloat16),
        "double": torch.tensor([[0.1], [-1e30]], dtype=torch.float64),
        "long": torch.tensor([2**31 - 1, -(2**31)], dtype=torch.int64),
        "short": torch.tensor([-7, 7], dtype=torch.int16),
        "tiny": torch.tensor([-128, 127], dtype=torch.int8),
        "byte": torch.tensor([0, 255], dtype=torch.uint8),
    },
    "kinds.safetensors",
)
save_torch({"far": torch.tensor([2**40], dtype=torch.int64)}, "far.safetensors")
save_torch({"vast": torch.tensor([1e300], dtype=torch.float64)}, "vast.safetensors")
