"""A GPU is there, and the stack is made for it."""

from __future__ import annotations

import pytest

from builder.check.host_gpu import asked_for
from builder.smoke.brief import Expected, Probes

pytestmark = pytest.mark.needs_gpu


def test_the_driver_shows_a_gpu(probe: Probes) -> None:
    figures = probe("gpu")
    assert figures["devices"], "the driver answers, and shows no GPU"
    assert all(device["name"] and device["memory"] > 0 for device in figures["devices"])


def test_the_stack_covers_the_compute_capability(stack: Expected, probe: Probes) -> None:
    found = {device["capability"] for device in probe("gpu")["devices"]}
    assert found, "no GPU, so no compute capability"
    outside = [one for one in sorted(found) if stack.gpus and not asked_for(stack.gpus, one)]
    assert not outside, f"compute capability {', '.join(outside)}; the stack is built for {', '.join(stack.gpus)}"
