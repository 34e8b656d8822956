"""diff_gaussian_rasterization of TalkingGaussian (ashawkey's fork) renders a known scene. Needs a GPU to render.

Ten Gaussians of opacity 1/2 stand behind each other on the axis, at depths 2.0 to 2.9: the middle pixel takes
2**-(i+1) of the i-th. The values were seen on an H200 with torch 2.11.0 and CUDA 13.0.
"""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_code, assert_imported

EXTENSION = ("extension", "diff_gaussian_rasterization._C", "diff_gaussian_rasterization")
ALPHA = 1 - 0.5**10
DEPTH = sum(0.5 ** (index + 1) * (2 + 0.1 * index) for index in range(10))
ATOL = 1e-5  # ten products and sums of values up to 3, of 2**-24 each: 2e-6; fast exponentials a few times that


def test_the_compiled_module_is_taken(probe: Probes) -> None:
    assert_imported(probe(*EXTENSION))


def test_the_compiled_module_holds_code_for_the_gpus_of_the_stack(stack: Expected, probe: Probes) -> None:
    assert_code(stack, probe(*EXTENSION))


@pytest.fixture
def scene(probe: Probes) -> dict[str, Any]:
    """What the rasterizer made of the scene."""
    figures = probe("gaussian_rasterizer")
    count = figures["outputs"]  # 2 or 3 are those of graphdeco's releases, which give no depth and alpha
    assert count == 4, f"{count} outputs, where ashawkey's fork gives colour, radii, depth and alpha"
    return figures


@pytest.mark.needs_gpu
def test_ten_gaussians_in_a_row_blend_as_computed(scene: dict[str, Any]) -> None:
    for name, found, wanted in (
        *((f"colour {index}", value, ALPHA) for index, value in enumerate(scene["colour"])),
        ("alpha", scene["alpha"], ALPHA),
        ("depth", scene["depth"], DEPTH),
        ("alpha of the corners", scene["corner_alpha"], 0),
    ):
        assert abs(found - wanted) <= ATOL, f"{name} is {found}, not {wanted}"
    assert scene["radii"] == [3] * 10, f"radii {scene['radii']}, not all 3"


@pytest.mark.needs_gpu
def test_gradients_of_the_rasterizer_are_finite(scene: dict[str, Any]) -> None:
    odd = [name for name, finite in scene["finite"].items() if not finite]
    assert not odd, f"not finite: gradients of {', '.join(odd)}"
    assert scene["opacity_gradient"] > 0, "more opacity must give more colour on a black ground"
