"""The texts of every shipped stack, held to golden files: Dockerfile and first compile, or compose file.

A stack that is locked is rendered from its own lock. One that is not, or not whole, has a made-up lock, built from the
stack file: a pretend file for each thing that the stack names, so that a change of the stack or of a template shows.

After a wanted change: RENEW_GOLDEN=1 .venv/bin/pytest tests/render/test_golden_stacks.py, then read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder import settings as site
from builder.files import sha256_text
from builder.lock import Artifact, LockedBase, StackLock, inputs_digest, read, store
from builder.lock import service as service_locks
from builder.lock.base import untagged
from builder.lock.model import Kind
from builder.lock.service import ServiceLock
from builder.origin import Origin
from builder.render import recipes, render_dockerfile
from builder.render import service as service_render
from builder.render.compile import recipe_dockerfile
from builder.spec.model import Stack
from builder.spec.parts import Base
from builder.spec.service import Service
from builder.spec.stacks import load, load_stack, stack_folder, stack_names

GOLDEN = Path(__file__).parent / "golden"
SETTINGS = site.load(environ={})
STACKS = sorted(stack_names(SETTINGS))

# Made up like the rest: they put a wheel into each kind of group (from 32 MB on, from 200 MB on).
SIZES = dict.fromkeys(["onnxruntime-gpu", "tensorflow-cpu", "tensorflow-gpu", "torch"], 500_000_000)
SIZES |= dict.fromkeys(["opencv-python", "opencv-python-headless"], 50_000_000)


def pretend(kind: Kind, form: str, project: str, version: str = "1", size: int = 1) -> Artifact:
    """A file that is nowhere. form: its name, with {0} for project and {1} for version; its digest is that name's."""
    filename = form.format(project, version)
    return Artifact(
        kind=kind,
        filename=filename,
        size=size,
        sha256=sha256_text(filename),
        origin=Origin.parse("index:default"),
        project=project,
        version=version,
    )


def pretend_wheels(texts: Iterable[str], versions: dict[str, str], sdists: Sequence[str] = ()) -> tuple[Artifact, ...]:
    """A wheel, or an sdist, for each requirement. versions: those pinned so far, added to; what has no pin is of 1."""
    wanted = [Requirement(text) for text in texts]
    names = [str(canonicalize_name(one.name)) for one in wanted]
    for name, one in zip(names, wanted, strict=True):
        pins = [part.version for part in one.specifier if part.operator == "=="]
        versions.setdefault(name, pins[0] if pins else "1")
    return tuple(
        pretend("sdist", "{0}-{1}.tar.gz", name, versions[name])
        if name in sdists
        else pretend("wheel", "{0}-{1}-py3-none-any.whl", name, versions[name], SIZES.get(name, 1))
        for name in sorted(set(names))
    )


def pretend_debs(names: Iterable[str]) -> tuple[Artifact, ...]:
    return tuple(pretend("deb", "{0}_{1}_amd64.deb", name) for name in sorted(set(names)))


def pretend_base(base: Base) -> LockedBase:
    if base.bootstrap:
        boot = base.bootstrap
        return LockedBase(
            kind="bootstrap", distribution=boot.distribution, include=boot.packages, debs=pretend_debs(boot.packages)
        )
    assert base.image
    digest = f"sha256:{sha256_text(base.image)}"
    return LockedBase(kind="image", reference=f"{untagged(base.image)}@{digest}", digest=digest)


def made_up(stack: Stack) -> StackLock:
    """A lock as `make lock` could write it, without the files that those named here would ask for in turn."""
    versions: dict[str, str] = {}
    sdists = [str(canonicalize_name(name)) for name in stack.from_source]
    inputs = inputs_digest(stack)
    return StackLock(
        stack=stack.name,
        inputs=inputs,
        epoch=1_700_000_000,
        python=stack.python,
        platform=stack.platform,
        indexes={},
        base=pretend_base(stack.base),
        wheels=pretend_wheels(stack.packages, versions, sdists),
        debs=pretend_debs(stack.system),
        tools=(pretend("tool", "{0}-{1}-py3-none-any.whl", "uv"),),
        sources=tuple(pretend("source", "{0}-{1}.tar", Path(one.git).stem, one.commit[:12]) for one in stack.sources),
        weights=tuple(pretend("weight", "{1}-{0}", one.filename) for one in stack.baked),
        archives=tuple(
            replace(pretend("archive", "{1}-{0}", one.fetched_name), origin=one.origin)
            for extension in stack.extensions
            for one in extension.downloads
        ),
        # What the lock is made from, so that a pin that changes shows, as it would with a lock made anew.
        digest=inputs,
        toolchain=pretend_wheels(stack.toolchain.packages, versions) if stack.toolchain else (),
        toolchain_debs=pretend_debs(stack.toolchain.system) if stack.toolchain else (),
        extension_sources=tuple(
            pretend("source", "{0}-{1}.tar", one.name, one.commit[:12]) for one in stack.extensions if one.commit
        ),
    )


def texts(stack: Stack, lock: StackLock) -> dict[str, str]:
    """A stack's Dockerfile and that of its first compile; those of its others differ in names alone."""
    found = {f"{stack.name}.Dockerfile": render_dockerfile(stack, lock, SETTINGS.templates)}
    for recipe in recipes(stack, lock)[:1]:
        found[f"{stack.name}.compile.Dockerfile"] = recipe_dockerfile(stack, lock, recipe, SETTINGS.templates)
    return found


def own(folder: Path, aside: Path) -> StackLock:
    """The lock in a folder as `make lock` wrote it: without the wheels that a first build here may have recorded."""
    return store.write(aside, replace(read(folder), built=()))


def rendered(name: str, aside: Path) -> dict[str, str]:
    """The texts of a stack by the names of their golden files."""
    folder = stack_folder(name, SETTINGS)
    if isinstance(service := load(name, SETTINGS), Service):
        digest = f"sha256:{sha256_text(service.image)}"
        pulled = ServiceLock(stack=name, inputs="", reference=f"{untagged(service.image)}@{digest}", blobs=())
        lock = service_locks.read(folder) if store.exists(folder) else pulled
        return {f"{name}.compose.yaml": service_render.compose(service, lock, SETTINGS)}
    # A stack's own files change more often than what becomes of them here; that they make another image is tested
    # in tests/build/test_compile.py.
    stack = load_stack(name, SETTINGS)
    digests = {"files_digest": "f" * 64 if stack.files else "", "overlays": dict.fromkeys(stack.overlays, "f" * 64)}
    stack = stack.model_copy(update=digests)
    there = own(folder, aside) if store.exists(folder) else None
    return texts(stack, there if there and not there.unresolved else made_up(stack))


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_renders_as_its_golden_files(name: str, tmp_path: Path) -> None:
    found = rendered(name, tmp_path / name)
    if os.environ.get("RENEW_GOLDEN"):
        for file, text in found.items():
            (GOLDEN / file).write_text(text)
    assert found == {path.name: path.read_text() for path in GOLDEN.glob(f"{name}.*")}


def test_a_compiled_wheel_that_a_build_records_changes_no_golden_file(tmp_path: Path) -> None:
    """Else whoever builds gsplat has a failing test."""
    folder = stack_folder("gsplat", SETTINGS)
    before = own(folder, tmp_path / "before" / "gsplat")
    wheel = pretend("built", "{0}-{1}-cp311-cp311-linux_x86_64.whl", "gsplat")
    recorded = store.write(
        tmp_path / "gsplat", replace(before, built=(replace(wheel, origin=Origin.parse(f"built:{'0' * 64}")),))
    )
    assert recorded.digest != before.digest
    assert own(tmp_path / "gsplat", tmp_path / "after" / "gsplat") == before


@pytest.mark.parametrize("key", ["packages", "system", "gpus", "extensions", "sources", "weights", "env", "paths"])
def test_a_made_up_lock_follows_the_stack(key: str) -> None:
    """A golden file that stays as it is when the stack changes would guard nothing."""
    stack = load_stack("talkinggaussian", SETTINGS)
    value = getattr(stack, key)
    fewer = dict(list(value.items())[1:]) if isinstance(value, dict) else value[1:]
    if key == "sources":  # the one source stays, without its edits
        fewer = tuple(one.model_copy(update={"edits": ()}) for one in value)
    changed = stack.model_copy(update={key: fewer})
    assert texts(changed, made_up(changed)) != texts(stack, made_up(stack))
