"""Locking a git source: its archive is made once, so that its hash is known before anything is built."""

from __future__ import annotations

import re

from builder.files import sha256_of
from builder.lock.model import Artifact
from builder.net.git import archive_commit
from builder.origin import Origin
from builder.settings import Settings


def locked(git: str, commit: str, settings: Settings) -> Artifact:
    """The deterministic archive of a commit, made under assets/sources and measured there."""
    name = name_of(git)
    path = settings.assets / "sources" / f"{name}-{commit[:12]}.tar"
    archive_commit(git, commit, path, settings)
    return Artifact(
        kind="source",
        filename=path.name,
        size=path.stat().st_size,
        sha256=sha256_of(path),
        origin=Origin("git", git, commit),
        project=name,
        version=commit,
    )


def name_of(git: str) -> str:
    """What a repository is called: the last part of its address."""
    last = git.partition("?")[0].rstrip("/").removesuffix(".git").rsplit("/", 1)[-1]
    return re.sub(r"[^A-Za-z0-9._-]|^[._-]+", "", last) or "source"
