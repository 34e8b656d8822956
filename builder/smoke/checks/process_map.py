"""The stack's main packages in one process: one cuDNN, one CUDA release. Needs nothing; one test a GPU."""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import folders_of
from builder.smoke.checks.loader import RELEASES

# distribution -> module whose import brings its libraries, in the order of import: torch goes first, as programs do
MODULES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "torchaudio": "torchaudio",
    "tensorflow": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-cpu": "tensorflow",
    "onnxruntime": "onnxruntime",
    "onnxruntime-gpu": "onnxruntime",
    "tensorrt": "tensorrt",
    "tensorrt-cu12-bindings": "tensorrt",
    "tensorrt-cu13-bindings": "tensorrt",
    "mmcv-full": "mmcv.ops",
    "mmcv": "mmcv.ops",
    "pytorch3d": "pytorch3d._C",
    "gsplat": "gsplat.csrc",
}


# onnxruntime loads its CUDA libraries with its provider alone, and that needs the driver's
@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.needs_gpu)])
def figures(request: pytest.FixtureRequest, stack: Expected, probe: Probes) -> dict[str, Any]:
    """What is in the process, on the CPU and with the provider of onnxruntime."""
    modules = list(dict.fromkeys(module for name, module in MODULES.items() if name in stack.pins))
    assert modules, f"the stack has none of {', '.join(MODULES)}; take `process_map` out of its smoke tests"
    return probe("process_map", request.param, *modules)


def _release(name: str) -> str:
    """The CUDA release of a library by its name, which may carry a hash before .so (libcudart-a7b20f20.so.11.0)."""
    stem, _, version = name.partition(".so.")
    major = version.split(".")[0]
    return RELEASES.get(f"{stem.partition('-')[0]}.so.{major}", major)


def test_the_main_packages_import_in_one_process(figures: dict[str, Any]) -> None:
    assert not figures["failed"], f"do not import: {figures['failed']}"


def test_each_cuda_library_is_loaded_from_one_place(figures: dict[str, Any]) -> None:
    twice = {name: paths for name, paths in figures["libraries"].items() if len(paths) > 1}
    assert not twice, f"loaded from two places: {twice}"


def test_one_cudnn_is_loaded(figures: dict[str, Any]) -> None:
    cudnn = [name for name in figures["libraries"] if name.startswith("libcudnn")]
    versions = {name.split(".so.")[1].split(".")[0] for name in cudnn}
    assert len(versions) <= 1, f"two versions of cuDNN in one process: {', '.join(cudnn)}"
    # Its parts are found by LD_LIBRARY_PATH before their own RUNPATH, libcudnn.so itself by torch's RPATH before that.
    folders = folders_of(figures["libraries"], "libcudnn")
    assert len(folders) <= 1, f"parts of cuDNN from {' and '.join(folders)}: two releases in one process"


def test_the_cuda_libraries_are_of_the_release_of_the_stack(stack: Expected, figures: dict[str, Any]) -> None:
    releases = {name: _release(name) for name in figures["libraries"] if not name.startswith("libcudnn")}
    wanted = {stack.cuda.split(".")[0]} if stack.cuda else set()
    assert not releases or set(releases.values()) == wanted, f"the stack is CUDA {stack.cuda}, loaded are {releases}"
