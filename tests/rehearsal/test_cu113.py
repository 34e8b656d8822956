"""The cu113 case rehearsed: TalkingGaussian's editable installs under a Debian-like Python 3.8, failure, then cure.

The extensions are our own, in C++, of the same shape: the trap lies in where an installer puts its links.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from builder.build import build, compile_all
from builder.engine.client import Engine
from builder.fetch import fetch
from builder.lock import StackLock, resolve
from builder.render import base_tag
from builder.spec import load_stack
from builder.ui import Ui
from tests.build.kit import Ground, ground, python, talking
from tests.conftest import IMAGES, remove_images
from tests.registry import registry
from tests.rehearsal.bases import python_base

pytestmark = pytest.mark.heavy

IMAGE = "nvidia/cuda:11.3.1-cudnn8-devel-ubuntu20.04"
FOLDERS = ["submodules/diff-gaussian-rasterization", "submodules/simple-knn", "gridencoder"]
# setuptools from 60 on has a distutils of its own, without Debian's changes; 75.3 is the last for Python 3.8.
TOOLCHAIN = {"packages": ["setuptools>=60", "wheel", "pip"]}
PLAIN = """FROM {base}
RUN --mount=from=wheels,target=/mnt/wheels \\
    python3 "$(echo /mnt/wheels/pip-*.whl)/pip" install --no-index --find-links /mnt/wheels pip setuptools wheel
COPY project /workspace
RUN cd /workspace && for folder in {folders}; do \\
      python3 -m pip install --no-index --no-build-isolation --no-deps --editable $folder >> /pip.log || exit 1; \\
    done
"""
LOOK = """
import importlib, json, sys
found = {}
names = "diff_gaussian_rasterization diff_gaussian_rasterization._C simple_knn._C _gridencoder gridencoder"
for name in names.split():
    try:
        module = importlib.import_module(name)
        found[name] = module.answer() if hasattr(module, "answer") else "imported"
    except ImportError as error:
        found[name] = f"{type(error).__name__}: {error}"
found["path"] = [path for path in sys.path if "-packages" in path]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Rehearsed:
    """The stack `talking`, locked and fetched on the base, which its registry no longer serves."""

    ground: Ground
    lock: StackLock
    base: str


@pytest.fixture(scope="module")
def rehearsed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    root = tmp_path_factory.mktemp("cu113")
    tags: list[str] = []
    with ground(root) as plain:
        try:
            tags.append(python_base("3.8", root / "base", plain.settings, engine, packages=["g++"]))
            (root / "registry").mkdir()
            with registry(root / "registry") as address:
                here = replace(
                    plain, settings=replace(plain.settings, images={"docker.io/nvidia": (f"{address}/nvidia",)})
                )
                served = f"{address}/{IMAGE}"
                tags.append(served)
                engine.tag(tags[0], served)
                engine.run(["push", served])
                write(here)
                stack = load_stack("talking", here.settings)
                lock = resolve.lock(stack, here.folder("talking"), here.settings, Ui()).lock
                tags += [base_tag(lock.base), f"{address}/{IMAGE.partition(':')[0]}@{lock.base.digest}"]
                fetch(lock.artifacts(), lock.indexes, here.settings, Ui())
            yield Rehearsed(here, lock, tags[0])
        finally:
            remove_images(engine, "talking")
            for tag in reversed(tags):
                engine.remove(tag)


def write(here: Ground) -> None:
    """The stack as the users arrange it."""
    names = {"diff_gaussian_rasterization": "diff_gaussian_rasterization._C", "simple_knn": "simple_knn._C"}
    names["gridencoder"] = "_gridencoder"
    here.write(
        "talking",
        {"summary": "test", "base": {"image": IMAGE, "glibc": "2.36"}, "python": "3.8", "toolchain": TOOLCHAIN},
        sources=[here.repository("talking", talking()) | {"into": "/workspace"}],
        paths=["/workspace"],
        extensions=[
            {"name": name, "path": f"/workspace/{folder}", "compiled": [module], "install": "editable"}
            for folder, (name, module) in zip(FOLDERS, names.items(), strict=True)
        ],
    )


@contextmanager
def installed_by_pip(rehearsed: Rehearsed, engine: Engine, folder: Path, more: str = "") -> Iterator[str]:
    """An image of a plain Dockerfile with editable installs, removed at the end. more: lines after its FROM."""
    source = rehearsed.ground.site.git_root / "talking"
    shutil.copytree(source, folder / "project", ignore=shutil.ignore_patterns(".git"))
    text = PLAIN.format(base=f"{rehearsed.base}\n{more}", folders=" ".join(FOLDERS))
    (folder / "Dockerfile").write_text(text)
    tag = f"{IMAGES}/made:{secrets.token_hex(6)}"
    contexts = ["--build-context", f"wheels={rehearsed.ground.settings.wheels}"]
    engine.run(["buildx", "build", "--quiet", "--load", "--network=none", *contexts, "--tag", tag, str(folder)])
    try:
        yield tag
    finally:
        engine.remove(tag)


def seen(engine: Engine, tag: str, command: str) -> str:
    return engine.run(["run", "--rm", "--network=none", tag, "sh", "-c", command]).stdout


def imported(engine: Engine, tag: str) -> dict[str, Any]:
    """What the system's Python imports, from / as another user."""
    options = ["--rm", "--network=none", "--workdir=/", "--user=1234:1234"]
    found: dict[str, Any] = json.loads(engine.run(["run", *options, tag, "python3", "-c", LOOK]).stdout)
    return found


def test_editable_installs_by_pip_cannot_be_imported(rehearsed: Rehearsed, engine: Engine, tmp_path: Path) -> None:
    """The failure: pip says installed, and the link lies where this Python does not look."""
    with installed_by_pip(rehearsed, engine, tmp_path) as tag:
        said = re.findall("^Successfully installed ([a-z_]+)", seen(engine, tag, "cat /pip.log"), re.M)
        assert said == ["diff_gaussian_rasterization", "simple_knn", "gridencoder"]
        compiled = seen(engine, tag, "find /workspace -name '*.so' -not -path '*/build/*'").split()
        assert len(compiled) == 3, "each of them was compiled"
        links = {"diff-gaussian-rasterization.egg-link", "simple-knn.egg-link", "gridencoder.egg-link"}
        assert set(seen(engine, tag, "ls /usr/lib/python3.8/site-packages").split()) == links | {"easy-install.pth"}
        found = imported(engine, tag)
        assert found["path"] == ["/usr/local/lib/python3.8/dist-packages", "/usr/lib/python3/dist-packages"]
        for name in ("diff_gaussian_rasterization", "simple_knn._C", "_gridencoder", "gridencoder"):
            assert found[name].startswith("ModuleNotFoundError"), found


def test_the_cause_is_the_distutils_of_setuptools(rehearsed: Rehearsed, engine: Engine, tmp_path: Path) -> None:
    """The control: by the system's own distutils the very same installs are found."""
    with installed_by_pip(rehearsed, engine, tmp_path, "ENV SETUPTOOLS_USE_DISTUTILS=stdlib") as tag:
        assert seen(engine, tag, "ls /usr/lib/python3.8/site-packages 2>&1 || true").count("egg-link") == 0
        found = imported(engine, tag)
        assert (found["simple_knn._C"], found["_gridencoder"]) == (43, 44)


def test_the_stack_makes_the_same_importable_from_anywhere(rehearsed: Rehearsed, engine: Engine) -> None:
    """The cure: the same base, the same setuptools, the same sources."""
    here = rehearsed.ground
    assert {item.project for item in rehearsed.lock.toolchain} == {"pip", "setuptools", "wheel"}
    stack = load_stack("talking", here.settings)
    lock = compile_all(stack, rehearsed.lock, here.folder("talking"), here.settings, engine, Ui())
    image = build(stack, lock, here.settings, engine, Ui()).tag
    done = python(engine, image, LOOK)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("path") == ["/opt/venv/lib/python3.8/site-packages"]
    assert found == {
        "diff_gaussian_rasterization": "imported",
        "diff_gaussian_rasterization._C": 42,
        "simple_knn._C": 43,
        "_gridencoder": 44,
        "gridencoder": "imported",
    }
    listed = "import json, sys; print(json.dumps([path for path in sys.path if path.startswith('/workspace')]))"
    paths = json.loads(python(engine, image, listed).stdout)
    assert sorted(paths) == sorted(["/workspace", *(f"/workspace/{folder}" for folder in FOLDERS)])
