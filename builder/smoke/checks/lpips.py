"""lpips works without a network. Some of it needs alexnet-owt-7be5be79.pth in torch.hub's folder; one test a GPU.

Without TORCH_HOME nobody promised the weights, and what needs them is skipped where they are not; with it, it fails,
unless the stack leaves them to be mounted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from builder.smoke.brief import Probes

Trained = Callable[[str], dict[str, Any]]

WEIGHTS = "alexnet-owt-7be5be79.pth"
RTOL = 2e-2  # five layers of convolutions with TF32, 2**-9 each, on the GPU


@pytest.fixture
def trained(probe: Probes, mounted: frozenset[str]) -> Trained:
    """What the probe found with the trained backbone on a device; skips or fails where its weights are not."""

    def on(device: str) -> dict[str, Any]:
        figures = probe("lpips", device, WEIGHTS)
        if not figures["there"]:
            lost = f"needs weights: {figures['weights']} is not there"
            if figures["weights"] in mounted:
                pytest.skip(f"{lost}; the stack leaves it to be mounted")
            assert not figures["set"], f"{lost}, though TORCH_HOME is set"
            pytest.skip(f"{lost} (bake them in, or set TORCH_HOME to where they are mounted)")
        return figures

    return on


def _judge(figures: dict[str, Any]) -> None:
    assert figures["to_itself"] == 0, f"an image is at {figures['to_itself']} to itself"
    assert figures["to_another"] > 0, f"another image is at {figures['to_another']}"


def test_with_a_random_backbone_an_image_is_at_no_distance_to_itself_and_at_some_to_another(probe: Probes) -> None:
    _judge(probe("lpips", "cpu", WEIGHTS)["random"])


def test_the_weights_are_the_ones_their_name_tells(trained: Trained) -> None:
    # torch.hub's convention: a name ends with the first digits of the file's sha256
    found = trained("cpu")["sha256"]
    assert found.startswith("7be5be79"), f"sha256 of {WEIGHTS} is {found}"


def test_an_image_is_at_no_distance_to_itself_and_at_some_to_another(trained: Trained) -> None:
    _judge(trained("cpu"))


@pytest.mark.needs_gpu
def test_distances_on_the_gpu_are_those_of_the_cpu(trained: Trained) -> None:
    cpu, cuda = (trained(device) for device in ("cpu", "cuda"))
    assert cuda["to_itself"] == 0, f"an image is at {cuda['to_itself']} to itself"
    assert abs(cuda["to_another"] - cpu["to_another"]) <= RTOL * cpu["to_another"], (
        f"{cuda} on the GPU, {cpu} on the CPU"
    )
