"""The notes' broken GPU containers, made of the real wheels (2 GB): the right diagnosis first, and its fix is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.doctor.container import ContainerReport
from builder.doctor.container.model import ContainerFinding
from tests.doctor.container.conftest import SITE, Site

pytestmark = pytest.mark.heavy

PACKAGES = "/usr/local/lib/python3.11/dist-packages"  # where this Debian's pip would install
FOLDERS = ("cublas", "cuda_nvrtc", "cuda_runtime", "cudnn", "cufft", "curand", "nvjitlink")
EVERY = ":".join(f"{SITE}/nvidia/{name}/lib" for name in FOLDERS)
NO_GPU = "no GPU visible in the container: start it with --gpus all or --device nvidia.com/gpu=all"


@pytest.fixture(scope="module")
def gpu_site(site: Site) -> Path:
    """onnxruntime-gpu for CUDA 12 and every library it needs."""
    names = ("cublas", "cuda-nvrtc", "cuda-runtime", "cudnn", "cufft", "curand", "nvjitlink")
    return site("onnxruntime-gpu==1.20.2", "numpy<2", *(f"nvidia-{name}-cu12" for name in names))


@pytest.fixture
def no_cudnn(gpu_site, tmp_path) -> dict[str, Path]:
    """The same without cuDNN: nothing where its files and its metadata were."""
    metadata = next(gpu_site.glob("nvidia_cudnn_cu12-*.dist-info")).name
    return {SITE: gpu_site, f"{SITE}/nvidia/cudnn": tmp_path, f"{SITE}/{metadata}": tmp_path}


def image_env(found: ContainerFinding) -> str:
    """The LD_LIBRARY_PATH that a finding's Dockerfile lines set."""
    return next(line.partition("=")[2] for line in found.image if line.startswith("ENV LD_LIBRARY_PATH="))


def assert_first(report: ContainerReport, rule: str, problem: str, fix: str) -> ContainerFinding:
    """This finding first, and after it that there is no GPU, where there is none."""
    first, *rest = report.findings
    assert (first.rule, first.problem, first.fix) == (rule, problem, fix)
    assert [one.problem for one in rest] == [NO_GPU]
    return first


def test_no_cudnn_9(start, diagnose, gpu_site, no_cudnn) -> None:
    report = diagnose(start(mounts=no_cudnn, env={"PYTHONPATH": SITE, "LD_LIBRARY_PATH": EVERY}))
    parts = ["_adv", "_cnn", "_engines_precompiled", "_engines_runtime_compiled", "_graph", "_heuristic", "_ops"]
    names = ", ".join(f"libcudnn{part}.so.9" for part in ("", *parts))
    found = assert_first(
        report,
        "provider_libraries",
        f"onnxruntime-gpu 1.20.2 cannot use the GPU: {names} are not in the container",
        f"install nvidia-cudnn-cu12>=9,<10, and add to LD_LIBRARY_PATH: {PACKAGES}/nvidia/cudnn/lib",
    )
    assert found.image[0].endswith("'nvidia-cudnn-cu12>=9,<10'")
    mended = {**no_cudnn, f"{PACKAGES}/nvidia": gpu_site / "nvidia"}
    report = diagnose(start(mounts=mended, env={"PYTHONPATH": SITE, "LD_LIBRARY_PATH": image_env(found)}))
    assert [one.rule for one in report.findings] == ["no_gpu"]


def test_libraries_that_are_there_and_off_the_path(start, diagnose, gpu_site) -> None:
    report = diagnose(start(mounts={SITE: gpu_site}, env={"PYTHONPATH": SITE}))
    found = report.findings[0]
    assert (found.rule, [one.rule for one in report.findings[1:]]) == ("library_path", ["no_gpu"])
    assert "are in the container, and the loader does not look there" in found.problem
    assert found.fix == f"add to LD_LIBRARY_PATH: {image_env(found)}"
    env = {"PYTHONPATH": SITE, "LD_LIBRARY_PATH": image_env(found)}
    assert [one.rule for one in diagnose(start(mounts={SITE: gpu_site}, env=env)).findings] == ["no_gpu"]


def test_a_build_for_cuda_11_on_libraries_of_cuda_12(start, diagnose, site, gpu_site) -> None:
    mounts = {"/opt/old": site("onnxruntime-gpu==1.18.0", "numpy<2"), f"{SITE}/nvidia": gpu_site / "nvidia"}
    report = diagnose(start(mounts=mounts, env={"PYTHONPATH": "/opt/old", "LD_LIBRARY_PATH": EVERY}))
    found = assert_first(
        report,
        "cuda_release",
        "onnxruntime-gpu 1.18.0 is built for CUDA 11 and cuDNN 8; the container holds CUDA 12 and cuDNN 9",
        "install onnxruntime-gpu>=1.19,<1.27",
    )
    assert "libcublasLt.so.11" in found.why


def test_both_builds_of_onnxruntime(start, diagnose, site, gpu_site) -> None:
    both = site("onnxruntime==1.20.1", "onnxruntime-gpu==1.20.2", "numpy<2")
    env = {"PYTHONPATH": f"/opt/both:{SITE}", "LD_LIBRARY_PATH": EVERY}
    report = diagnose(start(mounts={"/opt/both": both, SITE: gpu_site}, env=env))
    found = report.findings[0]
    assert (found.rule, found.level) == ("conflicting_packages", "error")
    assert found.problem == "onnxruntime 1.20.1 and onnxruntime-gpu 1.20.2 are both installed"
    assert found.fix == "uninstall both, then install onnxruntime-gpu==1.20.2 alone"
    assert report.findings[-1].problem == NO_GPU


def test_a_healthy_one_says_only_that_there_is_no_gpu(start, diagnose, gpu_site) -> None:
    """Its library path is set by its start script alone, as many images do."""
    script = f"export LD_LIBRARY_PATH={EVERY}; exec python3 -c 'import time; time.sleep(3600)'"
    report = diagnose(start(mounts={SITE: gpu_site}, env={"PYTHONPATH": SITE}, program=("sh", "-c", script)))
    assert [(one.level, one.problem) for one in report.findings] == [("warning", NO_GPU)]
    versions = report.evidence.system.versions
    assert versions[f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9"].startswith("9.")
    assert versions[f"{SITE}/nvidia/cuda_runtime/lib/libcudart.so.12"].startswith("12.")
    session = report.evidence.interpreters[0].session
    assert session and session.right and "CUDAExecutionProvider" in session.available


def test_on_a_gpu_a_healthy_one_has_no_finding(engine, start, diagnose, gpu_site) -> None:
    gpu = engine.gpu_arguments()
    if not gpu:
        pytest.skip("the engine offers no GPU")
    env = {"PYTHONPATH": SITE, "LD_LIBRARY_PATH": EVERY}
    report = diagnose(start(*gpu, mounts={SITE: gpu_site}, env=env))
    assert report.findings == []
    session = report.evidence.interpreters[0].session
    assert session and session.right and session.providers[0] == "CUDAExecutionProvider"
