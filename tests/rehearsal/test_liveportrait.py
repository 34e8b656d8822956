"""liveportrait rehearsed: its unchanged files on a Python 3.10, what the default index has is the real thing.

Stand-ins are torch and the base (liveportrait.py), and the source, a repository of one file; the weights, whose hashes
are known, are left to be mounted.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from builder.engine.client import Engine
from tests.rehearsal import liveportrait
from tests.rehearsal.clone import clone
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.site import Mirrors

pytestmark = pytest.mark.heavy

NAME = "liveportrait"


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrors]:
    with liveportrait.site(NAME, {"inference.py": ""}, tmp_path_factory.mktemp(NAME), engine) as found:
        yield found


def test_the_whole_chain_ends_green(site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = site.settings(mount_weights=liveportrait.MOUNTED)
    with clone(tmp_path_factory.mktemp("clone"), NAME, settings, engine) as here:
        made = here.made(path=site.path)
        figures(here, made)
        judge(made, {})
