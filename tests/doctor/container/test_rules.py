"""What follows from what was seen, for containers and GPUs that cannot be had here."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from builder.check.torch import named_code_runs
from builder.doctor.container import probes
from builder.doctor.container.facts import modules
from builder.doctor.container.model import ContainerFinding, Evidence
from builder.doctor.container.plan import builds
from builder.doctor.container.rules import diagnose

PROBES = Path(probes.__file__).parent
H200 = {"driver": "570.86.15", "cuda_of_driver": "12.8", "devices": [{"name": "NVIDIA H200", "capability": "9.0"}]}
CUDA12 = ["libcublas.so.12", "libcublasLt.so.12", "libcudart.so.12", "libcufft.so.11", "libcurand.so.10"]
PROVIDER = {
    "name": "cuda",
    "path": "/v/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime_providers_cuda.so",
    "needed": [*CUDA12, "libcudnn.so.9", "libc.so.6"],
    "missing": [],
    "traced": True,
}
TORCH = {"version": "2.6.0", "cuda": "12.4", "arches": ["sm_80", "sm_90"], "error": "", "numpy": "", "available": True}


def dist(name: str, version: str, *numpy: str) -> dict[str, Any]:
    return {"name": name, "version": version, "folder": "/v/lib/python3.11/site-packages", "numpy": list(numpy)}


def evidence(*, gpu: Any = None, system: Any = None, container: Any = None, **python: Any) -> Evidence:
    """A container with one Python, /v, in which all is well but for what is given."""
    interpreter = {
        "version": "3.11.2",
        "executable": "/v/bin/python",
        "python": "/v/bin/python",
        "prefix": "/v",
        "site": "/v/lib/python3.11/site-packages",
        "conda": False,
        "pip": True,
        "managed": False,
        "distributions": [],
        "closed": [],
        "providers": [],
        "imports": [],
        "loads": {},
        "torch": None,
        "torch_said": "",
    }
    facts = {
        "name": "box",
        "id": "1" * 64,
        "image": "image",
        "image_id": "sha256:1",
        "entrypoint": [],
        "command": [],
        "user": "root",
        "env": {},
        "runtime": "runc",
        "gpu_asked": "",
        "read_only": False,
    }
    return Evidence.model_validate(
        {
            "container": {**facts, **(container or {})},
            "system": system or {},
            "gpu": gpu or {},
            "interpreters": [{**interpreter, **python}],
            "unseen": [],
        },
        strict=False,
    )


def first(seen: Evidence) -> ContainerFinding:
    return diagnose(seen)[0]


def test_a_gpu_container_in_which_all_is_well_has_no_finding() -> None:
    session = {"provider": "CUDAExecutionProvider", "version": "1.23.2", "error": "", "right": True}
    session |= {"available": ["CUDAExecutionProvider"], "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
    packages = [dist("onnxruntime-gpu", "1.23.2"), dist("torch", "2.6.0")]
    assert (
        diagnose(evidence(gpu=H200, distributions=packages, providers=[PROVIDER], session=session, torch=TORCH)) == []
    )


def test_missing_libraries_come_with_package_range_folder_and_commands() -> None:
    provider = {**PROVIDER, "missing": ["libcudnn.so.9"]}
    found = first(evidence(gpu=H200, distributions=[dist("onnxruntime-gpu", "1.23.2")], providers=[provider]))
    folder = "/v/lib/python3.11/site-packages/nvidia/cudnn/lib"
    assert found.rule == "provider_libraries"
    assert found.fix == f"install nvidia-cudnn-cu12>=9,<10, and add to LD_LIBRARY_PATH: {folder}"
    assert found.try_now == (
        "docker exec --user 0 box /v/bin/python -m pip install 'nvidia-cudnn-cu12>=9,<10'",
        "docker exec --user 0 box sh -c "
        f"""'printf "%s\\n" {folder} > /etc/ld.so.conf.d/zz-nvidia-wheels.conf && ldconfig'""",
        "docker restart box",
    )
    assert found.image == (
        "RUN /v/bin/python -m pip install 'nvidia-cudnn-cu12>=9,<10'",
        f"ENV LD_LIBRARY_PATH={folder}",
    )


def test_a_wheel_that_is_noted_as_installed_but_lost_its_files_is_installed_anew() -> None:
    packages = [dist("onnxruntime-gpu", "1.23.2"), dist("nvidia-cudnn-cu12", "9.5.1.17")]
    provider = {**PROVIDER, "missing": ["libcudnn.so.9"]}
    found = first(evidence(distributions=packages, providers=[provider]))
    assert "--force-reinstall --no-deps 'nvidia-cudnn-cu12>=9,<10'" in found.image[0]


def test_a_library_that_is_loaded_on_demand_is_missed_without_a_gpu() -> None:
    needed = ["libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcudart.so.13", "libcuda.so.1"]
    provider = {**PROVIDER, "needed": needed, "missing": ["libcuda.so.1"]}
    loads = {"libcudnn.so.9": "libcudnn.so.9: cannot open shared object file", "libcufft.so.12": ""}
    found = first(evidence(distributions=[dist("onnxruntime-gpu", "1.31.1")], providers=[provider], loads=loads))
    assert (found.rule, "libcudnn.so.9 is not in the container" in found.problem) == ("provider_libraries", True)
    assert found.fix.startswith("install nvidia-cudnn-cu13>=9,<10")


def test_libraries_of_this_python_are_preferred_to_others_of_that_name() -> None:
    own = "/v/lib/python3.11/site-packages/nvidia/cudnn/lib"
    system = {"libraries": {"libcudnn.so.9": ["/usr/lib/elsewhere/libcudnn.so.9", f"{own}/libcudnn.so.9"]}}
    provider = {**PROVIDER, "missing": ["libcudnn.so.9"]}
    seen = evidence(system=system, providers=[provider], torch=TORCH, library_path="/x:/y y")
    found = first(seen)
    assert (found.rule, found.fix) == ("library_path", f"add to LD_LIBRARY_PATH: {own}")
    assert found.image == (f"ENV LD_LIBRARY_PATH=/x:{own}",)
    assert "imports torch before onnxruntime" in found.why


LOADS = dict.fromkeys((*CUDA12, "libcudnn.so.9"), "")
OLD = {
    **PROVIDER,
    "needed": ["libcublas.so.11", "libcudart.so.11.0", "libcudnn.so.8", "libcufft.so.10", "libcurand.so.10"],
    "missing": ["libcublas.so.11", "libcudart.so.11.0", "libcudnn.so.8", "libcufft.so.10"],
}


@pytest.mark.parametrize(
    ("python", "driver", "rule", "fix"),
    [
        ("3.11.2", "570.86.15", "cuda_release", "install onnxruntime-gpu>=1.19,<1.27"),
        ("3.8.10", "570.86.15", "cuda_release", "install onnxruntime-gpu>=1.19,<1.27"),
        ("3.11.2", "470.82.01", "provider_libraries", "install nvidia-cublas-cu11>=11,<12 nvidia-cuda-runtime-cu11"),
    ],
    ids=["CUDA 12 there", "Python 3.8", "a driver that is too old for CUDA 12"],
)
def test_a_build_for_cuda_11_beside_cuda_12(python: str, driver: str, rule: str, fix: str) -> None:
    packages = [dist("onnxruntime-gpu", "1.18.0")]
    gpu = {**H200, "driver": driver}
    found = first(evidence(gpu=gpu, version=python, distributions=packages, providers=[OLD], loads=LOADS))
    assert found.rule == rule
    assert found.fix.startswith(fix)


def test_a_driver_too_old_for_the_installed_build() -> None:
    found = first(evidence(gpu={**H200, "driver": "470.82.01"}, providers=[PROVIDER]))
    assert found.rule == "driver"
    assert "525.60.13" in found.fix


def test_the_cpu_build_in_a_container_with_a_gpu() -> None:
    found = first(evidence(gpu=H200, distributions=[dist("onnxruntime", "1.23.2")]))
    assert (found.rule, found.level) == ("cpu_build", "warning")


def test_both_builds_of_onnxruntime_come_before_what_follows_from_it() -> None:
    packages = [dist("onnxruntime", "1.20.1"), dist("onnxruntime-gpu", "1.20.2")]
    provider = {**PROVIDER, "missing": ["libcudnn.so.9"]}
    found = diagnose(evidence(distributions=packages, providers=[provider]))
    assert [one.rule for one in found] == ["conflicting_packages", "provider_libraries", "no_gpu"]
    assert found[0].fix == "uninstall both, then install onnxruntime-gpu==1.20.2 alone"


def test_newer_modules_are_asked_for_where_something_needs_numpy_2() -> None:
    said = "A module that was compiled using NumPy 1.x cannot be run in\nImportError: numpy.core.multiarray failed"
    failed = {"module": "cv2", "ok": False, "version": "", "said": said}
    packages = [dist("numpy", "2.2.6"), dist("opencv-python", "4.9.0.80"), dist("new", "1", "numpy>=2.0")]
    found = first(evidence(distributions=packages, imports=[failed]))
    assert found.fix == "install opencv-python>=4.10.0.84 (new asks for NumPy 2)"


def test_other_import_errors_are_named_with_their_cause() -> None:
    said = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"
    failed = {"module": "cv2", "ok": False, "version": "", "said": said}
    found = first(evidence(distributions=[dist("opencv-python", "4.10.0.84")], imports=[failed]))
    assert (found.rule, "opencv-python-headless" in found.fix) == ("import", True)


@pytest.mark.parametrize(
    ("said", "last", "command"),
    [
        ("module compiled against ABI version 0x1000009 but this version of numpy is 0x2000000", "x", "'numpy<2'"),
        (
            "numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88",
            "x",
            "'numpy<2'",
        ),
        (
            "module compiled against API version 0x10 but this version of numpy is 0xe",
            "numpy.core.multiarray failed to import",
            "--upgrade numpy",
        ),
    ],
)
def test_numpy_is_turned_to_the_side_that_the_module_asks_for(said: str, last: str, command: str) -> None:
    failed = {"module": "pandas", "ok": False, "version": "", "said": f"RuntimeError: {said}\nImportError: {last}"}
    found = first(evidence(distributions=[dist("pandas", "2.0.3"), dist("numpy", "2.2.6")], imports=[failed]))
    assert found.rule == "numpy_abi"
    assert found.image[0].endswith(f"pip install {command}")


BLACKWELL = {**H200, "devices": [{"name": "NVIDIA GeForce RTX 5070", "capability": "12.0"}]}


def test_torch_without_code_for_the_gpu() -> None:
    found = first(evidence(gpu=BLACKWELL, distributions=[dist("torch", "2.6.0")], torch=TORCH))
    assert found.rule == "torch_architecture"
    assert found.fix == "install torch>=2.7 built for CUDA 12.8 or newer"


def test_torch_that_cannot_start_cuda_use_numpy_or_be_imported() -> None:
    packages = [dist("torch", "2.1.0"), dist("numpy", "2.0.0")]
    error = "The NVIDIA driver on your system is too old (found version 11040)."
    assert first(evidence(gpu=H200, distributions=packages, torch={**TORCH, "error": error})).why == error
    assert (
        first(evidence(distributions=packages, torch={**TORCH, "numpy": "Numpy is not available"})).rule == "numpy_abi"
    )
    broken = first(evidence(distributions=packages, torch_said="x\nOSError: libcudnn.so.9: cannot open"))
    assert (broken.rule, broken.why) == ("torch_import", "OSError: libcudnn.so.9: cannot open")
    cpu = first(evidence(gpu=H200, distributions=packages, torch={**TORCH, "cuda": ""}))
    assert (cpu.rule, cpu.level) == ("cpu_build", "warning")


@pytest.mark.parametrize(
    ("arches", "capability", "runs"),
    [
        ("sm_80 sm_86", "8.9", True),
        ("sm_80 sm_86", "9.0", False),
        ("sm_86 compute_86", "9.0", True),
        ("sm_90", "8.0", False),
        ("sm_100 sm_120", "12.0", True),
        ("sm_120 compute_120", "10.0", False),
        ("sm_100a compute_100a", "10.0", True),
        ("sm_100a compute_100a", "10.3", False),
        ("sm_100f compute_100f", "10.3", True),
        ("sm_100f compute_100f", "12.0", False),
    ],
)
def test_an_arch_list_against_a_gpu(arches: str, capability: str, runs: bool) -> None:
    assert named_code_runs(arches.split(), capability) is runs


def test_a_session_that_fails_though_all_is_found_is_an_error_of_its_own() -> None:
    session: dict[str, Any] = {"provider": "CUDAExecutionProvider", "version": "1.23.2"}
    session |= {"available": [], "providers": [], "right": False, "error": "Fail: CUDNN_STATUS_EXECUTION_FAILED"}
    found = first(evidence(gpu=H200, providers=[PROVIDER], session=session))
    assert (found.rule, found.why) == ("session", "Fail: CUDNN_STATUS_EXECUTION_FAILED")


@pytest.mark.parametrize(
    ("container", "why"),
    [
        ({"gpu_asked": "--gpus all", "env": {"NVIDIA_DRIVER_CAPABILITIES": "utility"}}, "NVIDIA_DRIVER_CAPABILITIES"),
        ({"gpu_asked": "--runtime nvidia"}, "NVIDIA_VISIBLE_DEVICES is not set"),
        ({"gpu_asked": "--device nvidia.com/gpu=all"}, "it was started with --device nvidia.com/gpu=all"),
        ({}, "none was asked for when it was started"),
    ],
)
def test_why_no_gpu_is_visible(container: dict[str, Any], why: str) -> None:
    found = first(evidence(container=container, distributions=[dist("onnxruntime-gpu", "1.23.2")]))
    assert (found.rule, found.level) == ("no_gpu", "warning")
    assert found.why.startswith(why)


def test_what_could_not_be_seen_is_said() -> None:
    seen = evidence(system={"cut": True}).model_copy(update={"unseen": ("/a: no answer within 5 s",)})
    assert [(one.rule, one.level) for one in diagnose(seen)] == [("unseen", "warning"), ("unseen", "note")]


def test_a_read_only_container_gets_no_commands_to_try() -> None:
    provider = {**PROVIDER, "missing": ["libcudnn.so.9"]}
    assert first(evidence(container={"read_only": True}, providers=[provider])).try_now == ()


def test_hostile_versions_do_not_reach_a_command() -> None:
    packages = [dist("onnxruntime", "1; reboot"), dist("onnxruntime-gpu", "$(reboot)\n# x")]
    found = first(evidence(distributions=packages))
    assert "reboot" not in " ".join((*found.image, *found.try_now, found.fix))


@pytest.mark.parametrize("name", ["system", "interpreter", "session", "user"])
def test_probes_are_written_for_python_3_7(name: str) -> None:
    """The grammar alone: no such Python can be had here."""
    ast.parse((PROBES / f"{name}.py").read_text(), feature_version=(3, 7))


def test_the_facts_are_whole() -> None:
    assert [(one.versions, one.cuda, one.cudnn) for one in builds()] == [
        (">=1.9,<1.19", "11", "8"),
        (">=1.19,<1.27", "12", "9"),
        (">=1.27", "13", "9"),
    ]
    assert all("libcudnn.so." in " ".join(one.needs) for one in builds())
    assert all(row["source"] for row in modules())


@pytest.mark.parametrize("module", ["forged", "$(reboot)", "", "numpy.core._multiarray_umath"])
@pytest.mark.parametrize("said", ["", "compiled using NumPy 1.x cannot be run in NumPy 2.0.0", "boom"])
def test_a_module_that_nobody_asked_about_or_that_nothing_brings_is_no_traceback(module: str, said: str) -> None:
    for name in (module, *(row["module"] for row in modules())):  # the known ones: without their distributions
        found = diagnose(evidence(imports=[{"module": name, "ok": False, "version": "", "said": said}]))
        assert name in {row["module"] for row in modules()} or not found


@pytest.mark.parametrize(
    ("version", "capability", "fix"),
    [
        ("1.31.1", "12.1", "install onnxruntime-gpu>=1.28,<1.29"),
        ("1.31.1", "12.0", ""),
        ("1.28.0", "12.1", ""),
        ("1.28.0", "10.3", "install onnxruntime-gpu>=1.24,<1.27"),
        ("1.23.2", "12.1", ""),
    ],
)
def test_onnxruntime_without_code_for_the_gpu(version: str, capability: str, fix: str) -> None:
    gpu = {**H200, "driver": "595.45.04", "devices": [{"name": "GPU", "capability": capability}]}
    found = diagnose(evidence(gpu=gpu, distributions=[dist("onnxruntime-gpu", version)]))
    assert [one.fix for one in found if one.rule == "onnxruntime_architecture"] == ([fix] if fix else [])
