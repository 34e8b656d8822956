"""The key under which a compiled wheel is kept: another for whatever shapes the wheel, the same for what does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.errors import InputError
from builder.lock import Artifact, LockedBase, StackLock
from builder.render import Recipe, recipes
from builder.settings import Settings
from builder.spec import load_stack
from builder.spec.model import Stack
from tests.lock.test_store import artifact, everything

COMMIT, DIGEST = "a" * 40, "sha256:" + "c" * 64
FAMILY: Mapping[str, Any] = {
    "summary": "test",
    "base": {"bootstrap": {"distribution": "debian", "suites": ["bookworm"], "packages": ["python3"]}, "glibc": "2.36"},
    "python": "3.11",
    "toolchain": {"packages": ["torch", "setuptools"], "system": ["g++"], "cuda-home": "nvidia/cu13"},
}
STACK: Mapping[str, Any] = {
    "summary": "test",
    "family": "own",
    "gpus": ["8.6", "9.0"],
    "packages": ["alpha", "beta"],
    "from-source": ["beta"],
    "sources": [
        {"git": "https://example.org/code", "commit": COMMIT, "into": "/workspace"},
        {"git": "https://example.org/inner", "commit": "b" * 40, "into": "/workspace/inner"},
    ],
    "extensions": [
        {
            "name": "Knn_Ops",
            "path": "/workspace/knn",
            "compiled": ["knn._C"],
            "env": {"WITH_CUDA": "1"},
            "flags": {"cxx": ["-O3"], "nvcc": ["--use_fast_math"]},
        },
        {"name": "own", "git": "https://example.org/own", "commit": "e" * 40, "folder": "src", "compiled": ["own"]},
        {"name": "deep", "path": "/workspace/inner/deep", "compiled": ["deep"]},
        {"name": "beta", "compiled": ["beta._C"]},
    ],
}


def source(name: str, commit: str, data: bytes = b"x") -> Artifact:
    origin = f"git+https://example.org/{name}@{commit}"
    return artifact("source", f"{name}-{commit[:12]}.tar", data, origin=origin, project=name, version=commit)


def locked() -> StackLock:
    """A lock as STACK has it; plain is an sdist that no extension speaks of."""
    whole = everything()
    return replace(
        whole,
        base=replace(whole.base, debs=(*whole.base.debs, deb("python3"))),
        wheels=(
            whole.wheels[0],
            artifact("sdist", "beta-1.0.tar.gz", b"beta", project="beta"),
            artifact("sdist", "plain-1.0.tar.gz", b"plain", project="plain"),
            artifact("wheel", "torch-2-py3-none-any.whl", b"torch", project="torch", version="2"),
        ),
        sources=(source("code", COMMIT), source("inner", "b" * 40, b"inner")),
        extension_sources=(source("own", "e" * 40, b"own"),),
        toolchain=(
            artifact("wheel", "torch-2-py3-none-any.whl", b"torch", project="torch", version="2"),
            artifact("wheel", "nvcc-13-py3-none-any.whl", b"nvcc", project="nvidia-cuda-nvcc", version="13"),
        ),
        toolchain_debs=(deb("g++-12"), deb("libc6-dev")),
        weights=(),
        digest="d" * 64,
    )


def deb(name: str, version: str = "12.2") -> Artifact:
    return artifact("deb", f"{name}_{version}_amd64.deb", f"{name}{version}".encode(), project=name, version=version)


def loaded(folder: Path, stack: Mapping[str, Any] = STACK, family: Mapping[str, Any] = FAMILY) -> Stack:
    (folder / "families").mkdir(parents=True, exist_ok=True)
    (folder / "one").mkdir(exist_ok=True)
    (folder / "families" / "own.yaml").write_text(json.dumps(family))
    (folder / "one" / "stack.yaml").write_text(json.dumps(stack))
    return load_stack("one", Settings(home=folder, stacks=(folder,)))


def first(stack: Stack, lock: StackLock) -> Recipe:
    return recipes(stack, lock)[0]


def extension(**keys: Any) -> dict[str, Any]:
    """STACK with other keys in its first extension."""
    changed, *others = STACK["extensions"]
    return {**STACK, "extensions": [{**changed, **keys}, *others]}


def edited(old: str, new: str) -> dict[str, Any]:
    changed, *others = STACK["sources"]
    return {**STACK, "sources": [{**changed, "edits": [{"file": "setup.py", "old": old, "new": new}]}, *others]}


def toolchain(**keys: Any) -> dict[str, Any]:
    return {**FAMILY, "toolchain": {**FAMILY["toolchain"], **keys}}


def another(items: tuple[Artifact, ...], project: str) -> tuple[Artifact, ...]:
    """The same files, that of one project with other bytes under the same name and version."""
    assert project in {item.project for item in items}
    return tuple(replace(item, sha256="9" * 64) if item.project == project else item for item in items)


Change = Callable[[StackLock], StackLock]
MATTERS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], Change]] = {
    "source tree": (STACK, FAMILY, lambda lock: replace(lock, sources=another(lock.sources, "code"))),
    "edit": (edited("c++14", "c++17"), FAMILY, lambda lock: lock),
    "folder of its setup.py": (extension(path="/workspace/knn2"), FAMILY, lambda lock: lock),
    "compute capabilities": ({**STACK, "gpus": ["9.0"]}, FAMILY, lambda lock: lock),
    "PTX": ({**STACK, "gpus": ["8.6", "9.0+PTX"]}, FAMILY, lambda lock: lock),
    "C++ flags": (extension(flags={"cxx": ["-O2"], "nvcc": ["--use_fast_math"]}), FAMILY, lambda lock: lock),
    "nvcc flags": (extension(flags={"cxx": ["-O3"]}), FAMILY, lambda lock: lock),
    "environment": (extension(env={"WITH_CUDA": "0"}), FAMILY, lambda lock: lock),
    "CUDA home": (STACK, toolchain(**{"cuda-home": "/usr/local/cuda"}), lambda lock: lock),
    "compiler": (
        STACK,
        FAMILY,
        lambda lock: replace(lock, toolchain_debs=(deb("g++-12", "12.3"), *lock.toolchain_debs[1:])),
    ),
    "compiler's headers": (
        STACK,
        FAMILY,
        lambda lock: replace(lock, toolchain_debs=another(lock.toolchain_debs, "libc6-dev")),
    ),
    "nvcc": (STACK, FAMILY, lambda lock: replace(lock, toolchain=another(lock.toolchain, "nvidia-cuda-nvcc"))),
    "torch": (STACK, FAMILY, lambda lock: replace(lock, toolchain=another(lock.toolchain, "torch"))),
    "one more tool": (STACK, FAMILY, lambda lock: replace(lock, toolchain=(*lock.toolchain, lock.wheels[0]))),
    "Python": (STACK, {**FAMILY, "python": "3.12"}, lambda lock: lock),
    "interpreter": (STACK, {**FAMILY, "interpreter": "/usr/bin/python3.11"}, lambda lock: lock),
    "base": (STACK, FAMILY, lambda lock: replace(lock, base=replace(lock.base, debs=lock.base.debs[1:]))),
    "base's release": (STACK, FAMILY, lambda lock: replace(lock, base=replace(lock.base, epoch=1))),
}


@pytest.mark.parametrize("what", MATTERS)
def test_another_input_gives_another_key(what: str, tmp_path: Path) -> None:
    stack, family, change = MATTERS[what]
    before = first(loaded(tmp_path / "before"), locked())
    after = first(loaded(tmp_path / "after", stack, family), change(locked()))
    assert (before.project, after.project) == ("knn-ops", "knn-ops")
    assert before.key != after.key


URL = "https://example.org/parts/zlib.zip"
PARTS = {"name": "own", "git": "https://example.org/own", "commit": "e" * 40, "compiled": ["own"]}


def parted(folder: Path, *, text: str = "one", name: str = "a.toml", into: str = "_deps", seen: bytes = b"z") -> Recipe:
    """The recipe of an extension with own files and a download over its source."""
    over = {"files": "kit", "downloads": [{"url": URL, "into": into}]}
    own = folder / "one" / "files" / "kit" / name
    own.parent.mkdir(parents=True)
    own.write_text(text)
    stack = loaded(folder, {**STACK, "extensions": [{**PARTS, **over}]})
    return first(stack, replace(locked(), archives=(artifact("archive", "0-zlib.zip", seen, origin=URL),)))


@pytest.mark.parametrize("what", [{"text": "two"}, {"name": "b.toml"}, {"into": "_more"}, {"seen": b"other"}])
def test_what_goes_over_a_source_is_an_input(what: dict[str, Any], tmp_path: Path) -> None:
    one, other = parted(tmp_path / "before"), parted(tmp_path / "after", **what)
    assert one.key != other.key
    assert parted(tmp_path / "again").key == one.key
    assert {place: item.filename for place, item in one.downloads.items()} == {"_deps/zlib.zip": "0-zlib.zip"}


def test_keys_of_wheels_with_nothing_over_their_source_are_as_before(tmp_path: Path) -> None:
    assert not {"files", "downloads"} & first(loaded(tmp_path), locked()).inputs.keys()


def test_a_download_that_the_lock_lacks_is_told(tmp_path: Path) -> None:
    stack = loaded(tmp_path, {**STACK, "extensions": [{**PARTS, "downloads": [{"url": URL, "into": "."}]}]})
    with pytest.raises(InputError) as caught:
        recipes(stack, locked())
    assert caught.value.problem == f"the lock has no {URL}, which the extension own asks for"
    assert caught.value.fix == "run `make lock STACK=one`"


def test_an_image_base_and_its_python_are_inputs(tmp_path: Path) -> None:
    """Where the interpreter comes by apt on top of an image, what apt brought counts too."""
    base = LockedBase(kind="image", reference=f"example.org/cuda@{DIGEST}", digest=DIGEST)
    stack = loaded(tmp_path)
    lock = replace(locked(), base=base)
    keys = {
        first(stack, lock).key,
        first(stack, replace(lock, base=replace(base, digest="sha256:" + "0" * 64))).key,
        first(stack, replace(lock, debs=(deb("python3.8"),))).key,
    }
    assert len(keys) == 3
    elsewhere = replace(base, reference=f"mirror.example/cuda@{DIGEST}")
    assert first(stack, replace(lock, base=elsewhere)).key == first(stack, lock).key


UNIMPORTANT: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], Change]] = {
    "summary": ({**STACK, "summary": "Other"}, FAMILY, lambda lock: lock),
    "smoke": ({**STACK, "smoke": ["python"]}, FAMILY, lambda lock: lock),
    "env of the image": ({**STACK, "env": {"HF_HOME": "/data"}}, FAMILY, lambda lock: lock),
    "entrypoint": ({**STACK, "entrypoint": ["python"], "workdir": "/workspace"}, FAMILY, lambda lock: lock),
    "weights": (STACK, FAMILY, lambda lock: replace(lock, weights=(artifact("weight", "0-net.bin"),))),
    "another package": (STACK, FAMILY, lambda lock: replace(lock, wheels=another(lock.wheels, "alpha"))),
    "another source": (STACK, FAMILY, lambda lock: replace(lock, sources=another(lock.sources, "inner"))),
    "system packages of the image": (STACK, FAMILY, lambda lock: replace(lock, debs=(deb("ffmpeg"),))),
    "order of the toolchain": (
        STACK,
        toolchain(packages=["setuptools", "torch"]),
        lambda lock: replace(lock, toolchain=lock.toolchain[::-1], toolchain_debs=lock.toolchain_debs[::-1]),
    ),
    "how it is installed": (extension(install="editable"), FAMILY, lambda lock: lock),
    "what must import": (extension(**{"import": ["knn"]}), FAMILY, lambda lock: lock),
    "another extension": ({**STACK, "extensions": STACK["extensions"][:1]}, FAMILY, lambda lock: lock),
    "when it was locked": (STACK, FAMILY, lambda lock: replace(lock, epoch=1, digest="0" * 64)),
    "spelling of its name": (extension(name="knn-ops"), FAMILY, lambda lock: lock),
}


@pytest.mark.parametrize("what", UNIMPORTANT)
def test_what_does_not_shape_the_wheel_leaves_the_key(what: str, tmp_path: Path) -> None:
    stack, family, change = UNIMPORTANT[what]
    before = first(loaded(tmp_path / "before"), locked())
    after = first(loaded(tmp_path / "after", stack, family), change(locked()))
    assert before.key == after.key


def test_the_order_of_extensions_changes_no_key(tmp_path: Path) -> None:
    one = {recipe.project: recipe.key for recipe in recipes(loaded(tmp_path / "1"), locked())}
    turned = {**STACK, "extensions": STACK["extensions"][::-1]}
    assert {recipe.project: recipe.key for recipe in recipes(loaded(tmp_path / "2", turned), locked())} == one
    assert len(set(one.values())) == 5


def test_each_kind_of_extension_has_its_own_source(tmp_path: Path) -> None:
    found = {recipe.project: recipe for recipe in recipes(loaded(tmp_path), locked())}
    lock = locked()
    assert {name: (recipe.source, recipe.root, recipe.folder) for name, recipe in found.items()} == {
        "knn-ops": (lock.sources[0], "/workspace", "/workspace/knn"),
        "own": (lock.extension_sources[0], "/build/own", "/build/own/src"),
        "deep": (lock.sources[1], "/workspace/inner", "/workspace/inner/deep"),
        "beta": (lock.wheels[1], "/build/beta", "/build/beta"),
        "plain": (lock.wheels[2], "/build/plain", "/build/plain"),
    }
    assert found["plain"].extension is None


def test_what_is_missing_to_compile_is_told(tmp_path: Path) -> None:
    lock = locked()
    with pytest.raises(InputError) as caught:
        recipes(loaded(tmp_path), replace(lock, wheels=lock.wheels[:1]))
    assert caught.value.problem == "the lock has no sdist of the extension beta"
    assert caught.value.fix == "list beta in `packages` and in `from-source` of one"
    bare = {key: value for key, value in FAMILY.items() if key != "toolchain"}
    with pytest.raises(InputError) as caught:
        recipes(loaded(tmp_path, family=bare), lock)
    assert caught.value.problem == "knn-ops is to be compiled, and one has no toolchain"


def test_a_package_whose_index_had_a_wheel_is_not_compiled(tmp_path: Path) -> None:
    index = {"mine": {"url": "https://example.org/simple", "packages": ["beta", "own"], "fallback": True}}
    stack = loaded(tmp_path, {**STACK, "packages": ["alpha", "beta", "own"], "indexes": index})
    lock = locked()
    assert [one.project for one in recipes(stack, lock)] == ["knn-ops", "own", "deep", "beta", "plain"]
    had = [artifact("wheel", f"{name}-1.0-py3-none-any.whl", b"w", project=name) for name in ("beta", "own")]
    kept = tuple(item for item in lock.wheels if item.project != "beta")
    with_wheels = replace(lock, wheels=(*kept, *had), extension_sources=())
    assert [one.project for one in recipes(stack, with_wheels)] == ["knn-ops", "deep", "plain"]
