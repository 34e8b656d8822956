"""gridencoder of TalkingGaussian: compiled, and a constant grid stays constant. Needs a GPU to encode.

On an ImportError of `_gridencoder`, gridencoder compiles anew in silence, which works only where nvcc is.
"""

from __future__ import annotations

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_code, assert_imported

EXTENSION = ("extension", "_gridencoder", "gridencoder", "gridencoder.grid")
RTOL = 1e-5  # weights of four corners sum to 1 within a few times 2**-24; 768 of them are added up for the gradient


def test_the_compiled_module_is_taken(probe: Probes) -> None:
    assert_imported(probe(*EXTENSION))


def test_the_compiled_module_holds_code_for_the_gpus_of_the_stack(stack: Expected, probe: Probes) -> None:
    assert_code(stack, probe(*EXTENSION))


@pytest.mark.needs_gpu
def test_a_constant_grid_gives_the_constant_inside_and_nothing_outside(probe: Probes) -> None:
    figures = probe("gridencoder")
    assert figures["backend"] == "_gridencoder", f"the backend is {figures['backend']}, compiled at run time"
    assert figures["shape"] == [64, 12]
    assert figures["difference"] <= RTOL * figures["constant"], f"off by {figures['difference']} inside"
    assert figures["outside"] == 0, f"{figures['outside']} outside the grid"


@pytest.mark.needs_gpu
def test_the_gradient_of_the_grid_sums_to_one_per_point_and_level(probe: Probes) -> None:
    figures = probe("gridencoder")
    wanted = 64 * 12
    assert abs(figures["gradient"] - wanted) <= RTOL * wanted, f"the gradient sums to {figures['gradient']}, not 768"
