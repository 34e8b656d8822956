"""heygem rehearsed: its unchanged files on a Python 3.8, everything that it installs real, its base from a mirror."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from builder.engine.client import Engine
from builder.settings import Settings
from tests.rehearsal.bases import python_base
from tests.rehearsal.clone import clone
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.site import Mirrors, mirrors

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrors]:
    root = tmp_path_factory.mktemp("heygem")
    with mirrors(root / "site") as found:
        tag = python_base("3.8", root / "base", Settings(home=root / "home", stacks=()), engine)
        try:
            found.image(tag, "docker.io/library/ubuntu:20.04", engine)
        finally:
            engine.remove(tag)
        yield found
        found.forget(engine)


def test_without_the_sites_root_the_first_mirror_is_refused(
    site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("untrusted")
    with clone(folder, "heygem", site.settings(trusted=False), engine) as here:
        done = here.run("lock", "heygem")
    assert done.returncode == 3
    assert f"error: https://{site.images}/v2/: the certificate of 127.0.0.1 is not trusted" in done.stderr
    assert "fix: export CA_BUNDLE=FILE, the certificate of OU=Testing CA" in done.stderr


def test_the_whole_chain_ends_green(site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("clone")
    with clone(folder, "heygem", site.settings(), engine, locked=True) as here:
        shipped = here.lock()
        assert shipped.unresolved, "as the registry could not be reached where it was made"
        made = here.made()
        figures(here, made)
        judge(made, {})
        whole = here.lock()
        assert whole.unresolved == ()
        assert whole.wheels == shipped.wheels, "file for file, by hash"
