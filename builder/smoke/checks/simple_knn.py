"""simple_knn of 3DGS: distCUDA2 gives the mean of the three smallest squared distances. Needs a GPU to compute."""

from __future__ import annotations

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_code, assert_imported

RTOL = 1e-6  # whole squares, one sum of three and one division: a few times 2**-24


def test_the_compiled_module_is_taken(probe: Probes) -> None:
    assert_imported(probe("extension", "simple_knn._C"))


def test_the_compiled_module_holds_code_for_the_gpus_of_the_stack(stack: Expected, probe: Probes) -> None:
    assert_code(stack, probe("extension", "simple_knn._C"))


@pytest.mark.needs_gpu
@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        # 1, 1, 4 for all points of a line but its ends, which have 1, 4, 9
        ("line", [14 / 3, *[2.0] * 10, 14 / 3]),
        ("square", [4 / 3] * 4),  # 1, 1, 2
    ],
    ids=["line", "square"],
)
def test_distcuda2_gives_the_known_distances(shape: str, wanted: list[float], probe: Probes) -> None:
    found = probe("simple_knn")[shape]
    assert len(found) == len(wanted)
    assert all(abs(one - other) <= RTOL * other for one, other in zip(found, wanted, strict=True)), (
        f"{shape}: {found}, not {wanted}"
    )
