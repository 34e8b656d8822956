"""Two releases of cuDNN in one process, each of its files loaded once: found by the parts, not by libcudnn.so alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.doctor.container.rules import cudnn
from tests.doctor.container.conftest import SITE
from tests.doctor.container.test_rules import evidence

CUDNN = f"{SITE}/nvidia/cudnn/lib"
SOURCE = """
#include <dlfcn.h>
#include <stddef.h>
size_t cudnnGetVersion(void) { return RELEASE; }
int cudnnGraphVersionCheck(void) { return dlopen("libcudnn_graph.so.9", RTLD_NOW) ? 0 : 1; }
"""
TORCH = """
import ctypes, os, types
__version__ = "2.15.0"
version = types.SimpleNamespace(cuda="13.2")
_C = types.SimpleNamespace()
cuda = types.SimpleNamespace(is_available=lambda: False, init=lambda: None)
backends = types.SimpleNamespace(cudnn=types.SimpleNamespace(version=lambda: 92600))
folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "nvidia", "cudnn", "lib")
ctypes.CDLL(os.path.join(folder, "libcudnn.so.9"), mode=ctypes.RTLD_GLOBAL)  # as torch's DT_RPATH finds it
"""


def cudnn_of(folder: Path, release: int) -> None:
    """A cuDNN of a release: libcudnn.so.9, which opens its part as the real one does, by its own DT_RUNPATH at last."""
    folder.mkdir(parents=True)
    (folder / "cudnn.c").write_text(SOURCE.replace("RELEASE", str(release)))
    for name in ("libcudnn.so.9", "libcudnn_graph.so.9"):
        path = ["-Wl,--enable-new-dtags,-rpath,$ORIGIN", f"-Wl,-soname,{name}"]
        subprocess.run(["gcc", "-shared", "-fPIC", *path, "-o", name, "cudnn.c", "-ldl"], cwd=folder, check=True)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A torch that loads the cuDNN 9.26 beside it."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to make shared libraries")
    site = tmp_path / "site"
    (site / "torch").mkdir(parents=True)
    (site / "torch" / "__init__.py").write_text(TORCH)
    (site / "torch-2.15.0.dist-info").mkdir()
    (site / "torch-2.15.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.15.0\n")
    cudnn_of(site / "nvidia" / "cudnn" / "lib", 92600)
    return site


def test_parts_of_another_release_on_the_library_path_are_found_and_without_it_not(
    start, diagnose, packages, tmp_path
) -> None:
    cudnn_of(tmp_path / "other", 92800)
    mounts = {SITE: packages, "/other": tmp_path / "other"}
    report = diagnose(start(mounts=mounts, env={"PYTHONPATH": SITE, "LD_LIBRARY_PATH": "/other:/usr/lib"}))
    (found,) = [one for one in report.findings if one.rule == "cudnn_parts"]
    assert (found.level, found.fix) == ("error", "take /other off LD_LIBRARY_PATH")
    assert f"libcudnn.so.9 from {CUDNN} (9.26.0)" in found.why
    assert "libcudnn_graph.so.9 from /other (9.28.0)" in found.why
    assert found.image == ("ENV LD_LIBRARY_PATH=/usr/lib",)
    well = diagnose(start(mounts=mounts, env={"PYTHONPATH": SITE}))
    assert [one.rule for one in well.findings if one.rule == "cudnn_parts"] == []
    loaded = well.evidence.interpreters[0].loaded
    assert loaded
    assert loaded.libraries == {name: (f"{CUDNN}/{name}",) for name in ("libcudnn.so.9", "libcudnn_graph.so.9")}


def test_a_process_that_runs_tells_by_its_map(start, diagnose, packages, tmp_path) -> None:
    """Its library path is set by its own start, and it has loaded the part already."""
    cudnn_of(tmp_path / "other", 92800)
    program = f"import ctypes, time; ctypes.CDLL('{CUDNN}/libcudnn.so.9').cudnnGraphVersionCheck(); time.sleep(3600)"
    script = f'export LD_LIBRARY_PATH=/other; exec python3 -c "{program}"'
    mounts = {SITE: packages, "/other": tmp_path / "other"}
    report = diagnose(start(mounts=mounts, program=("sh", "-c", script)))
    (found,) = [one for one in report.findings if one.rule == "cudnn_parts"]
    assert (found.where, found.fix) == ("process 1", "take /other off LD_LIBRARY_PATH")


@pytest.mark.parametrize(("second", "findings"), [("9.28.0", 1), ("9.26.0", 0), ("", 1)])
def test_two_folders_of_one_release_are_no_finding(second: str, findings: int) -> None:
    process = {"pid": 7, "python": "/v/bin/python", "library_path": "/b", "python_path": ""}
    process["loaded"] = {"libcudnn.so.9": ["/a/libcudnn.so.9"], "libcudnn_ops.so.9": ["/b/libcudnn_ops.so.9"]}
    versions = {"/a/libcudnn.so.9": "9.26.0", **({"/b/libcudnn.so.9": second} if second else {})}
    seen = evidence(system={"processes": [process], "versions": versions})
    assert len(list(cudnn.find(seen))) == findings
