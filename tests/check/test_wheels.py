"""The facts agree with what tools/wheels.py read in the wheels themselves (docs/evidence/wheels.yaml)."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from builder.check import packaged_facts
from builder.check.spans import within
from builder.check.torch import covers

FACTS = packaged_facts()
TABLE: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "docs" / "evidence" / "wheels.yaml").read_text()
)
CUDA = re.compile(r"lib(cublas|cublasLt|cudart|cudnn\w*|cufft|curand|nvrtc)\.so\.\d+")


# Of the libraries that NVIDIA's wheels hold, those that are there for one release of CUDA alone.
_HELD = {
    name
    for row in FACTS["library_folders"]
    for name in row["libraries"]
    if not name.startswith(("libcudart.", "libnvrtc."))
}


def wheels(project: str) -> list[Any]:
    found = [pytest.param(row, id=row["version"]) for row in TABLE if row["project"] == project]
    assert found
    return found


def release(row: dict[str, Any]) -> Any:
    return parse_wheel_filename(row["file"])[1]


def library(row: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [value for path, value in row["libraries"].items() if path.endswith("/" + name)]
    return found  # type: ignore[no-any-return]


def capabilities(code: list[str], kind: str) -> list[str]:
    """Of names such as sm_90 and sm_90a: 9.0 and 9.0a, in order."""
    found = sorted(
        re.findall(rf"^{kind}(\d+)(\d)([a-z]?)$", "\n".join(code), re.M), key=lambda one: int(one[0] + one[1])
    )
    return [f"{major}.{minor}{only}" for major, minor, only in found]


@pytest.mark.parametrize("row", wheels("onnxruntime-gpu"))
def test_onnxruntime_needs_and_holds_what_the_facts_say(row: dict[str, Any]) -> None:
    (fact,) = [one for one in FACTS["onnxruntime_gpu"] if within(release(row), one["versions"])]
    provider = library(row, "libonnxruntime_providers_cuda.so")
    assert {one for one in provider["needed"] if CUDA.fullmatch(one)} == set(fact["libraries"])
    # It spells NVRTC and the runtime of other releases of CUDA too, and opens what is there.
    own = {f"libcudart.so.{fact['cuda']}", f"libnvrtc.so.{fact['cuda']}", *_HELD}
    assert set(provider.get("spelled", ())) & own == set(fact.get("opens", ()))
    assert ("libcuda.so.1" in provider["needed"]) == fact.get("driver", False)
    assert capabilities(provider["code"], "sm_") == list(fact["capabilities"])
    assert "".join(capabilities(provider["code"], "compute_")) == fact["ptx"]
    assert f"libnvinfer.so.{fact['tensorrt']}" in library(row, "libonnxruntime_providers_tensorrt.so")["needed"]


@pytest.mark.parametrize("row", wheels("torch"))
def test_torch_asks_for_and_holds_what_the_facts_say(row: dict[str, Any]) -> None:
    version = release(row)
    (fact,) = [one for one in FACTS["torch_releases"] if within(version, f"=={one['torch']}")]
    asked = {one.name: one.specifier for one in map(Requirement, row["requires"])}
    wanted = f"~={fact['triton'].replace('*', '0')}" if "*" in fact["triton"] else f"=={fact['triton']}"
    assert str(asked["triton"]) == wanted
    cuda = fact["default"]
    assert str(asked[f"nvidia-cudnn-cu{cuda[:2]}"]) == f"=={fact['builds'][cuda]}"
    (code,) = [one for one in FACTS["torch_builds"] if cuda in one["cuda"] and within(version, one["torch"])]
    held = library(row, "libtorch_cuda.so")["code"]
    assert set(code["capabilities"]) <= set(capabilities(held, "sm_"))
    assert code["ptx"] == "".join(capabilities(held, "compute_"))
    linalg = library(row, "libtorch_cuda_linalg.so")["code"]
    assert not capabilities(linalg, "compute_")
    runs = [one for one in code["capabilities"] if covers(capabilities(linalg, "sm_"), "", one)]
    parts = [one for one in FACTS["torch_parts"] if one["cuda"] == cuda and within(version, one["torch"])]
    assert runs == list(parts[0]["capabilities"] if parts else code["capabilities"])


@pytest.mark.parametrize("project", ["nvidia-cudnn-cu12", "nvidia-cudnn-cu13"])
def test_cudnn_holds_the_libraries_that_the_facts_say(project: str) -> None:
    for row in (one.values[0] for one in wheels(project)):
        assert isinstance(row, dict)
        names = {path.rpartition("/")[2] for path in row["files"] if ".so." in path}
        folders = [one for one in FACTS["library_folders"] if one["package"] == project]
        (fact,) = [one for one in folders if within(release(row), one.get("versions", ""))]
        assert names == set(fact["libraries"]), row["version"]


@pytest.mark.parametrize("kind", ["cudnn", "nccl"])
def test_wheels_of_two_cudas_install_over_each_other(kind: str) -> None:
    (row,) = [one for one in FACTS["conflicting_packages"] if one["module"] == f"nvidia.{kind}"]
    both = [one for one in TABLE if one["project"] in row["packages"] and one["version"] in ("9.28.0.42", "2.28.9")]
    first, second = (set(one["files"]) for one in both)
    assert f"nvidia/{kind}/lib/lib{kind}.so.{both[0]['version'].split('.')[0]}" in first & second


def test_torchs_libraries_look_before_the_library_path_and_cudnns_parts_after() -> None:
    for row in (one for one in TABLE if one["project"] == "torch"):
        assert all("rpath" in one and "runpath" not in one for one in row["libraries"].values())
    for row in (one for one in TABLE if one["project"].startswith("nvidia-cudnn")):
        assert "runpath" in library(row, "libcudnn_graph.so.9")


def test_nvcc_names_no_version_of_its_parts() -> None:
    (fact,) = FACTS["toolkit_parts"]
    for row in (one for one in TABLE if one["project"] == fact["package"]):
        assert set(row["requires"]) == set(fact["parts"])


def test_a_client_without_certifi_is_known_to_trust_the_system_alone() -> None:
    found = [one for one in TABLE if one["project"] == "huggingface-hub"]
    assert found
    for row in found:
        rows = [one for one in FACTS["trust_stores"] if one["package"] == row["project"]]
        (fact,) = [one for one in rows if within(release(row), one["versions"])]
        names = {Requirement(one).name for one in row["requires"]}
        assert fact["client"] in names
        assert ("certifi" not in names and "httpx2" in names) == (fact["store"] and not fact["roots"])


NAMED_BY_CUDA = re.compile(r"nvidia/.*/lib/(lib(?:cublas|cublasLt|cudart|cufft|curand|nvrtc|nvJitLink)\.so\.\d+)")


@pytest.mark.parametrize(
    "project", ["nvidia-cublas", "nvidia-cuda-nvrtc", "nvidia-cuda-runtime", "nvidia-cufft", "nvidia-curand"]
)
def test_the_wheels_of_cuda_13_hold_the_libraries_and_folders_that_the_facts_say(project: str) -> None:
    (fact,) = [one for one in FACTS["library_folders"] if one["package"] == project]
    for row in (one.values[0] for one in wheels(project)):
        assert isinstance(row, dict)
        held = {path: found[1] for path in row["files"] if (found := NAMED_BY_CUDA.fullmatch(path))}
        assert set(held.values()) == set(fact["libraries"]), row["version"]
        assert {path.rpartition("/")[0] for path in held} == {fact["folder"]}, row["version"]


def test_tensorrts_libraries_are_on_no_index_but_nvidias_and_its_bindings_name_one_major() -> None:
    for row in TABLE:
        if row["project"].endswith("-bindings"):
            needed = library(row, "tensorrt.so")["needed"]
            assert f"libnvinfer.so.{release(row).major}" in needed, row["file"]
        if row["project"].endswith("-libs"):
            assert row["fetches"].startswith("https://pypi.nvidia.com"), row["file"]


def test_the_project_tensorrt_asks_for_the_cuda_that_the_facts_say() -> None:
    found = [one for one in TABLE if one["project"] == "tensorrt"]
    assert found
    for row in found:
        (fact,) = [one for one in FACTS["tensorrt"] if within(Version(row["version"]), one["versions"])]
        assert row["requires"] == [f"tensorrt_cu{fact['meta']}=={row['version']}"]


def test_setuptools_without_pkg_resources_is_the_one_that_the_facts_say() -> None:
    breaks = {one["breaks"] for one in FACTS["package_pairs"] if "which setuptools 82 removed" in one["cause"]}
    for row in (one for one in TABLE if one["project"] == "setuptools"):
        assert all(within(release(row), one) == ("pkg_resources/" not in row["files"]) for one in breaks)
