"""Audio2Face-3D-SDK is whole: its libraries are found, its code is for the stack's GPUs, its programs start.

Needs nothing: engines and models come when it is used.
"""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_code
from builder.smoke.checks.loader import DRIVER

TENSORRT = "libnvinfer.so.10"  # the SDK takes TensorRT 10.13 to 10.x
# program -> what it says without a GPU and without models, and no loader says of it
SAYS = {"audio2face-benchmarks": "--benchmark_", "sample-a2f-executor": "Audio2Face SDK Example"}


@pytest.fixture
def figures(stack: Expected, probe: Probes) -> dict[str, Any]:
    """What the probe found in the image."""
    return probe("audio2face_sdk", stack.site_packages)


def test_the_library_is_linked_to_tensorrt_10(figures: dict[str, Any]) -> None:
    assert TENSORRT in figures["needed"], f"{figures['library']} names {', '.join(figures['needed'])}, not {TENSORRT}"


def test_library_and_programs_find_what_they_need(figures: dict[str, Any]) -> None:
    named = {path: [one for one in lost if not DRIVER.fullmatch(one)] for path, lost in figures["missing"].items()}
    lost = "; ".join(f"{path} needs {', '.join(names)}" for path, names in named.items() if names)
    assert not lost, f"not found: {lost}"


def test_the_library_holds_code_for_the_gpus_of_the_stack(
    stack: Expected, figures: dict[str, Any], probe: Probes
) -> None:
    assert_code(stack, probe("extension", "--code", figures["library"]))


def test_the_library_has_the_c_plus_plus_abi_that_its_headers_are_used_with(figures: dict[str, Any]) -> None:
    new = ", ".join(figures["new_abi"])
    assert not new, f"compiled without _GLIBCXX_USE_CXX11_ABI=0, which its users define: it exports {new}"


@pytest.mark.parametrize("name", SAYS)
def test_its_programs_start(figures: dict[str, Any], name: str) -> None:
    done = figures["programs"][name]
    assert SAYS[name] in done["said"], f"{name} ended with {done['code']} and said: {done['said'][-500:]}"
