"""The multi-scale deformable attention of X-Pose on the GPU, compared with its definition written in numpy.

Sizes are those of upstream's own test (KwaiVGI/LivePortrait@1986663b, XPose/models/UniPose/ops/test.py). Each point
is a bilinear sample, zero outside the level, weighted and summed; gradients are compared along a random direction.
"""

from __future__ import annotations

import json

import numpy as np
import torch  # its libraries, which the next one is linked to

import MultiScaleDeformableAttention  # isort: skip

BATCH, HEADS, CHANNELS, QUERIES, POINTS, STEP = 1, 2, 2, 2, 2, 2
LEVELS = ((6, 4), (3, 2))  # height, width
STARTS = (0, 24)
random = np.random.RandomState(3)
value = random.uniform(0, 0.01, (BATCH, sum(h * w for h, w in LEVELS), HEADS, CHANNELS))
places = random.uniform(0, 1, (BATCH, QUERIES, HEADS, len(LEVELS), POINTS, 2))
weights = random.uniform(0.1, 1, (BATCH, QUERIES, HEADS, len(LEVELS), POINTS))
weights /= weights.sum(axis=(-1, -2), keepdims=True)


def sample(level: np.ndarray, x: float, y: float) -> np.ndarray:
    """A bilinear sample of [h, w, channels] at x, y in pixels, where a pixel's centre is a whole number."""
    left, top = int(np.floor(x)), int(np.floor(y))
    total = np.zeros(level.shape[2])
    for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        if 0 <= row < level.shape[0] and 0 <= column < level.shape[1]:
            total += level[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def definition(value: np.ndarray, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Deformable attention [BATCH, QUERIES, HEADS * CHANNELS]."""
    out = np.zeros((BATCH, QUERIES, HEADS, CHANNELS))
    for batch, query, head, index, point in np.ndindex(*weights.shape):
        (height, width), start = LEVELS[index], STARTS[index]
        level = value[batch, start : start + height * width, head].reshape(height, width, CHANNELS)
        x, y = places[batch, query, head, index, point]
        weight = weights[batch, query, head, index, point]
        out[batch, query, head] += weight * sample(level, x * width - 0.5, y * height - 0.5)
    return out.reshape(BATCH, QUERIES, -1)


def put(array: np.ndarray, kind: type) -> torch.Tensor:
    """An array on the GPU."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=kind)).to("cuda")


def compare(kind: type) -> dict[str, object]:
    """Run the compiled operation forward and backward in one floating type."""
    given = [put(value, kind), put(np.array(LEVELS), np.int64), put(np.array(STARTS), np.int64)]
    given += [put(places, kind), put(weights, kind)]
    result = MultiScaleDeformableAttention.ms_deform_attn_forward(*given, STEP)
    onto = random.standard_normal(result.shape)
    found = MultiScaleDeformableAttention.ms_deform_attn_backward(*given, put(onto, kind), STEP)
    wanted = definition(value, places, weights)
    computed, backward = result.cpu().numpy(), [one.cpu().numpy() for one in found]
    return {
        "size": int(wanted.size),
        "largest": float(abs(wanted).max()),
        "difference": float(abs(computed - wanted).max()),
        "gradient_errors": slopes(backward, onto),
    }


def slopes(backward: list[np.ndarray], onto: np.ndarray) -> list[float]:
    """How far each gradient's slope along a random direction is from a central difference, as a part of it."""
    inputs, errors = [value, places, weights], []
    for index, gradient in enumerate(backward):
        direction = random.standard_normal(inputs[index].shape)
        sides = []
        for step in (1e-6, -1e-6):
            moved = list(inputs)
            moved[index] = inputs[index] + step * direction
            sides.append(float((definition(*moved) * onto).sum()))
        slope = (sides[0] - sides[1]) / 2e-6
        errors.append(abs(float((gradient * direction).sum()) - slope) / abs(slope))
    return errors


print(json.dumps({"double": compare(np.float64), "float": compare(np.float32)}))
