"""X-Pose's deformable attention (LivePortrait, animals) equals its definition. Needs a GPU to compute."""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_code, assert_imported

EXTENSION = ("extension", "MultiScaleDeformableAttention")
# double: 16 weighted samples of 2**-53 each. float: those of upstream's test.py, rtol 1e-2 and atol 1e-3, are wider
# than its values (0.01 at most); here a part of the largest, 16 * 8 operations of 2**-24.
DOUBLE, FLOAT = 1e-12, 1e-5
# central differences of step 1e-6 are good to 1e-9 of a bilinear sum; float gradients to 1e-5, sums that cancel to less
DOUBLE_SLOPE, FLOAT_SLOPE = 1e-5, 1e-3


def test_the_compiled_module_is_taken(probe: Probes) -> None:
    assert_imported(probe(*EXTENSION))


def test_the_compiled_module_holds_code_for_the_gpus_of_the_stack(stack: Expected, probe: Probes) -> None:
    assert_code(stack, probe(*EXTENSION))


def _judge(figures: dict[str, Any], rtol: float, slope: float) -> None:
    assert figures["size"] == 8
    allowed = rtol * figures["largest"]
    assert figures["difference"] <= allowed, f"differs by {figures['difference']:.2e}, allowed {allowed:.2e}"
    off = dict(zip(("value", "places", "weights"), figures["gradient_errors"], strict=True))
    assert max(off.values()) <= slope, f"gradients off by a part of {off}, allowed {slope}"


@pytest.mark.needs_gpu
def test_deformable_attention_in_double_precision_equals_its_definition(probe: Probes) -> None:
    _judge(probe("xpose")["double"], DOUBLE, DOUBLE_SLOPE)


@pytest.mark.needs_gpu
def test_deformable_attention_in_single_precision_equals_its_definition(probe: Probes) -> None:
    _judge(probe("xpose")["float"], FLOAT, FLOAT_SLOPE)
