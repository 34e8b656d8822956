"""A rehearsal of a stack whose packages and base are the default index's and Debian's: all but its git source is there.

That one is real or there is no rehearsal: the smoke test imports modules of the source, which no stand-in has.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from builder.engine.client import Engine
from tests.conftest import REPO
from tests.rehearsal import sources
from tests.rehearsal.clone import clone
from tests.rehearsal.githosts import exchanging
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.site import mirrors


def rehearse(name: str, folder: Path, engine: Engine) -> None:
    """Make a stack from its shipped files and lock; its smoke tests are green, its lock whole and else the same."""
    stack = yaml.safe_load((REPO / "stacks" / name / "stack.yaml").read_text())
    wanted = list(sources.declared(stack))
    if lacking := [address for address, _ in wanted if not sources.there(address)]:
        pytest.skip(f"{sources.SOURCES} has no {', '.join(lacking)}; its smoke test imports modules of it")
    with mirrors(folder / "site") as site:
        real = sources.serve(wanted, site.git)
        path = exchanging(folder / "bin", {one.commit: one.served for one in real if one.missing})
        with clone(folder / "clone", name, site.settings(), engine, locked=True) as here:
            shipped = here.lock()
            made = here.made(path=path)
            figures(here, made)
            judge(made, {})
            whole = here.lock()
        assert (bool(shipped.unresolved), whole.unresolved) == (True, ())
        assert whole.wheels == shipped.wheels, "file for file, by hash"
