"""The user that runs: without a name, without a folder for temporary files, without one for caches."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.spans import within
from builder.doctor.container.facts import CacheFolder, caches, nameless
from builder.doctor.container.model import Cache, ContainerFinding, Evidence, User

_TEMPORARY = ("torch", "triton")  # importing torch's compiler asks for a temporary folder


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """What the user lacks that an installed package asks for."""
    if evidence.user:
        yield from _nameless(evidence, evidence.user)
        yield from _temporary(evidence, evidence.user)
        yield from _caches(evidence, evidence.user)


def _nameless(evidence: Evidence, user: User) -> Iterator[ContainerFinding]:
    if user.named or user.name:
        return
    for python in evidence.interpreters:
        for row in nameless():
            found = python.distribution(row["package"])
            if found and found.release and within(found.release, row["versions"]):
                home = " --env HOME=/tmp" if user.home in ("", "/") else ""
                yield ContainerFinding(
                    rule="no_user_name",
                    level="error",
                    where=python.python,
                    problem=f"user {user.uid} has no name, and {found} asks for it",
                    why=f"/etc/passwd has no line for {user.uid} and USER is not set: {row['what']}",
                    fix=f"make the container again with --env USER=app{home}, or add the user to the image",
                    image=("ENV USER=app",),
                    source=row["source"],
                )


def _temporary(evidence: Evidence, user: User) -> Iterator[ContainerFinding]:
    there = [str(one) for python in evidence.interpreters for one in python.distributions if one.name in _TEMPORARY]
    if there and not user.temporary:
        why = "its root is read-only" if evidence.container.read_only else f"user {user.uid} may write none of them"
        yield ContainerFinding(
            rule="no_temporary_folder",
            level="error",
            where="container",
            problem=f"no temporary folder, which {', '.join(dict.fromkeys(there))} needs",
            why=f"TMPDIR, /tmp, /var/tmp and the working folder cannot be written: {why}; "
            "import torch._dynamo ends with FileNotFoundError",
            fix="make the container again with --tmpfs /tmp:exec, or with --env TMPDIR= a folder that may be written",
            source="CPython Lib/tempfile.py; measured with torch 2.15.0 and --read-only",
        )


def _caches(evidence: Evidence, user: User) -> Iterator[ContainerFinding]:
    """One warning for all caches that cannot be written; a filled folder of downloads is what somebody meant."""
    packages = {one.name for python in evidence.interpreters for one in python.distributions}
    lost: list[tuple[CacheFolder, Cache]] = []
    for row in caches():
        seen = user.caches.get(row["package"])
        used = seen and (row["package"] in packages or (row["program"] and seen.program))
        if seen and used and not seen.writable and not (row["downloads"] and seen.filled):
            lost.append((row, seen))
    if not lost:
        return
    home = all(seen.path.startswith(f"{user.home.rstrip('/')}/") for _, seen in lost)
    names = ", ".join(f"{row['package']} ({row['variables'][0]}: {seen.path})" for row, seen in lost)
    settings = ["HOME=/tmp"] if home else [f"{row['variables'][0]}=/tmp/{row['package']}" for row, _ in lost]
    yield ContainerFinding(
        rule="closed_cache",
        level="warning",
        where="container",
        problem=f"user {user.uid} may not write the caches of {names}",
        why=f"HOME is {user.home or 'not set'}; " + "; ".join(f"{row['package']}: {row['what']}" for row, _ in lost),
        fix=f"make the container again with {' '.join(f'--env {one}' for one in settings)}, or a volume that it owns",
        image=tuple(f"ENV {one}" for one in settings),
        source=lost[0][0]["source"],
    )
