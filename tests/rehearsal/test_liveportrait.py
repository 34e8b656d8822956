"""liveportrait rehearsed: its unchanged files on a Python 3.10, what the default index has is the real thing.

torch for CUDA 12.8 comes from an index that cannot be reached: the default index's torch 2.8.0, which is for CUDA 12.8
too, stands for 2.7.1+cu128 (its own 2.7.1 is for 12.6, and the smoke test of `gpus` refuses it for want of 10.0 and
12.0). The source is a repository of one file; the weights, whose hashes are known, are left to be mounted.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from builder.engine.client import Engine
from builder.settings import Settings
from tests.conftest import REPO
from tests.rehearsal.bases import python_base
from tests.rehearsal.clone import clone
from tests.rehearsal.githosts import exchanging
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.repack import StandIn, repacked
from tests.rehearsal.site import Mirrors, mirrors

pytestmark = pytest.mark.heavy

NAME = "liveportrait"
STANDINS = [
    StandIn(
        "torch",
        "2.8.0",
        "2.7.1+cu128",
        # what 2.7.1 requires; its cuSPARSELt lies in another folder than that of 2.8.0
        {"nvidia-cusparselt-cu12": "0.6.3", "triton": "3.3.1"},
    ),
    StandIn("torchvision", "0.23.0", "0.22.1+cu128", {"torch": "2.7.1"}),
    StandIn("torchaudio", "2.8.0", "2.7.1+cu128", {"torch": "2.7.1"}),
]


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrors]:
    root = tmp_path_factory.mktemp(NAME)
    plain = Settings(home=root / "home", stacks=())
    stack = yaml.safe_load((REPO / "stacks" / NAME / "stack.yaml").read_text())
    with mirrors(root / "site") as found:
        tag = python_base("3.10", root / "base", plain, engine)
        try:
            found.image(tag, "docker.io/library/ubuntu:22.04", engine)
        finally:
            engine.remove(tag)
        for wheel in repacked(STANDINS, "cp310", plain, root / "wheels"):
            found.index("https://download.pytorch.org/whl/cu128", [wheel])
            wheel.unlink()
        commits = {one["commit"]: found.repository(one["git"], {"inference.py": ""}) for one in stack["sources"]}
        found.path = exchanging(root / "bin", commits)
        yield found
        found.forget(engine)


def test_the_whole_chain_ends_green(site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = site.settings(mount_weights=["*.pth", "*.onnx"])
    with clone(tmp_path_factory.mktemp("clone"), NAME, settings, engine) as here:
        made = here.made(path=site.path)
        figures(here, made)
        judge(made, {})
