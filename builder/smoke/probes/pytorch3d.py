"""pytorch3d's nearest neighbours and mesh rasteriser, compared with numpy. Argument: cpu or cuda."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytorch3d
import torch
from pytorch3d.ops import knn_points
from pytorch3d.renderer import FoVOrthographicCameras, MeshRasterizer, RasterizationSettings
from pytorch3d.structures import Meshes

NEAREST, SIZE, DEPTH = 5, 32, 2.0
device = sys.argv[1]


def neighbours() -> dict[str, object]:
    """The five nearest of 200 points to each of 50."""
    random = np.random.RandomState(0)
    first, second = (random.standard_normal((count, 3)).astype(np.float32) for count in (50, 200))
    found = knn_points(*(torch.from_numpy(points[None]).to(device) for points in (first, second)), K=NEAREST)
    squared = ((first[:, None].astype(np.float64) - second[None]) ** 2).sum(axis=-1)
    order = np.argsort(squared, axis=1)[:, :NEAREST]
    distances = found.dists.cpu().numpy()[0]
    return {
        "device": found.dists.device.type,
        "same_points": bool((np.sort(found.idx.cpu().numpy()[0]) == np.sort(order)).all()),
        "difference": float(abs(distances - np.take_along_axis(squared, order, axis=1)).max()),
    }


def triangle() -> dict[str, object]:
    """A triangle parallel to the image; x points to the left, y up, and no edge meets the centre of a pixel."""
    low, high = -0.5, 0.5 + 1 / SIZE
    corners = np.array([[low, low, DEPTH], [high, low, DEPTH], [low, high, DEPTH]], dtype=np.float32)
    mesh = Meshes(
        verts=[torch.from_numpy(corners).to(device)], faces=[torch.from_numpy(np.array([[0, 1, 2]])).to(device)]
    )
    settings = RasterizationSettings(image_size=SIZE, blur_radius=0.0, faces_per_pixel=1)
    rasterizer = MeshRasterizer(cameras=FoVOrthographicCameras(device=device), raster_settings=settings)
    fragments = rasterizer(mesh)
    covered = fragments.pix_to_face.cpu().numpy()[0, :, :, 0] >= 0
    centres = 1 - (2 * np.arange(SIZE) + 1) / SIZE
    x, y = centres[None, :], centres[:, None]
    expected = (x > low) & (y > low) & (x + y < low + high)
    depth = fragments.zbuf.cpu().numpy()[0, :, :, 0][covered]
    return {
        "device": fragments.zbuf.device.type,
        "expected": int(expected.sum()),
        "covered": int(covered.sum()),
        "wrong": int((covered != expected).sum()),
        "depth_difference": float(abs(depth - DEPTH).max()) if depth.size else None,
    }


print(json.dumps({"version": pytorch3d.__version__, "neighbours": neighbours(), "triangle": triangle()}))
