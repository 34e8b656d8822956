"""A GPU is there, and the stack is made for it."""

from __future__ import annotations

import pytest

from builder.smoke.session import Expected, Probes

pytestmark = pytest.mark.needs_gpu


def covered(capability: str, listed: tuple[str, ...]) -> bool:
    """Whether code for the listed capabilities runs on a GPU: same major and no newer minor, or older PTX."""
    major, minor = map(int, capability.split("."))
    for item in listed:
        theirs = tuple(map(int, item.removesuffix("+PTX").split(".")))
        if (theirs[0] == major and theirs[1] <= minor) or (item.endswith("+PTX") and theirs <= (major, minor)):
            return True
    return False


def test_the_driver_shows_a_gpu(probe: Probes) -> None:
    figures = probe("gpu")
    assert figures["devices"], "the driver answers, and shows no GPU"
    assert all(device["name"] and device["memory"] > 0 for device in figures["devices"])


def test_the_stack_covers_the_compute_capability(stack: Expected, probe: Probes) -> None:
    found = {device["capability"] for device in probe("gpu")["devices"]}
    assert found, "no GPU, so no compute capability"
    outside = [one for one in sorted(found) if stack.gpus and not covered(one, stack.gpus)]
    assert not outside, f"compute capability {', '.join(outside)}; the stack is built for {', '.join(stack.gpus)}"
