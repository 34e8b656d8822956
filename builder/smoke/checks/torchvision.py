"""torchvision's compiled operations fit torch and are right. Needs nothing; the same again needs a GPU."""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_locked

# values up to 111 by some ten operations of 2**-24 each
ROI_ATOL = 111 * 10 * 2**-24


def _judge_nms(figures: dict[str, Any]) -> None:
    # of the four boxes the third meets the second by 20/40 and 30/45 of area: over 0.3, and its score is lower
    assert figures["kept"] == [1, 0, 3], f"nms keeps {figures['kept']} of four boxes, not [1, 0, 3]"


def _judge_roi_align(figures: dict[str, Any]) -> None:
    """A ramp 2x + 3y is its own bilinear interpolation: each bin is the value at its centre, half a pixel shifted."""
    for row, values in enumerate(figures["roi_align"]):
        for column, value in enumerate(values):
            x, y = 4 + (column + 0.5) * 24 / 6 - 0.5, 6 + (row + 0.5) * 16 / 4 - 0.5
            assert abs(value - (2 * x + 3 * y)) <= ROI_ATOL, f"bin {row}, {column} is {value}, not {2 * x + 3 * y}"


def test_torchvision_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    assert_locked(stack, probe("torchvision", "cpu")["version"], "torchvision")


def test_nms_on_the_cpu_keeps_the_right_boxes(probe: Probes) -> None:
    _judge_nms(probe("torchvision", "cpu"))


def test_roi_align_on_the_cpu_is_exact_on_a_ramp(probe: Probes) -> None:
    _judge_roi_align(probe("torchvision", "cpu"))


@pytest.mark.needs_gpu
def test_nms_on_the_gpu_keeps_the_same_boxes(probe: Probes) -> None:
    figures = probe("torchvision", "cuda")
    assert figures["device"] == "cuda"
    _judge_nms(figures)
    assert figures["kept_of_many"] == probe("torchvision", "cpu")["kept_of_many"], "the GPU keeps other boxes of 300"


@pytest.mark.needs_gpu
def test_roi_align_on_the_gpu_is_exact_on_a_ramp(probe: Probes) -> None:
    _judge_roi_align(probe("torchvision", "cuda"))
