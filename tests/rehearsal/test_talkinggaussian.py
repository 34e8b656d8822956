"""talkinggaussian rehearsed: its unchanged files on a Python 3.8, what the default index has is the real thing.

Stand-ins, each by the name that the stack asks for:

- torch 1.12.1+cu113: torch 1.13.1 of the default index, which is for CUDA 11.7 (its own 1.12.1 is for CUDA 10.2, which
  the smoke tests refuse), with torchvision and torchaudio of that release;
- mmcv-full and pytorch3d: the few functions that their smoke tests call, with a compiled module each;
- the sources: repositories with the three CUDA packages and the files that the stack edits, two of them submodules;
- fpn-fp-512.pth, whose hash nobody told: some bytes. The other weights are held to hashes, and left to be mounted;
- the base: Debian 12 with g++ and nvcc 13.0.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.engine.client import Engine
from builder.settings import Settings
from tests.build.kit import beneath
from tests.conftest import REPO
from tests.rehearsal import cuda
from tests.rehearsal.bases import python_base
from tests.rehearsal.clone import clone
from tests.rehearsal.githosts import exchanging
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.repack import StandIn, repacked
from tests.rehearsal.site import Mirrors, mirrors

pytestmark = pytest.mark.heavy

NAME = "talkinggaussian"
STANDINS = [
    StandIn("torch", "1.13.1", "1.12.1+cu113", {}),
    StandIn("torchvision", "0.14.1", "0.13.1+cu113", {"torch": "1.12.1"}),
    StandIn("torchaudio", "0.13.1", "0.12.1+cu113", {"torch": "1.12.1"}),
]
MMCV = ["addict", "numpy", "packaging", "Pillow", "pyyaml", "yapf", "opencv-python>=3"]
SUBMODULES = {
    "submodules/diff-gaussian-rasterization": "https://github.com/ashawkey/diff-gaussian-rasterization",
    "submodules/simple-knn": "https://gitlab.inria.fr/bkerbl/simple-knn",
}
# Those with a hash in the stack file or in their name, and DeepSpeech's, which its smoke test knows by sha1.
MOUNTED = ["alexnet-*", "resnet18-*", "s3fd-*", "2DFAN4-*", "79999_iter.pth", "deepspeech-*"]
SKIPPED = {
    "lpips.test_the_weights_are_the_ones_their_name_tells": "the stack leaves it to be mounted",
    "lpips.test_an_image_is_at_no_distance_to_itself_and_at_some_to_another": "the stack leaves it to be mounted",
    "tensorflow.test_the_deepspeech_graph_has_its_logits": "the stack leaves it to be mounted",
}
FPN = b"weights of a face parser, for a test"


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrors]:
    root = tmp_path_factory.mktemp(NAME)
    plain = Settings(home=root / "home", stacks=())
    stack = yaml.safe_load((REPO / "stacks" / NAME / "stack.yaml").read_text())
    family = yaml.safe_load((REPO / "stacks" / "families" / f"{stack['family']}.yaml").read_text())
    with mirrors(root / "site") as found:
        cuda.toolkit(plain, root / "base" / "context" / "cuda")
        copied = "COPY cuda /usr/local/cuda"
        tag = python_base("3.8", root / "base", plain, engine, packages=["g++"], more=copied)
        try:
            found.image(tag, f"docker.io/{family['base']['image']}", engine)
            _wheels(found, stack, tag, engine, root)
        finally:
            engine.remove(tag)
        for wheel in repacked(STANDINS, "cp38", plain, root / "wheels"):
            found.index(family["indexes"]["pytorch"]["url"], [wheel])
            wheel.unlink()
        found.put(next(one["url"] for one in stack["weights"] if one.get("url", "").endswith("fpn-fp-512.pth")), FPN)
        found.path = exchanging(root / "bin", _repositories(found, stack))
        yield found
        found.forget(engine)


def _wheels(site: Mirrors, stack: dict[str, Any], base: str, engine: Engine, root: Path) -> None:
    """mmcv-full and pytorch3d, on the pages of links that the stack names."""
    for index, name, version, module, requires in (
        ("openmmlab", "mmcv-full", "1.7.1", "mmcv._ext", MMCV),
        ("pytorch3d", "pytorch3d", "0.7.2", "pytorch3d._C", ["fvcore", "iopath"]),
    ):
        made = cuda.wheel(name, version, module, requires, "86", base, engine, root / name)
        site.page(stack["indexes"][index]["find-links"], [made])


def _repositories(site: Mirrors, stack: dict[str, Any]) -> dict[str, str]:
    """Every git source of the stack; returns the commit of its stand-in by the pinned one."""
    rasterizer = "diff_gaussian_rasterization"
    parts = {
        "submodules/diff-gaussian-rasterization": cuda.package(rasterizer, f"{rasterizer}._C", [rasterizer])
        | {f"{rasterizer}/__init__.py": "from . import _C\n"},
        "submodules/simple-knn": cuda.package("simple_knn", "simple_knn._C") | {"simple_knn/.gitkeep": ""},
    }
    files = beneath(
        "gridencoder",
        cuda.package("gridencoder", "_gridencoder")
        | {
            "__init__.py": "",
            "grid.py": "from .backend import _backend\n",
            "backend.py": "import _gridencoder as _backend\n",
        },
    )
    commits = {path: site.repository(url, parts[path]) for path, url in SUBMODULES.items()}
    found = {}
    for one in stack["sources"]:
        for edit in one["edits"]:
            files[edit["file"]] = files.get(edit["file"], "") + edit["old"]
        listed = [f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, url in SUBMODULES.items()]
        site.repository(one["git"], files | {".gitmodules": "".join(listed)})
        folder = site.git / one["git"].removeprefix("https://")
        for path, commit in commits.items():
            words = ["git", "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}"]
            subprocess.run(words, cwd=folder, check=True)
        found[one["commit"]] = site.amended(folder)
    for one in stack["extensions"]:  # those of a git source of their own are compiled where there is no wheel
        if "git" in one:
            found[one["commit"]] = site.repository(one["git"], {"README": ""})
    return found


def test_the_whole_chain_ends_green(site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = site.settings(mount_weights=MOUNTED)
    with clone(tmp_path_factory.mktemp("clone"), NAME, settings, engine) as here:
        made = here.made(path=site.path)
        figures(here, made)
        judge(made, SKIPPED)
        image = engine.image(made["image"]["tag"])
        assert image
        mounts = {row["path"] for row in json.loads(image.labels["io.modelstacks.mounts"])}
        assert "/workspace/.cache/torch/hub/checkpoints/alexnet-owt-7be5be79.pth" in mounts
        weights = {item.project: item for item in here.lock().weights}
        assert list(weights) == ["fpn-fp-512.pth"]
        assert weights["fpn-fp-512.pth"].size == len(FPN)
        assert weights["fpn-fp-512.pth"].seen.startswith(site.url), "recorded by the first fetch, from the mirror"
        tag = made["image"]["tag"]
        assert _imported(engine, tag) == 0
        assert _imported(engine, tag, "--env=PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=cpp") == 139, "a segmentation fault"


def _imported(engine: Engine, tag: str, *options: str) -> int:
    """The exit code of importing TensorFlow after torchaudio in an image."""
    words = ["run", "--rm", "--network=none", *options, "--entrypoint=/opt/venv/bin/python", tag, "-c"]
    return engine.run([*words, "import torchaudio, tensorflow"], check=False).returncode
