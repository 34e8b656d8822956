"""Drivers and users that cannot be had here: what follows from what was seen, and the near miss that is silent."""

from __future__ import annotations

from typing import Any

import pytest

from builder.doctor.container.facts import caches, nameless
from builder.doctor.container.model import Evidence
from builder.doctor.container.rules import diagnose
from tests.doctor.container.test_rules import H200, TORCH, dist, evidence

BAKED = {"path": "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.14", "size": 30 << 20}
COMPAT = "/usr/local/cuda-12.4/compat/libcuda.so.550.54.14"
USER = {"uid": 0, "named": True, "name": "root", "home": "/root", "caches": {}, "temporary": "/tmp"}
USER |= {"shm": 64 << 20, "shm_free": 64 << 20, "compiler": ""}


def first(seen: Evidence) -> tuple[str, str]:
    found = diagnose(seen)
    return (found[0].rule, found[0].level) if found else ("", "")


def of_user(user: dict[str, Any], system: Any = None, **python: Any) -> Evidence:
    seen = evidence(system=system, **python)
    return Evidence.model_validate({**seen.model_dump(), "user": {**USER, **user}}, strict=False)


@pytest.mark.parametrize(
    ("kernel", "size", "level"),
    [
        ("570.86.15", 30 << 20, "error"),
        ("550.54.14", 30 << 20, ""),
        ("550.54.14", 0, "error"),
        ("", 30 << 20, "warning"),
    ],
)
def test_files_of_a_driver_against_that_of_the_host(kernel: str, size: int, level: str) -> None:
    found = first(evidence(system={"kernel_driver": kernel, "driver_files": [{**BAKED, "size": size}]}))
    assert found == (("driver_in_image", level) if level else ("", ""))


def test_a_package_that_brings_files_of_a_driver_is_the_one_to_take_out() -> None:
    packages = {"libnvidia-compute-550": "550.54.14-0ubuntu1", "libcudnn9-cuda-12": "9.1.0"}
    system = {"driver_files": [BAKED], "packages": packages, "kernel_driver": "570.86.15"}
    found = diagnose(evidence(system=system))[0]
    assert found.fix == "take them out of the image: apt-get purge libnvidia-compute-550"
    assert found.image == ("RUN apt-get purge -y libnvidia-compute-550",)


def test_files_in_a_compat_folder_are_no_driver_in_the_image() -> None:
    system = {"driver_files": [{"path": COMPAT, "size": 1 << 20}], "kernel_driver": "570.86.15"}
    assert first(evidence(system=system)) == ("", "")


@pytest.mark.parametrize(
    ("kernel", "word"),
    [("570.86.15", "(error 803)"), ("550.54.14", "(error 803)"), ("535.104.05", "(error 804)")],
)
def test_a_compat_folder_against_the_driver_of_the_host(kernel: str, word: str) -> None:
    found = diagnose(evidence(system={"driver": COMPAT, "kernel_driver": kernel}))[0]
    assert (found.rule, found.level) == ("compat_first", "error")
    assert word in found.why


def test_a_compat_folder_with_which_cuda_starts_is_what_it_is_for() -> None:
    assert first(evidence(gpu=H200, torch=TORCH, system={"driver": COMPAT, "kernel_driver": "535.104.05"})) == ("", "")


def test_a_full_dev_shm_is_an_error_and_one_that_nobody_of_torch_uses_is_not() -> None:
    torch = {"distributions": [dist("torch", "2.15.0")], "torch": TORCH, "gpu": H200}
    assert first(of_user({"shm_free": 4096}, **torch)) == ("shared_memory", "error")
    assert first(of_user({}, **torch)) == ("", "")
    assert first(of_user({"shm_free": 4096}, distributions=[dist("numpy", "2.2.6")])) == ("", "")


@pytest.mark.parametrize(("second", "found"), [("12.4", False), ("12.6", True), ("", True)])
def test_two_copies_that_say_one_release_are_no_finding(second: str, found: bool) -> None:
    paths = {"libcudart.so.12": ["/a/libcudart.so.12"], "libcudart.so.12.6.77": ["/b/libcudart.so.12.6.77"]}
    process = {"pid": 7, "python": "/v/bin/python", "library_path": "", "python_path": "", "loaded": paths}
    versions = {"/a/libcudart.so.12": "12.4", **({"/b/libcudart.so.12.6.77": second} if second else {})}
    said = diagnose(evidence(gpu=H200, system={"processes": [process], "versions": versions}))
    assert [one.rule for one in said] == (["two_copies"] if found else [])


def test_libraries_of_two_major_versions_are_not_two_copies() -> None:
    paths = {"libcudart.so.11.0": ["/a/libcudart.so.11.0"], "libcudart.so.12": ["/b/libcudart.so.12"]}
    process = {"pid": 7, "python": "/v/bin/python", "library_path": "", "python_path": "", "loaded": paths}
    assert diagnose(evidence(gpu=H200, system={"processes": [process]})) == []


def test_the_facts_have_their_sources() -> None:
    assert all(row["source"] for row in (*caches(), *nameless()))
    assert {row["package"] for row in caches()} >= {
        "huggingface-hub",
        "torch",
        "triton",
        "numba",
        "matplotlib",
        "ccache",
    }


@pytest.mark.parametrize(
    "text", ["torch==", "torch @ file:///x", "$(reboot)", "torch==9; python_version<'3'", "numpy<1"]
)
def test_requirements_that_are_none_of_torch_are_passed_over(text: str) -> None:
    other = {**dist("torchvision", "0.21.0"), "torch": [text]}
    seen = evidence(gpu=H200, torch=TORCH, distributions=[dist("torch", "2.6.0"), other])
    assert diagnose(seen) == []
