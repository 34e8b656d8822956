"""Rasterise a small scene with gsplat on the GPU and compare it with a plain numpy reference.

The reference is what the kernels of gsplat 1.5.3 compute (its sdist: cuda/csrc/ProjectionEWA3DGSFused.cu,
RasterizeToPixels3DGSFwd.cu): a Gaussian's covariance goes through the Jacobian of the pinhole camera, gets 0.3
square pixels of blur, and is blended from front to back where its alpha is at least 1/255. Opacities stay below
0.33, so that every release's cut of a Gaussian, at 3 or 3.33 sigma, lies where alpha is below 1/255 anyway.
"""

from __future__ import annotations

import json

import gsplat
import numpy as np
import torch

WIDTH, HEIGHT, FOCAL, COUNT = 48, 40, 60.0, 12
THRESHOLD, BLUR = 1 / 255, 0.3
random = np.random.RandomState(0)
scene = {
    "means": np.stack(
        [random.uniform(-0.9, 0.9, COUNT), random.uniform(-0.7, 0.7, COUNT), np.linspace(3, 5, COUNT)], 1
    ),
    "quats": random.standard_normal((COUNT, 4)),
    "scales": random.uniform(0.1, 0.4, (COUNT, 3)),
    "opacities": random.uniform(0.1, 0.33, COUNT),
    "colors": random.uniform(0, 1, (COUNT, 3)),
}
scene = {name: values.astype(np.float32) for name, values in scene.items()}
camera = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]], dtype=np.float32)


def rotation(quaternion: np.ndarray) -> np.ndarray:
    """The rotation matrix of a quaternion (w, x, y, z) of any length."""
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def alphas(index: int) -> np.ndarray:
    """The alpha of one Gaussian at every pixel's centre, before the threshold."""
    wide = {name: values[index].astype(np.float64) for name, values in scene.items()}
    x, y, z = wide["means"]
    jacobian = np.array([[FOCAL / z, 0, -FOCAL * x / z**2], [0, FOCAL / z, -FOCAL * y / z**2]])
    half = jacobian @ rotation(wide["quats"]) * wide["scales"]
    conic = np.linalg.inv(half @ half.T + BLUR * np.eye(2))
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    offset = np.stack([columns - (FOCAL * x / z + WIDTH / 2), rows - (FOCAL * y / z + HEIGHT / 2)], axis=-1)
    return wide["opacities"] * np.exp(-0.5 * np.einsum("hwi,ij,hwj->hw", offset, conic, offset))


def reference() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights [COUNT, H, W], alpha [H, W], and where an alpha is within 1e-3 of the threshold: either way is right."""
    through, near, weights = np.ones((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH), dtype=bool), []
    for index in np.argsort(scene["means"][:, 2]):
        alpha = alphas(int(index))
        near |= abs(alpha / THRESHOLD - 1) < 1e-3
        alpha = np.where(alpha >= THRESHOLD, alpha, 0)
        weights.append(through * alpha)
        through = through * (1 - alpha)
    return np.stack(weights), 1 - through, near


leaves = {name: torch.from_numpy(values).to("cuda").requires_grad_() for name, values in scene.items()}
view, intrinsics = (torch.from_numpy(matrix[None]).to("cuda") for matrix in (np.eye(4, dtype=np.float32), camera))
image, alpha, _ = gsplat.rasterization(**leaves, viewmats=view, Ks=intrinsics, width=WIDTH, height=HEIGHT)
image.sum().backward()
gradients = {name: one.grad.cpu().numpy() for name, one in leaves.items()}
weights, opaque, near = reference()
painted = np.einsum("nhw,nc->hwc", weights, scene["colors"])
print(
    json.dumps(
        {
            "shape": list(image.shape),
            "compared": int((~near).sum()),
            "covered": int((opaque > 0.1).sum()),
            "colour_difference": float(abs(image.detach().cpu().numpy()[0] - painted)[~near].max()),
            "alpha_difference": float(abs(alpha.detach().cpu().numpy()[0, :, :, 0] - opaque)[~near].max()),
            "finite": {name: bool(np.isfinite(one).all()) for name, one in gradients.items()},
            "moved": {name: float(abs(one).max()) for name, one in gradients.items()},
            "colour_gradient_difference": float(
                abs(gradients["colors"] / weights.sum(axis=(1, 2))[:, None] - 1).max()  # d image.sum() / d colour
            ),
        }
    )
)
