"""A small locked site, and advisories in the shape that OSV has them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.conftest import Site, add_stack, site, wheel
from tests.net.conftest import authority, make_settings, tls

__all__ = ["authority", "make_settings", "tls"]

ALPHA, BETA = "GHSA-aaaa-aaaa-aaaa", "PYSEC-2026-2"


def advisory(name: str, one: str, *aliases: str, fixed: str = "2", **more: Any) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": fixed}]
    return {
        "schema_version": "1.7.0",
        "id": one,
        "modified": "2026-11-01T10:00:00Z",
        "aliases": list(aliases),
        "summary": f"{name} opens what it should not",
        "affected": [
            {"package": {"ecosystem": "PyPI", "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        ],
        **more,
    }


def written(folder: Path, *found: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for one in found:
        (folder / f"{one['id']}.json").write_text(json.dumps(one))
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """A site with the stack `mini` of alpha 1 and beta 1, locked; uv 1 is what builds it."""
    made = site(tmp_path / "here")
    add_stack(made, "mini", {"alpha": wheel("alpha"), "beta": wheel("beta")})
    return made


def accepting(made: Site, **reasons: str) -> None:
    """Have `mini` accept advisories; the lock stays fresh."""
    path = made.stacks / "mini" / "stack.yaml"
    rows = [f"  {key.replace('_', '-')}: {reason}" for key, reason in reasons.items()]
    path.write_text(
        "\n".join([path.read_text().partition("accept-advisories")[0].rstrip(), "accept-advisories:", *rows]) + "\n"
    )
