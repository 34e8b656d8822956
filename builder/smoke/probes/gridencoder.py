"""Encode points inside and outside a grid of one constant by gridencoder, and go back through it."""

from __future__ import annotations

import json

import gridencoder.grid
import numpy as np
import torch
from gridencoder import GridEncoder

INSIDE, BOUND, CONSTANT = 64, 0.15, 0.25
random = np.random.RandomState(0)
encoder = GridEncoder(
    input_dim=2, num_levels=12, level_dim=1, base_resolution=16, log2_hashmap_size=17, desired_resolution=256 * BOUND
).cuda()
torch.nn.init.constant_(encoder.embeddings, CONSTANT)


def encode(points: np.ndarray) -> torch.Tensor:
    """Points [B, 2] -> features [B, 12]."""
    return encoder(torch.from_numpy(points.astype(np.float32)).to("cuda"), bound=BOUND)


within = encode(random.uniform(-0.99 * BOUND, 0.99 * BOUND, (INSIDE, 2)))
outside = encode(np.array([[2, 0], [0, -2], [2, 2]]) * BOUND)
within.sum().backward()
values = within.detach().cpu().numpy()
print(
    json.dumps(
        {
            "backend": gridencoder.grid._backend.__name__,
            "shape": list(values.shape),
            "constant": CONSTANT,
            "difference": float(abs(values - CONSTANT).max()),
            "outside": float(abs(outside.detach().cpu().numpy()).max()),
            "gradient": float(encoder.embeddings.grad.cpu().numpy().sum(dtype=np.float64)),
        }
    )
)
