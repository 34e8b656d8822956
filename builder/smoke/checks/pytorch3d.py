"""pytorch3d finds neighbours and rasterises a mesh as numpy does. Needs nothing; the same again needs a GPU."""

from __future__ import annotations

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_code, assert_imported, assert_locked

EXTENSION = ("extension", "pytorch3d._C", "pytorch3d.ops")
ATOL = 1e-5  # squared distances up to 30 of three terms, of 2**-24 each: 5e-6; depths of 2 by three weights: 1e-6
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.needs_gpu)]


def test_the_compiled_module_is_taken(probe: Probes) -> None:
    assert_imported(probe(*EXTENSION))


def test_the_compiled_module_holds_code_for_the_gpus_of_the_stack(stack: Expected, probe: Probes) -> None:
    assert_code(stack, probe(*EXTENSION))


def test_pytorch3d_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    if "pytorch3d" not in stack.pins and any("pytorch3d._C" in one.modules for one in stack.extensions):
        pytest.skip("the stack compiles it from a commit, and a commit names no version")
    assert_locked(stack, probe("pytorch3d", "cpu")["version"], "pytorch3d")


@pytest.mark.parametrize("device", DEVICES)
def test_nearest_neighbours_are_those_of_numpy(device: str, probe: Probes) -> None:
    figures = probe("pytorch3d", device)["neighbours"]
    assert figures["device"] == device
    assert figures["same_points"], "other points are found than by numpy"
    assert figures["difference"] <= ATOL, f"squared distances differ by {figures['difference']}"


@pytest.mark.parametrize("device", DEVICES)
def test_a_triangle_covers_the_pixels_whose_centres_it_holds(device: str, probe: Probes) -> None:
    figures = probe("pytorch3d", device)["triangle"]
    assert figures["device"] == device
    assert figures["wrong"] == 0, f"{figures['wrong']} of 1024 pixels wrong: {figures['covered']} covered"
    assert figures["covered"] == figures["expected"] > 100
    assert figures["depth_difference"] <= ATOL, f"depths differ from 2 by {figures['depth_difference']}"
