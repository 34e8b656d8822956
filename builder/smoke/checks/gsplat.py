"""gsplat takes its compiled module, and rasterises as a plain reference does. Needs a GPU to rasterise."""

from __future__ import annotations

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_code, assert_imported, assert_locked

EXTENSION = ("extension", "gsplat.csrc", "gsplat", "gsplat.cuda._backend")
# Colours and alphas are at most 1 and come of 12 blends. __expf of an exponent up to 5 is within 2 + 1.16 * 5 units of
# 2**-23 (CUDA C++ Programming Guide, intrinsic functions), the exponent itself, of inverted covariances, within some
# 2**-19: 12 * 2**-19 = 2.3e-5, and as much again for --use_fast_math's divisions.
ATOL = 5e-5
RTOL_GRADIENT = 1e-4  # sums of up to 1920 such weights, added up by atomics in any order


def test_gsplat_takes_its_compiled_module(probe: Probes) -> None:
    assert_imported(probe(*EXTENSION))


def test_gsplat_holds_code_for_the_gpus_of_the_stack(stack: Expected, probe: Probes) -> None:
    assert_code(stack, probe(*EXTENSION))


def test_gsplat_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    assert_locked(stack, probe(*EXTENSION)["versions"]["gsplat"], "gsplat")


@pytest.mark.needs_gpu
def test_gsplat_rasterises_as_the_reference(probe: Probes) -> None:
    figures = probe("gsplat")
    assert figures["shape"] == [1, 40, 48, 3]
    assert figures["compared"] > 1800, f"only {figures['compared']} of 1920 pixels are clear of the alpha threshold"
    assert figures["covered"] > 500, f"the scene covers only {figures['covered']} pixels"
    for name in ("colour", "alpha"):
        difference = figures[f"{name}_difference"]
        assert difference <= ATOL, f"{name} differs from the reference by {difference:.2e}, allowed {ATOL:.0e}"


@pytest.mark.needs_gpu
def test_gradients_of_gsplat_are_finite_and_those_of_the_colours_right(probe: Probes) -> None:
    figures = probe("gsplat")
    odd = [name for name, finite in figures["finite"].items() if not finite]
    assert not odd, f"not finite: gradients of {', '.join(odd)}"
    still = [name for name, most in figures["moved"].items() if not most > 0]
    assert not still, f"all zero: gradients of {', '.join(still)}"
    off = figures["colour_gradient_difference"]
    assert off <= RTOL_GRADIENT, f"gradients of the colours are off by a part of {off:.2e}"
