"""mmcv-full 1.7.1 where its index has no wheel: its real sdist, compiled for 8.6 beside a real torch.

torch is 1.13.1 of the default index, for CUDA 11.7: its 1.12.1 is for CUDA 10.2, which has no code for 8.6. The
compiler is that of CUDA 11.8, the base Debian 12 with Python 3.8.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.build import build, compile_all
from builder.engine.client import Engine
from builder.lock import StackLock
from builder.origin import Origin
from builder.render import base_tag
from builder.spec.model import Stack
from builder.ui import Ui
from tests.build.kit import Ground, ground, python
from tests.conftest import REPO, remove_images
from tests.registry import registry
from tests.rehearsal import cuda11
from tests.rehearsal.bases import python_base

pytestmark = pytest.mark.heavy

IMAGE = "nvidia/cuda:11.3.1-cudnn8-devel-ubuntu20.04"
CODE = REPO / "builder" / "smoke" / "probes" / "extension.py"
EMPTY_PAGE = b"<!DOCTYPE html><html><body></body></html>"
COMPUTE = """
import json, torch, mmcv
from mmcv.ops import box_iou_rotated, get_compiling_cuda_version, nms
boxes = torch.tensor([[6.0, 3, 8, 7], [3, 6, 9, 11], [3, 7, 10, 12], [1, 4, 13, 7]])
kept = nms(boxes, torch.tensor([0.6, 0.9, 0.7, 0.2]), iou_threshold=0.3, offset=0)[1]
one = torch.tensor([[0.0, 0, 2, 2, 0]])
others = torch.tensor([[0.0, 0, 2, 2, 0], [1, 0, 2, 2, 0], [0, 0, 2, 2, torch.pi / 4], [9, 9, 2, 2, 0]])
print(json.dumps({
    "versions": [torch.__version__.partition("+")[0], mmcv.__version__],
    "cuda": get_compiling_cuda_version(),
    "kept": kept.tolist(),
    "overlaps": box_iou_rotated(one, others)[0].tolist(),
}))
"""


@pytest.fixture(scope="module")
def here(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A site whose registry has the base, and whose index of mmcv-full is empty."""
    root = tmp_path_factory.mktemp("from-source")
    with ground(root) as plain:
        cuda11.toolkit(plain.settings, root / "base" / "context" / "cuda")
        copied = "COPY cuda /usr/local/cuda"
        tags = [python_base("3.8", root / "base", plain.settings, engine, packages=cuda11.COMPILERS, more=copied)]
        (root / "registry").mkdir()
        try:
            with registry(root / "registry") as address:
                served = f"{address}/{IMAGE}"
                engine.tag(tags[0], served)
                tags.append(served)
                engine.run(["push", served])
                plain.site.files["index.html"] = EMPTY_PAGE
                yield replace(
                    plain, settings=replace(plain.settings, images={"docker.io/nvidia": (f"{address}/nvidia",)})
                )
        finally:
            remove_images(engine, "from-source")
            for tag in reversed(tags):
                engine.remove(tag)


@pytest.fixture(scope="module")
def locked(here: Ground, engine: Engine) -> Iterator[tuple[Stack, StackLock]]:
    here.write(
        "from-source",
        {
            "summary": "test",
            "base": {"image": IMAGE, "glibc": "2.36"},
            "python": "3.8",
            "packages": ["torch==1.13.1", "torchvision==0.14.1", "numpy==1.23.5", "pillow==9.5.0"],
            "toolchain": {
                "packages": ["torch", "numpy", "setuptools==69.5.1", "wheel", "ninja"],
                "cuda-home": "/usr/local/cuda",
            },
        },
        gpus=["8.6"],
        # mmcv imports torch.utils.cpp_extension, and with it setuptools, and torchvision when it is used too.
        packages=["mmcv-full==1.7.1", "opencv-python==4.8.1.78", "python-speech-features==0.6", "setuptools==69.5.1"],
        system=["libgl1", "libglib2.0-0"],
        indexes={
            "openmmlab": {
                "find-links": f"{here.site.url}/files/index.html",
                "packages": ["mmcv-full"],
                "fallback": True,
            }
        },
        extensions=[{"name": "mmcv-full", "import": ["mmcv.ops"], "compiled": ["mmcv._ext"]}],
        **{"from-source": ["python-speech-features"]},
    )
    stack, lock = here.locked("from-source")
    yield stack, lock
    for tag in (base_tag(lock.base), f"{here.settings.images['docker.io/nvidia'][0]}/cuda@{lock.base.digest}"):
        engine.remove(tag)


def test_an_index_without_a_wheel_gives_the_sdist_of_the_default_index(locked: tuple[Stack, StackLock]) -> None:
    found, other = (item for item in locked[1].wheels if item.kind == "sdist")
    assert (found.project, found.version, found.origin) == ("mmcv-full", "1.7.1", Origin.parse("index:default"))
    assert other.project == "python-speech-features", "which the stack wants from source anyway"


def gpus(wheel: Path, folder: Path) -> list[str]:
    """What the fat binaries of the one shared object of a wheel are for."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".so")]
        words = [sys.executable, str(CODE), "--code", archive.extract(name, folder)]
    found: list[str] = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)["code"]
    return found


def test_it_compiles_and_gives_the_right_values(
    here: Ground, engine: Engine, locked: tuple[Stack, StackLock], tmp_path: Path
) -> None:
    stack, lock = locked
    lock = compile_all(stack, lock, here.folder("from-source"), here.settings, engine, Ui())
    wheel = lock.built[0]
    assert wheel.filename == "mmcv_full-1.7.1-cp38-cp38-linux_x86_64.whl"
    assert gpus(here.settings.home / wheel.folder / wheel.filename, tmp_path) == ["sm_86"]
    image = build(stack, lock, here.settings, engine, Ui()).tag
    done = python(engine, image, COMPUTE)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["versions"] == ["1.13.1", "1.7.1"]
    assert found["cuda"] == "11.8"
    # greedy, best score first: box 2 overlaps box 1 by more than 0.3, the others do not (mmcv's own case)
    assert found["kept"] == [1, 0, 3]
    # the same square; half of it; two squares an eighth turn apart, 1/sqrt(2); apart
    assert found["overlaps"] == pytest.approx([1, 1 / 3, 2**-0.5, 0], abs=1e-5)
