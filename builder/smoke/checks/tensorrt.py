"""TensorRT builds a small engine and runs it as numpy does. Needs a GPU, but for its version."""

from __future__ import annotations

import pytest

from builder.smoke.brief import Expected, Probes

ATOL = 1e-5  # sums of eight products of about 1 without TF32, of 2**-24 each: 1e-6
DISTRIBUTIONS = {
    f"tensorrt{release}{part}" for release in ("", "-cu11", "-cu12", "-cu13") for part in ("", "-bindings", "-libs")
}


def test_tensorrt_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    version = probe("tensorrt")["version"]
    locked = {name: stack.pins[name] for name in sorted(DISTRIBUTIONS & set(stack.pins))}
    assert locked, f"imported {version}, and the lock has no TensorRT"
    odd = {name: pin for name, pin in locked.items() if pin.partition(".post")[0] != version.partition(".post")[0]}
    assert not odd, f"imported {version}, locked {odd}"


@pytest.mark.needs_gpu
def test_a_small_engine_equals_numpy(probe: Probes) -> None:
    figures = probe("tensorrt", "run")
    assert figures["engine_bytes"] > 0
    assert figures["positive"] > 0, "every output is zero"
    assert figures["difference"] <= ATOL, f"differs by {figures['difference']}"
