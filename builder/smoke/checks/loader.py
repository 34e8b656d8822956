"""The dynamic loader finds every library, by its cache alone and with the image's LD_LIBRARY_PATH."""

from __future__ import annotations

import re
from typing import Any

import pytest
from packaging.version import Version

from builder.check import packaged_facts
from builder.check.spans import within
from builder.smoke.brief import Expected, Probes

DRIVER = re.compile(r"lib(cuda|nvidia-[a-z-]+|nvcuvid)\.so\.\d+")  # comes with the host's driver, never with the image
# Opened only where its hardware is: cuFile's part for storage over RDMA, whose libraries come with the network card.
# NVIDIA's gdscheck reports it as `rdma library: Not Loaded (libcufile_rdma.so)` on machines that do without it.
ON_DEMAND = re.compile(r".*/libcufile_rdma\.so(\.\d+)*")
# library name -> CUDA release, where the two numbers differ (CUDA toolkit release notes)
RELEASES = {"libcufft.so.10": "11", "libcufft.so.11": "12", "libcufft.so.12": "13"}


pytestmark = pytest.mark.targets("image", "container")  # a machine has the libraries of all its environments


@pytest.fixture
def figures(stack: Expected, probe: Probes) -> dict[str, Any]:
    """What the loader probe found for this stack."""
    return probe("loader", stack.site_packages, ",".join(_opened_later(stack)), *stack.libraries)


def _opened_later(stack: Expected) -> tuple[str, ...]:
    """What the locked onnxruntime-gpu names in no table of its libraries, and opens when a kernel first asks."""
    version = stack.pins.get("onnxruntime-gpu", "")
    rows = packaged_facts()["onnxruntime_gpu"]
    return next((row.get("opens", ()) for row in rows if version and within(Version(version), row["versions"])), ())


def _lost(missing: dict[str, list[str]]) -> str:
    asked = {path: names for path, names in missing.items() if not ON_DEMAND.fullmatch(path)}
    named = {path: [name for name in names if not DRIVER.fullmatch(name)] for path, names in asked.items()}
    return "; ".join(f"{path} needs {', '.join(names)}" for path, names in named.items() if names)


def test_every_library_folder_of_the_stack_holds_libraries(stack: Expected, figures: dict[str, Any]) -> None:
    assert not figures["empty_folders"], f"no shared library in {', '.join(figures['empty_folders'])}"
    there = any(path.endswith("/libonnxruntime_providers_cuda.so") for path in figures["objects"])
    locked = "onnxruntime-gpu" in stack.pins
    assert there == locked, f"libonnxruntime_providers_cuda.so in the image: {there}, onnxruntime-gpu locked: {locked}"
    assert figures["objects"], "the stack has no library to look at; take `loader` out of its smoke tests"


def test_every_needed_library_is_found_by_the_cache_alone(figures: dict[str, Any]) -> None:
    lost = _lost(figures["missing_by_cache"])
    assert not lost, f"not found with LD_LIBRARY_PATH unset: {lost}"


def test_every_needed_library_is_found_with_the_library_path_of_the_image(figures: dict[str, Any]) -> None:
    lost = _lost(figures["missing_as_set"])
    assert not lost, f"not found with the image's LD_LIBRARY_PATH: {lost}"


def test_every_nvidia_library_folder_is_on_the_loader_path(stack: Expected, figures: dict[str, Any]) -> None:
    folders = set(figures["folders"]) | set(stack.libraries)
    unnamed = sorted(folders - set(stack.libraries))
    assert not unnamed, f"not in the stack's libraries: {', '.join(unnamed)}"
    for key, where in (("library_path", "LD_LIBRARY_PATH"), ("cached_folders", "the loader's cache")):
        absent = [name for name in sorted(folders) if f"{stack.site_packages}/{name}" not in figures[key]]
        assert not absent, f"not in {where}: {', '.join(absent)}"


def test_each_cuda_library_is_there_once(figures: dict[str, Any]) -> None:
    twice = {name: paths for name, paths in figures["cuda_libraries"].items() if len(paths) > 1}
    assert not twice, f"more than one file of a name, and the loader takes the first: {twice}"
    for family in ("libcudnn", "libcublas"):
        names = [name for name in figures["cuda_libraries"] if name.startswith(f"{family}.so.")]
        assert len(names) <= 1, f"two versions of {family}: {', '.join(names)}"


def test_all_cuda_libraries_are_of_one_release(stack: Expected, figures: dict[str, Any]) -> None:
    names = [name for name in figures["cuda_libraries"] if not name.startswith("libcudnn")]
    releases = {name: RELEASES.get(name, name.split(".so.")[1].split(".")[0]) for name in names}
    wanted = {stack.cuda.split(".")[0]} if stack.cuda else set(releases.values())
    assert len(set(releases.values())) <= 1, f"libraries of several CUDA releases: {releases}"
    assert set(releases.values()) <= wanted, f"the stack is CUDA {stack.cuda}, the image holds {releases}"
