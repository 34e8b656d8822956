"""ONNX Runtime on the GPU: no fallback, the profile shows the kernels, the result is numpy's."""

from __future__ import annotations

import pytest

from builder.smoke.brief import Probes

# cuDNN may use TF32 for Conv: factors rounded to 10 bits of mantissa, so 2**-11 of each of 27 products of about 1
RTOL, ATOL = "1e-3", "1e-2"
pytestmark = pytest.mark.needs_gpu


@pytest.mark.parametrize(("operator", "shape"), [("MatMul", [4, 3]), ("Conv", [1, 4, 8, 8])], ids=["MatMul", "Conv"])
def test_onnxruntime_runs_on_cuda(operator: str, shape: list[int], probe: Probes) -> None:
    figures = probe("onnxruntime", "CUDAExecutionProvider", RTOL, ATOL)[operator]
    assert figures["shape"] == shape
    assert figures["session_providers"][0] == "CUDAExecutionProvider"
    ran = figures["kernels"]
    assert f"{operator} on CUDAExecutionProvider" in ran, f"the profile shows {ran}"
    assert f"{operator} on CPUExecutionProvider" not in ran, f"the profile shows {ran}"


@pytest.mark.parametrize("operator", ["MatMul", "Conv"])
def test_onnxruntime_on_cuda_equals_numpy(operator: str, probe: Probes) -> None:
    figures = probe("onnxruntime", "CUDAExecutionProvider", RTOL, ATOL)[operator]
    assert figures["beyond"] == 0, f"{figures['beyond']} of {figures['elements']} differ, by {figures['difference']}"
