"""ONNX Runtime on the CPU gives what numpy gives."""

from __future__ import annotations

import pytest

from builder.smoke.brief import Probes

RTOL, ATOL = "1e-4", "1e-5"


@pytest.mark.parametrize(("operator", "shape"), [("MatMul", [4, 3]), ("Conv", [1, 4, 8, 8])], ids=["MatMul", "Conv"])
def test_onnxruntime_on_the_cpu_equals_numpy(operator: str, shape: list[int], probe: Probes) -> None:
    figures = probe("onnxruntime", "CPUExecutionProvider", RTOL, ATOL)[operator]
    assert figures["shape"] == shape
    assert figures["kernels"] == [f"{operator} on CPUExecutionProvider"]
    assert figures["beyond"] == 0, f"{figures['beyond']} of {figures['elements']} differ, by {figures['difference']}"
