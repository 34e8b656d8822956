"""Write a scalar, a histogram and an image by SummaryWriter, and read them back."""

from __future__ import annotations

import io
import json
import tempfile
from importlib import metadata

import google.protobuf
import numpy as np
import tensorboard
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

ramp = np.linspace(0, 1, 8 * 12, dtype=np.float32).reshape(1, 8, 12).repeat(3, axis=0)
with tempfile.TemporaryDirectory() as folder:
    with SummaryWriter(folder) as writer:
        writer.add_scalar("loss", 0.5, 7)
        writer.add_histogram("weights", np.linspace(-1, 1, 101), 7)
        writer.add_image("ramp", ramp, 7)
    events = EventAccumulator(folder)
    events.Reload()
(scalar,), (histogram,), (image,) = events.Scalars("loss"), events.Histograms("weights"), events.Images("ramp")
pixels = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)), dtype=float) / 255
print(
    json.dumps(
        {
            "version": tensorboard.__version__,
            "protobuf": google.protobuf.__version__,
            "requires": [one for one in metadata.requires("tensorboard") or [] if one.startswith("protobuf")],
            "scalar": [scalar.step, scalar.value],
            "histogram": [histogram.histogram_value.num, histogram.histogram_value.min, histogram.histogram_value.max],
            "image": list(pixels.shape),
            "image_difference": float(abs(pixels - ramp.transpose(1, 2, 0)).max()),
        }
    )
)
