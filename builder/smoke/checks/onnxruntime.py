"""One ONNX Runtime, at its locked version."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from builder.smoke.brief import Expected, Probes

DISTRIBUTIONS = {"onnxruntime", "onnxruntime-gpu"}


def test_onnxruntime_and_onnxruntime_gpu_are_not_both_installed(probe: Probes) -> None:
    names = [str(canonicalize_name(name)) for name, _ in probe("python")["packages"]]
    given = [name for name in names if name in DISTRIBUTIONS]
    assert len(given) == 1, f"onnxruntime is given by {' and '.join(given) or 'nothing'}; the last one unpacked wins"


def test_onnxruntime_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    version = probe("onnxruntime", "CPUExecutionProvider", "1e-4", "1e-5")["version"]
    locked = [stack.pins[name] for name in sorted(DISTRIBUTIONS) if name in stack.pins]
    assert locked == [version], f"imported {version}, locked {locked}"
