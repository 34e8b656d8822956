"""mmcv's compiled operations: nms and rotated intersection over union. Needs nothing; the same again needs a GPU."""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_code, assert_imported, assert_locked

EXTENSION = ("extension", "mmcv._ext", "mmcv.ops")
# a box and itself; turned by a right angle: 4 of 8 + 8 - 4; squares turned by an eighth: a regular octagon; apart
OVERLAPS = [1, 1 / 3, 2**-0.5, 0]
ATOL = 1e-4  # corners of up to ten pixels by sines in float32, some 1e-6 each, over areas of 4


def _judge_nms(figures: dict[str, Any]) -> None:
    assert figures["kept"] == [1, 0, 3], f"nms keeps {figures['kept']} of four boxes, not [1, 0, 3]"


def _judge_overlaps(figures: dict[str, Any]) -> None:
    found = figures["overlaps"]
    same = len(found) == len(OVERLAPS) and all(abs(one - two) <= ATOL for one, two in zip(found, OVERLAPS, strict=True))
    assert same, f"rotated overlaps {found}, not {OVERLAPS}"


def test_the_compiled_module_is_taken(probe: Probes) -> None:
    assert_imported(probe(*EXTENSION))


def test_the_compiled_module_holds_code_for_the_gpus_of_the_stack(stack: Expected, probe: Probes) -> None:
    assert_code(stack, probe(*EXTENSION))


def test_mmcv_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    assert_locked(stack, probe("mmcv_ops", "cpu")["version"], "mmcv-full", "mmcv")


def test_nms_on_the_cpu_keeps_the_right_boxes(probe: Probes) -> None:
    _judge_nms(probe("mmcv_ops", "cpu"))


def test_rotated_boxes_on_the_cpu_overlap_as_computed(probe: Probes) -> None:
    _judge_overlaps(probe("mmcv_ops", "cpu"))


@pytest.mark.needs_gpu
def test_nms_on_the_gpu_keeps_the_right_boxes(probe: Probes) -> None:
    figures = probe("mmcv_ops", "cuda")
    assert figures["device"] == "cuda"
    _judge_nms(figures)


@pytest.mark.needs_gpu
def test_rotated_boxes_on_the_gpu_overlap_as_computed(probe: Probes) -> None:
    _judge_overlaps(probe("mmcv_ops", "cuda"))
