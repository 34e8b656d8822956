"""talkinggaussian rehearsed: its unchanged files on a Python 3.8, what the default index has is the real thing.

Stand-ins, each by the name that the stack asks for:

- torch 1.12.1+cu113: torch 1.13.1 of the default index, which is for CUDA 11.7 (its own 1.12.1 is for CUDA 10.2, which
  the smoke tests refuse), with torchvision and torchaudio of that release;
- mmcv-full and pytorch3d: the few functions that their smoke tests call, with a compiled module each;
- the sources: repositories with the three CUDA packages and the files that the stack edits, two of them submodules;
- fpn-fp-512.pth, whose hash nobody told: some bytes. The other weights are held to hashes, and left to be mounted;
- the base: Debian 12 with the compiler of CUDA 11.8.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.engine.client import Engine
from builder.settings import Settings
from tests.conftest import REPO
from tests.rehearsal import cuda, cuda11
from tests.rehearsal.bases import python_base
from tests.rehearsal.clone import clone
from tests.rehearsal.githosts import exchanging
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.repack import StandIn, repacked
from tests.rehearsal.site import Mirrors, mirrors
from tests.rehearsal.talkinggaussian import FPN, MOUNTED, SKIPPED, repositories, weights

pytestmark = pytest.mark.heavy

NAME = "talkinggaussian"
STANDINS = [
    StandIn("torch", "1.13.1", "1.12.1+cu113", {}),
    StandIn("torchvision", "0.14.1", "0.13.1+cu113", {"torch": "1.12.1"}),
    StandIn("torchaudio", "0.13.1", "0.12.1+cu113", {"torch": "1.12.1"}),
]
MMCV = ["addict", "numpy", "packaging", "Pillow", "pyyaml", "yapf", "opencv-python>=3"]


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrors]:
    root = tmp_path_factory.mktemp(NAME)
    plain = Settings(home=root / "home", stacks=())
    stack = yaml.safe_load((REPO / "stacks" / NAME / "stack.yaml").read_text())
    family = yaml.safe_load((REPO / "stacks" / "families" / f"{stack['family']}.yaml").read_text())
    with mirrors(root / "site") as found:
        cuda11.toolkit(plain, root / "base" / "context" / "cuda")
        copied = "COPY cuda /usr/local/cuda"
        tag = python_base("3.8", root / "base", plain, engine, packages=cuda11.COMPILERS, more=copied)
        try:
            found.image(tag, f"docker.io/{family['base']['image']}", engine)
            _wheels(found, stack, tag, engine, root)
        finally:
            engine.remove(tag)
        for wheel in repacked(STANDINS, "cp38", plain, root / "wheels"):
            found.index(family["indexes"]["pytorch"]["url"], [wheel])
            wheel.unlink()
        weights(found, stack)
        # pytorch3d's is compiled only where there is no wheel.
        found.path = exchanging(root / "bin", repositories(found, stack, {"README": ""}))
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
        [baked] = here.lock().weights
        assert (baked.project, baked.size) == ("fpn-fp-512.pth", len(FPN))
        assert baked.seen.startswith(site.url), "recorded by the first fetch, from the mirror"
        tag = made["image"]["tag"]
        assert _imported(engine, tag) == 0
        assert _imported(engine, tag, "--env=PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=cpp") == 139, "a segmentation fault"


def _imported(engine: Engine, tag: str, *options: str) -> int:
    """The exit code of importing TensorFlow after torchaudio in an image."""
    words = ["run", "--rm", "--network=none", *options, "--entrypoint=/opt/venv/bin/python", tag, "-c"]
    return engine.run([*words, "import torchaudio, tensorflow"], check=False).returncode
