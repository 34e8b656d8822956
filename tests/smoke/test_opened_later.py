"""onnxruntime-gpu from 1.28 on names neither cuDNN nor cuFFT: the loader check misses them all the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.lock import StackLock
from builder.smoke import SmokeReport
from tests.smoke.conftest import Variant, locked_with

SITE = "/opt/venv/lib/python3.11/site-packages"
KEYS = {"smoke": ("loader",), "libraries": ("nvidia/cu13/lib", "nvidia/cudnn/lib"), "cuda": "13.0"}
OPENED = {"nvidia/cudnn/lib": ["libcudnn.so.9"], "nvidia/cu13/lib": ["libcufft.so.12", "libnvrtc.so.13"]}


@pytest.fixture
def lock() -> StackLock:
    """The lock of onnx-cpu with onnxruntime-gpu 1.31.1, whose CUDA provider is a small library here."""
    return locked_with("onnx-cpu", {"onnxruntime-gpu": "1.31.1"})


@pytest.fixture(scope="module")
def opened(variant: Variant, tmp_path_factory) -> str:
    """An image whose provider names no library at all, with those that the real one opens later."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to make shared libraries")
    context: Path = tmp_path_factory.mktemp("opened")
    (context / "empty.c").write_text("int nothing;\n")
    wanted = [f"{folder}/{name}" for folder, names in OPENED.items() for name in names]
    for path in ("provider.so", "nvidia/cudnn/lib/libcudnn_ops.so.9", *wanted):
        target = context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{target.name}", "-o", str(target), "empty.c"]
        subprocess.run(command, cwd=context, check=True)
    folders = [f"{SITE}/{folder}" for folder in OPENED]
    lines = [
        f"COPY nvidia {SITE}/nvidia",
        f"COPY provider.so {SITE}/onnxruntime/capi/libonnxruntime_providers_cuda.so",
        f"RUN printf '%s\\n' {' '.join(folders)} > /etc/ld.so.conf.d/stack.conf && ldconfig",
        f"ENV LD_LIBRARY_PATH={':'.join(folders)}",
    ]
    return variant("\n".join(lines), context=context)


def failures(report: SmokeReport) -> dict[str, str]:
    return {one.test.removeprefix("test_"): one.reason for one in report.results if one.outcome == "failed"}


def test_libraries_that_can_be_opened_are_green(judge, opened) -> None:
    report = judge(opened, **KEYS)
    assert report.green, failures(report)


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder, names in OPENED.items() for name in names])
def test_one_that_cannot_be_opened_is_named(folder: str, name: str, judge, variant, opened) -> None:
    found = failures(judge(variant(f"RUN rm {SITE}/{folder}/{name} && ldconfig", base=opened), **KEYS))
    lost = f"/libonnxruntime_providers_cuda.so needs {name}"
    assert set(found) == {
        "every_needed_library_is_found_by_the_cache_alone",
        "every_needed_library_is_found_with_the_library_path_of_the_image",
    }
    assert all(reason.endswith(lost) for reason in found.values()), found
