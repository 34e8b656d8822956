"""Resize an image and take another through JPEG and back."""

from __future__ import annotations

import json

import cv2
import numpy as np

image = np.random.RandomState(0).randint(0, 255, (100, 100, 3), dtype=np.uint8)
small = cv2.resize(image, (50, 50))
ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
written, data = cv2.imencode(".jpg", ramp, [cv2.IMWRITE_JPEG_QUALITY, 95])
back = cv2.imdecode(data, cv2.IMREAD_COLOR)
print(
    json.dumps(
        {
            "version": cv2.__version__,
            "resized_shape": list(small.shape),
            "resized_dtype": str(small.dtype),
            "jpeg_written": bool(written),
            "jpeg_header": bytes(data[:2].tobytes()).hex(),
            "jpeg_shape": None if back is None else list(back.shape),
            "jpeg_difference": None if back is None else int(abs(back.astype(int) - ramp.astype(int)).max()),
        }
    )
)
