"""talkinggaussian-modern rehearsed: its shipped lock made whole, mmcv-full's real sdist compiled for 9.0 and 12.0.

Real: base, Python packages with torch 2.11, CUDA 13.0's compiler and mmcv-full. Stand-ins: fpn-fp-512.pth, and where
MODELSTACKS_REHEARSAL_SOURCES has not the real ones, TalkingGaussian, its submodules and pytorch3d. The other weights
are held to hashes, and left to be mounted. mmcv-full and pytorch3d take some two hours of two cores.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from builder.engine.client import Engine
from tests.conftest import REPO
from tests.rehearsal import cuda
from tests.rehearsal.clone import clone
from tests.rehearsal.githosts import exchanging
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.site import Mirrors, mirrors
from tests.rehearsal.talkinggaussian import MOUNTED, SKIPPED, repositories, weights

pytestmark = pytest.mark.heavy

NAME = "talkinggaussian-modern"


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrors]:
    root = tmp_path_factory.mktemp(NAME)
    stack = yaml.safe_load((REPO / "stacks" / NAME / "stack.yaml").read_text())
    pytorch3d = cuda.package("pytorch3d", "pytorch3d._C", ["pytorch3d"], "0.7.2")  # as its files say
    pytorch3d |= {f"pytorch3d/{path.name}": path.read_text() for path in (cuda.STANDINS / "pytorch3d").glob("*.py")}
    with mirrors(root / "site") as found:
        weights(found, stack)
        found.path = exchanging(root / "bin", repositories(found, stack, pytorch3d))
        yield found


def test_the_whole_chain_ends_green(site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("clone")
    with clone(folder, NAME, site.settings(mount_weights=MOUNTED), engine, locked=True) as here:
        shipped = here.lock()
        made = here.made(path=site.path)
        figures(here, made)
        judge(made, SKIPPED)
        whole = here.lock()
        assert (bool(shipped.unresolved), whole.unresolved) == (True, ())
        assert whole.wheels == shipped.wheels, "file for file, by hash"
        assert {item.project for item in whole.built} >= {"mmcv-full", "pytorch3d", "simple-knn", "gridencoder"}
