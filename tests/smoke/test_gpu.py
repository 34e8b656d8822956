"""What is said where a GPU is missing: skipped with the reason, or failed with it under GPU=require."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from docker.types import DeviceRequest

from builder.engine.client import Engine
from builder.errors import InputError, SurroundingsError
from builder.smoke import GpuAccess, SmokeReport

CHECKS = ("onnxruntime_cpu", "gpu", "onnxruntime_gpu")
NO_GPU = "the engine offers no GPU (no CDI device nvidia.com/gpu and no NVIDIA runtime)"


class ClaimsGpu(Engine):
    """The edge that this machine lacks: an engine that gives these arguments for a GPU."""

    arguments: tuple[str, ...] = ()
    device = ""

    def gpu_arguments(self) -> list[str]:
        return list(self.arguments)

    def gpu_requests(self) -> list[DeviceRequest]:
        return [DeviceRequest(driver="cdi", device_ids=[self.device])] if self.device else []


def claiming(engine: Engine, *arguments: str, device: str = "") -> Engine:
    fake = ClaimsGpu(engine.info, engine.command(), engine.endpoint)
    fake.arguments, fake.device = arguments, device
    return fake


def reasons(report: SmokeReport, outcome: str) -> dict[str, str]:
    return {one.test: one.reason for one in report.results if one.outcome == outcome}


def test_none_skips_every_gpu_test_and_says_why(judge, image, engine) -> None:
    report = judge(image, smoke=CHECKS, gpu="none", on=claiming(engine, "--no-such-argument"))
    skipped = reasons(report, "skipped")
    assert set(skipped.values()) == {"GPU=none: no GPU was asked for"}
    assert len(skipped) == len([one for one in report.results if one.check != "onnxruntime_cpu"]) == 6
    assert report.green
    texts = [skip.attrib["message"] for skip in ET.parse(report.junit).getroot().iter("skipped")]
    assert texts == list(skipped.values())


def test_auto_skips_with_the_reason_where_the_engine_offers_none(judge, image, engine) -> None:
    report = judge(image, smoke=CHECKS, gpu="auto", on=claiming(engine))
    assert set(reasons(report, "skipped").values()) == {NO_GPU}
    assert report.gpu == GpuAccess(mode="auto", arguments=(), reason=NO_GPU)
    assert report.green


def test_require_fails_every_test_that_cannot_run_and_names_the_reason(judge, image, engine) -> None:
    report = judge(image, smoke=CHECKS, gpu="require", on=claiming(engine))
    failed = reasons(report, "failed")
    assert len(failed) == 6
    assert set(failed.values()) == {f"GPU=require, but the test cannot run: {NO_GPU}"}
    assert (report.passed, report.skipped, report.green) == (2, 0, False)
    root = ET.parse(report.junit).getroot()
    assert [len(list(root.iter(tag))) for tag in ("skipped", "error", "failure")] == [0, 6, 0]


def test_require_is_refused_where_no_test_needs_a_gpu(judge, image, engine, containers, tmp_path) -> None:
    fix = r"stack\.yaml: GPU=require, but no test of onnxruntime_cpu runs on a GPU.*add .*gpu, .*onnxruntime_gpu"
    with pytest.raises(InputError, match=fix):
        judge(image, smoke=("onnxruntime_cpu",), gpu="require", on=claiming(engine, "--env", "PROMISED=1"))
    assert containers() == []
    assert not list(tmp_path.rglob("evidence.json"))


def test_a_gpu_that_was_promised_and_is_not_there_fails(judge, image, engine) -> None:
    report = judge(image, smoke=("gpu", "onnxruntime_gpu"), gpu="auto", on=claiming(engine, "--env", "PROMISED=1"))
    failed = reasons(report, "failed")
    assert len(failed) == len(report.results) == 6
    assert "libcuda.so.1: cannot open shared object file" in failed["test_the_driver_shows_a_gpu"]
    assert "CUDAExecutionProvider" in failed["test_onnxruntime_runs_on_cuda[Conv]"]
    assert "CUDAExecutionProvider" in failed["test_onnxruntime_on_cuda_equals_numpy[MatMul]"]


def test_an_engine_that_cannot_give_the_gpu_is_named(judge, image, engine, containers) -> None:
    with pytest.raises(SurroundingsError, match=r"(?s)does not start with the GPU \(--device /dev/no-such.*GPU=none"):
        absent = claiming(engine, "--device", "/dev/no-such-gpu", device="example.com/gpu=absent")
        judge(image, smoke=CHECKS, gpu="auto", on=absent)
    assert containers() == []


def test_the_gpu_itself(judge, image, engine) -> None:
    if not engine.gpu_arguments():
        pytest.skip(f"needs a GPU: {NO_GPU}")
    report = judge(image, smoke=("gpu",), gpu="require")
    assert report.green, reasons(report, "failed")
