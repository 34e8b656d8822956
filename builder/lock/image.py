"""Locking a base image from a registry: its digest, and the system packages resolved inside it."""

from __future__ import annotations

import io
import re
import tarfile
import tempfile
from pathlib import Path

from builder.engine.client import Engine
from builder.errors import InputError, JobError
from builder.lock import apt
from builder.lock.model import Artifact, LockedBase
from builder.settings import Settings
from builder.spec.model import Stack


def locked(stack: Stack, settings: Settings) -> tuple[LockedBase, tuple[Artifact, ...]]:
    """Pull the base, note its digest, and ask apt what the stack's system packages need on top of it.

    Raises InputError where the base's C library is not the stated one, JobError where the pull fails.
    """
    engine = Engine.connect()
    reference = str(stack.base.image)
    engine.run(["pull", "--quiet", "--platform", "linux/amd64", reference])
    repository = reference.split("@", maxsplit=1)[0]
    digest = _digest(engine, reference)
    name = repository.rsplit(":", 1)[0] if ":" in repository.rsplit("/", 1)[-1] else repository
    base = LockedBase(kind="image", reference=f"{name}@{digest}", digest=digest)
    with _files(engine, reference) as folder:
        status = (folder / "status").read_text()
        libc6 = re.search(r"^Package: libc6\n(?:.+\n)*?Version: (\S+)", status, re.M)
        found = libc6[1] if libc6 else ""
        if not found.startswith(f"{stack.base.glibc}-"):
            raise InputError(
                f"the family says glibc {stack.base.glibc}, {reference} has libc6 {found or '(none)'}",
                fix="correct `glibc` in the family",
            )
        if not stack.system:
            return base, ()
        release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', (folder / "os-release").read_text(), re.M))
        distribution, code = release.get("ID", ""), release.get("VERSION_CODENAME", "")
        if distribution not in ("debian", "ubuntu"):
            raise InputError(
                f"{reference} is {distribution or 'of unknown make'}; system packages need Debian or Ubuntu"
            )
        # Not the -updates and -security pockets: their files leave the archive when superseded.
        with apt.opened(distribution, (code,), settings) as private:
            private.set_status(status)
            return base, private.install(stack.system)


def _digest(engine: Engine, reference: str) -> str:
    if "@sha256:" in reference:
        return reference.split("@")[1]
    out = engine.run(["image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', reference]).stdout
    found = re.search(r"@(sha256:[0-9a-f]{64})", out)
    if not found:
        raise JobError(f"the engine knows no digest of {reference}", fix="use an image that a registry serves")
    return found[1]


class _files:
    """The package status and os-release of an image, copied out without starting it."""

    def __init__(self, engine: Engine, reference: str) -> None:
        self._engine, self._reference = engine, reference

    def __enter__(self) -> Path:
        self._folder = tempfile.TemporaryDirectory(prefix="modelstacks-image-")
        container = self._engine.run(["create", self._reference, "true"]).stdout.strip()
        try:
            for path, name in (("/var/lib/dpkg/status", "status"), ("/usr/lib/os-release", "os-release")):
                stream, _ = self._engine.client.containers.get(container).get_archive(path)
                with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
                    member = tar.extractfile(tar.getmembers()[0])
                    (Path(self._folder.name) / name).write_bytes(member.read() if member else b"")
        finally:
            self._engine.run(["rm", container])
        return Path(self._folder.name)

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
