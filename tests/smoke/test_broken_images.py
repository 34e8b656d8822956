"""Each smoke test fails on an image that has what it is there to find, for that reason, and no other test fails."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.smoke import SmokeReport
from tests.smoke.conftest import Variant

SITE = "/opt/venv/lib/python3.11/site-packages"


def failures(report: SmokeReport) -> dict[str, str]:
    return {one.test.removeprefix("test_"): one.reason for one in report.results if one.outcome == "failed"}


def assert_exactly(report: SmokeReport, expected: dict[str, str]) -> None:
    """Exactly the expected tests failed, each with a reason that its pattern finds."""
    found = failures(report)
    assert set(found) == set(expected), found
    for test, pattern in expected.items():
        assert re.search(pattern, found[test]), found[test]
    assert not report.green


def distribution(name: str, version: str) -> str:
    """Dockerfile line: the dist-info of a package that was never unpacked."""
    folder = f"{SITE}/{name.replace('-', '_')}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
    return f"RUN mkdir {folder} && printf '{text}' > {folder}/METADATA"


def added(module: str, line: str) -> str:
    """Dockerfile line: one more line at the end of a package's __init__.py, and no bytecode of the old text."""
    return f"RUN echo '{line}' >> {SITE}/{module}/__init__.py && rm -rf {SITE}/{module}/__pycache__"


def test_what_is_installed_beside_the_lock_is_named(judge, variant) -> None:
    image = variant(
        "\n".join(
            [
                f"RUN sed -i 's/^Version: 1.26.4/Version: 1.26.3/' {SITE}/numpy-1.26.4.dist-info/METADATA",
                distribution("opencv-python", "4.9.0.80"),
                distribution("onnxruntime-gpu", "1.20.2"),
                distribution("scipy", "1.0"),
                f"RUN echo {{}} > {SITE}/sympy-1.14.0.dist-info/direct_url.json",
                f"RUN echo {{}} > {SITE}/sympy-1.14.0.dist-info/uv_cache.json",
                "RUN mkdir -p /root/.cache/pip",
                f"RUN python -m compileall -q -f --invalidation-mode timestamp {SITE}/mpmath/libmp/backend.py",
            ]
        )
    )
    assert_exactly(
        judge(image, python="3.10", interpreter="/usr/bin/perl", smoke=("python", "opencv", "onnxruntime")),
        {
            "python_has_the_version_of_the_stack": r"Python is 3\.11\.\d+, the stack says 3\.10",
            "python_on_path_is_the_virtual_environment": r"is /usr/bin/python3\.11, the stack says /usr/bin/perl",
            "every_locked_package_is_installed_at_its_locked_version": r"installed: numpy==1\.26\.4; .*numpy==1\.26\.3",
            "nothing_else_is_installed": r"not locked: onnxruntime-gpu==1\.20\.2, opencv-python==4\.9\.0\.80",
            "no_installer_cache_or_package_list_is_left": r"/root/\.cache/pip",
            "no_bytecode_depends_on_time": r"^1 \.pyc .*mpmath/libmp/__pycache__/backend",
            "no_package_remembers_when_it_was_installed": r"sympy-1\.14\.0\.dist-info/uv_cache\.json$",
            "no_package_remembers_a_build_path": r"direct_url\.json of: sympy",
            "exactly_one_distribution_gives_cv2": r"opencv-python and opencv-python-headless",
            "onnxruntime_and_onnxruntime_gpu_are_not_both_installed": r"onnxruntime and onnxruntime-gpu",
        },
    )


def test_packages_that_compute_or_code_wrongly_are_found(judge, variant) -> None:
    image = variant(
        "\n".join(
            [
                added("numpy", 'import warnings; warnings.warn("odd numpy"); __version__ = "1.26.3"'),
                added("scipy/linalg", "_kept = solve; solve = lambda a, b: _kept(a, b) * 1.001"),
                added("cv2", '__version__ = "4.10.0"; resize = lambda image, size: image; _kept = imdecode'),
                added("cv2", "imdecode = lambda data, flags: 255 - _kept(data, flags)"),
                added("onnxruntime", '__version__ = "1.20.0"; _kept = InferenceSession.run'),
                added("onnxruntime", "InferenceSession.run = lambda *given: [_kept(*given)[0] + 0.001]"),
            ]
        )
    )
    assert_exactly(
        judge(image, smoke=("numpy_scipy", "opencv", "onnxruntime", "onnxruntime_cpu")),
        {
            "numpy_and_scipy_have_their_locked_versions": r"imported .*1\.26\.3.*, locked .*1\.26\.4",
            "numpy_and_scipy_import_without_warnings": r"UserWarning: odd numpy",
            "scipy_solves_as_numpy_does": r"1e-12",
            "cv2_has_its_locked_version": r"cv2 is 4\.10\.0, locked: \['4\.9\.0\.80'\]",
            "cv2_resizes_100_to_50": r"\[100, 100, 3\] == \[50, 50, 3\]",
            "cv2_writes_and_reads_jpeg": r"a smooth ramp at quality 95 came back changed",
            "onnxruntime_has_its_locked_version": r"imported 1\.20\.0, locked \['1\.20\.1'\]",
            "onnxruntime_on_the_cpu_equals_numpy[MatMul]": r"of 12 differ, by 0\.00",
            "onnxruntime_on_the_cpu_equals_numpy[Conv]": r"of 256 differ, by 0\.00",
        },
    )


def test_a_crash_shows_the_end_of_what_the_image_said(judge, variant) -> None:
    report = judge(variant(f"RUN rm {SITE}/scipy/linalg/_fblas*.so"), smoke=("numpy_scipy", "opencv"))
    reason = r"(?s)probe numpy_scipy ended with code 1: .*ImportError: .*_fblas"
    assert_exactly(
        report, dict.fromkeys((one.test[5:] for one in report.results if one.check == "numpy_scipy"), reason)
    )
    assert report.passed == 4


def test_a_virtual_environment_closed_to_other_users_is_found(judge, variant) -> None:
    report = judge(variant("RUN chmod 700 /opt/venv"), smoke=("python",))
    assert_exactly(report, {"python_works_from_root_folder_as_another_user": r"as user 4242: .*python"})


def test_python_off_path_is_found(judge, variant) -> None:
    found = failures(judge(variant("ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin"), smoke=("python",)))
    assert found["python_on_path_is_the_virtual_environment"] == "`python` is not on PATH"


@pytest.fixture(scope="module")
def libraries(variant: Variant, tmp_path_factory) -> str:
    """An image with three small libraries, as the NVIDIA wheels put theirs: one needs one, and the driver's; one is
    opened on demand, and what it needs comes with a network card."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to make shared libraries that need others")
    context = tmp_path_factory.mktemp("libraries")
    (context / "empty.c").write_text("int nothing;\n")

    def library(path: str, name: str, *needs: str) -> None:
        target = context / path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-Wl,--no-as-needed", "-o", str(target)]
        linked = [word for need in needs for word in ("-L", str((context / need).parent), f"-l:{Path(need).name}")]
        subprocess.run([*command, str(context / "empty.c"), *linked], check=True)

    library("driver", "libcuda.so.1")
    library("absent", "libabsent.so.7")
    library("nvidia/cublas/lib", "libcublas.so.12")
    library("nvidia/cudnn/lib", "libcudnn.so.9", "nvidia/cublas/lib/libcublas.so.12", "driver/libcuda.so.1")
    library("nvidia/cublas/lib", "libcufile_rdma.so.1", "absent/libabsent.so.7")
    library("broken", "libbroken.so.1", "absent/libabsent.so.7")
    library("other", "libcublas.so.11")
    folders = [f"{SITE}/nvidia/{name}/lib" for name in ("cublas", "cudnn")]
    lines = [
        f"COPY nvidia {SITE}/nvidia",
        "COPY broken/libbroken.so.1 /spare/broken",
        "COPY other/libcublas.so.11 /spare/cublas-11",
        f"RUN printf '%s\\n' {' '.join(folders)} > /etc/ld.so.conf.d/stack.conf && ldconfig",
        f"ENV LD_LIBRARY_PATH={':'.join(folders)}",
    ]
    return variant("\n".join(lines), context=context)


LIBRARIES = {"smoke": ("loader",), "libraries": ("nvidia/cublas/lib", "nvidia/cudnn/lib"), "cuda": "12.9"}


def test_libraries_that_resolve_are_green_and_neither_driver_nor_rdma_is_asked_for(judge, libraries) -> None:
    report = judge(libraries, **LIBRARIES)
    assert report.green, failures(report)


def test_a_library_that_the_loader_does_not_find_is_named(judge, variant, libraries) -> None:
    provider = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
    lines = [f"RUN cp /spare/broken {SITE}/{path}" for path in (provider, "nvidia/cudnn/lib/libbroken.so.1")]
    lost = r"/libonnxruntime_providers_cuda\.so needs libabsent\.so\.7; .*/libbroken\.so\.1 needs libabsent\.so\.7$"
    assert_exactly(
        judge(variant("\n".join(lines), base=libraries), **LIBRARIES),
        {
            "every_library_folder_of_the_stack_holds_libraries": r"in the image: True, onnxruntime-gpu locked: False",
            "every_needed_library_is_found_by_the_cache_alone": lost,
            "every_needed_library_is_found_with_the_library_path_of_the_image": lost,
        },
    )


def test_the_loader_cache_and_the_library_path_must_each_do_alone(judge, variant, libraries) -> None:
    lost = r"libcudnn\.so\.9 needs libcublas\.so\.12$"
    assert_exactly(
        judge(variant("RUN rm /etc/ld.so.conf.d/stack.conf && ldconfig", base=libraries), **LIBRARIES),
        {
            "every_needed_library_is_found_by_the_cache_alone": lost,
            "every_nvidia_library_folder_is_on_the_loader_path": r"not in the loader's cache: nvidia/cublas/lib, ",
        },
    )
    assert_exactly(
        judge(variant("ENV LD_LIBRARY_PATH=", base=libraries), **LIBRARIES),
        {"every_nvidia_library_folder_is_on_the_loader_path": r"not in LD_LIBRARY_PATH: nvidia/cublas/lib, "},
    )


def test_second_versions_and_forgotten_folders_of_cuda_libraries_are_found(judge, variant, libraries) -> None:
    lines = f"RUN cp /spare/cublas-11 /usr/lib/libcublas.so.11 && cp {SITE}/nvidia/cudnn/lib/libcudnn.so.9 /usr/lib"
    forgotten = f"RUN mkdir -p {SITE}/nvidia/cufft/lib && cp /spare/cublas-11 {SITE}/nvidia/cufft/lib/libcufft.so.11"
    assert_exactly(
        judge(
            variant(f"{lines}\n{forgotten}", base=libraries),
            **{**LIBRARIES, "libraries": (*LIBRARIES["libraries"], "no/such")},
        ),
        {
            "every_library_folder_of_the_stack_holds_libraries": r"no shared library in no/such",
            "every_nvidia_library_folder_is_on_the_loader_path": r"not in the stack's libraries: nvidia/cufft/lib",
            "each_cuda_library_is_there_once": r"libcudnn\.so\.9.*/usr/lib",
            "all_cuda_libraries_are_of_one_release": r"several CUDA releases.*libcublas\.so\.11': '11'",
        },
    )


def test_a_loader_test_with_nothing_to_look_at_fails(judge, image) -> None:
    found = failures(judge(image, smoke=("loader",)))
    assert "the stack has no library to look at" in found["every_library_folder_of_the_stack_holds_libraries"]


def test_a_client_that_is_not_there_is_red(judge, image) -> None:
    lost = r"ModuleNotFoundError: No module named 'a2f_client'"
    assert_exactly(
        judge(image, smoke=("a2f_client",)),
        {
            "grpc_is_the_locked_one": lost,
            "health_check_tells_a_service_that_serves": lost,
            "a_second_of_sound_gives_thirty_frames_of_52_weights": lost,
        },
    )
