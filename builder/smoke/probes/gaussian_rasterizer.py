"""Render ten Gaussians behind each other on the axis with diff_gaussian_rasterization, and go back through them."""

from __future__ import annotations

import json

import numpy as np
import torch
from diff_gaussian_rasterization import GaussianRasterizationSettings, GaussianRasterizer

COUNT, SIZE, NEAR, FAR, TANGENT = 10, 65, 0.01, 100.0, 0.5


def put(values: object) -> torch.Tensor:
    """Float32 values on the GPU."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to("cuda")


def leaf(values: object) -> torch.Tensor:
    """The same, with a gradient."""
    return put(values).requires_grad_()


projection = np.zeros((4, 4))
projection[0, 0] = projection[1, 1] = 1 / TANGENT
projection[2, 2], projection[2, 3] = FAR / (FAR - NEAR), -FAR * NEAR / (FAR - NEAR)
projection[3, 2] = 1
settings = GaussianRasterizationSettings(
    image_height=SIZE,
    image_width=SIZE,
    tanfovx=TANGENT,
    tanfovy=TANGENT,
    bg=put(np.zeros(3)),
    scale_modifier=1.0,
    viewmatrix=put(np.eye(4)),
    projmatrix=put(projection.T),
    sh_degree=0,
    campos=put(np.zeros(3)),
    prefiltered=False,
    debug=False,
)
leaves = {
    "means3D": leaf([[0, 0, 2 + 0.1 * index] for index in range(COUNT)]),
    "opacities": leaf(np.full((COUNT, 1), 0.5)),
    "scales": leaf(np.full((COUNT, 3), 0.01)),
    "rotations": leaf([[1, 0, 0, 0]] * COUNT),
}
outputs = GaussianRasterizer(raster_settings=settings)(
    means2D=leaf(np.zeros((COUNT, 3))), colors_precomp=put(np.ones((COUNT, 3))), **leaves
)
figures: dict[str, object] = {"outputs": len(outputs), "size": SIZE}
if len(outputs) == 4:
    colour, radii, depth, alpha = outputs
    colour.sum().backward()
    images = {name: image.detach().cpu().numpy() for name, image in (("colour", colour), ("depth", depth))}
    opaque = alpha.detach().cpu().numpy()
    middle = SIZE // 2
    figures.update(
        {
            "colour": images["colour"][:, middle, middle].tolist(),
            "depth": float(images["depth"][0, middle, middle]),
            "alpha": float(opaque[0, middle, middle]),
            "corner_alpha": float(abs(opaque[0, [0, 0, -1, -1], [0, -1, 0, -1]]).max()),
            "radii": radii.cpu().numpy().tolist(),
            "finite": {name: bool(np.isfinite(one.grad.cpu().numpy()).all()) for name, one in leaves.items()},
            "opacity_gradient": float(leaves["opacities"].grad.cpu().numpy().sum()),
        }
    )
print(json.dumps(figures))
