"""The checks on the real torch, torchvision, gsplat, lpips and tensorboard, on the CPU; gigabytes, so heavy.

MODELSTACKS_TEST_GSPLAT_IMAGE names an image of the stack gsplat to use in place of the one that is built here.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from builder import settings as site
from builder.lock import StackLock
from builder.smoke import SmokeReport
from builder.spec.model import Stack
from builder.spec.stacks import load_stack
from tests.smoke.conftest import Variant, locked_with

pytestmark = pytest.mark.heavy
CHECKOUT = Path(__file__).resolve().parents[2]
SITE = "/opt/venv/lib/python3.11/site-packages"
ADDED = {"torchvision": "0.26.0", "tensorboard": "2.20.0", "lpips": "0.1.4", "protobuf": "6.33.1"}
NEEDED = ("pillow", "scipy", "tqdm", "absl-py", "grpcio", "markdown", "werkzeug", "markupsafe", "setuptools<82")
CHECKS = ("torch", "torchvision", "process_map", "gsplat", "lpips", "tensorboard")
WEIGHTS = "/opt/weights/hub/checkpoints/alexnet-owt-7be5be79.pth"
NAMED = {"the_weights_are_the_ones_their_name_tells": r"^sha256 of alexnet-owt-7be5be79\.pth is "}


@pytest.fixture
def stack() -> Stack:
    """The stack gsplat under a name that no other run uses."""
    return load_stack("gsplat", site.load()).model_copy(update={"name": f"test-{secrets.token_hex(4)}"})


@pytest.fixture
def lock() -> StackLock:
    """The lock of gsplat with what is added."""
    return locked_with("gsplat", ADDED)


@pytest.fixture(scope="module")
def real(variant: Variant, tmp_path_factory) -> str:
    """The image of gsplat with torchvision, lpips and tensorboard, and an AlexNet of chance under the weights' name."""
    tag = os.environ.get("MODELSTACKS_TEST_GSPLAT_IMAGE")
    if not tag:
        command = [sys.executable, "-m", "builder", "--json", "stack", "gsplat", "--gpu", "none"]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        tag = json.loads(done.stdout)["stacks"][0]["image"]["tag"]
    context = tmp_path_factory.mktemp("real")
    wheels = [*(f"{name}=={version}" for name, version in ADDED.items()), *NEEDED]
    install = [find_uv_bin(), "pip", "install", "--no-deps", "--python-version", "3.11", "--only-binary", ":all:"]
    subprocess.run([*install, "--target", context / "added", *wheels], check=True)
    chance = "import torch, torchvision as v; torch.save(v.models.alexnet(weights=None).state_dict(), '{}')"
    lines = [
        f"COPY added {SITE}",
        "ENV TORCH_HOME=/opt/weights",
        f'RUN mkdir -p {Path(WEIGHTS).parent} && python -c "{chance.format(WEIGHTS)}"',
    ]
    return variant("\n".join(lines), base=tag, context=context)


def failures(report: SmokeReport) -> dict[str, str]:
    return {one.test.removeprefix("test_"): one.reason for one in report.results if one.outcome == "failed"}


def assert_exactly(report: SmokeReport, expected: dict[str, str]) -> None:
    """Exactly the expected tests failed, each with a reason that its pattern finds."""
    found = failures(report)
    assert set(found) == set(expected), found
    for test, pattern in expected.items():
        assert re.search(pattern, found[test]), (test, found[test])


def test_the_real_packages_pass_on_the_cpu(judge, real) -> None:
    report = judge(real, smoke=CHECKS)
    assert_exactly(report, NAMED)
    skipped = [one for one in report.results if one.outcome == "skipped"]
    assert {one.reason for one in skipped} == {"GPU=none: no GPU was asked for"}
    assert {one.check for one in report.results if one.outcome == "passed"} == set(CHECKS)


def test_real_packages_that_were_broken_are_found(judge, variant, real) -> None:
    """No compiled module of gsplat, a second cuDNN, half a file of weights, and a stack for another CUDA and GPU."""
    lines = [
        f"RUN rm {SITE}/gsplat/csrc*.so",
        f"RUN mkdir /opt/other && cp {SITE}/nvidia/cudnn/lib/libcudnn.so.9 /opt/other",
        f"RUN echo 'import ctypes; ctypes.CDLL(\"/opt/other/libcudnn.so.9\")' >> {SITE}/torch/__init__.py",
        f"RUN rm -rf {SITE}/torch/__pycache__/__init__.*",
        f"RUN truncate -s 1000 {WEIGHTS}",
    ]
    lost = r"(?s)ModuleNotFoundError: No module named 'gsplat\.csrc'|cannot import name 'csrc'"
    two = r"libcudnn\.so\.9.*/opt/other/libcudnn\.so\.9"
    weights = r"(?s)probe lpips ended with code 1: "
    assert_exactly(
        judge(variant("\n".join(lines), base=real), smoke=CHECKS, gpus=("6.1",), cuda="12.9"),
        {
            "torch_is_built_for_the_cuda_release_of_the_stack": r"built for CUDA 13\.0, the stack has 12\.9",
            "torch_holds_code_for_the_gpus_of_the_stack": r"built for sm_75, .*, which does not run on 6\.1",
            "cudnn_is_loaded_once_and_is_the_one_torch_names": two,
            "each_cuda_library_is_loaded_from_one_place[cpu]": two,
            "the_main_packages_import_in_one_process[cpu]": r"'gsplat\.csrc'",
            "the_cuda_libraries_are_of_the_release_of_the_stack[cpu]": r"the stack is CUDA 12\.9, loaded are",
            "gsplat_takes_its_compiled_module": lost,
            "gsplat_holds_code_for_the_gpus_of_the_stack": lost,
            "gsplat_has_its_locked_version": lost,
            "the_weights_are_the_ones_their_name_tells": weights,
            "an_image_is_at_no_distance_to_itself_and_at_some_to_another": weights,
        },
    )
