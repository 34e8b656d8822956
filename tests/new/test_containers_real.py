"""Three containers made by hand, and what `new --from container:` makes of each: the same versions, the same imports.

Real: Debian with pip, the installs, `new`, lock, build and smoke. Small packages stand for torch: what counts is where
each was put and how (pip into Debian, an environment as conda lays it out, a compiled extension by `pip install -e`).
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.build import base as bases
from builder.engine.client import Engine
from builder.fetch import fetch
from builder.lock import base
from builder.settings import Settings
from builder.spec.stacks import load_stack
from builder.ui import Ui
from tests.conftest import HOME, IMAGES, REPO, cli, document, remove_images
from tests.rehearsal.site import mirrors

pytestmark = pytest.mark.heavy  # four images, one of them bootstrapped with a compiler

PACKAGES = {"numpy": "1.26.4", "pillow": "10.4.0", "six": "1.16.0"}
MODULES = ("numpy.linalg", "PIL.Image", "six")
_TOLD = """
import importlib, json, sys
from importlib import metadata
for name in sys.argv[2].split(","):
    importlib.import_module(name)
print(json.dumps({name: metadata.version(name) for name in sys.argv[1].split(",")}))
"""
_PIP = "python3 -m pip install --no-index --find-links /mnt/wheels --no-cache-dir --break-system-packages"
# As apt leaves it where a person asked for these; a bootstrap marks all that it installs as asked for.
_MARKS = "apt-mark auto $(apt-mark showmanual) && apt-mark manual python3-pip python3-venv python3-dev g++"
_SETUP = """from setuptools import Extension, setup

setup(name="handmade", version="0.3", packages=["handmade"], ext_modules=[Extension("handmade._c", ["handmade.c"])])
"""
_C = """#include <Python.h>
static PyObject *twice(PyObject *self, PyObject *number) { return PyNumber_Add(number, number); }
static PyMethodDef methods[] = {{"twice", twice, METH_O, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_c", "", -1, methods};
PyMODINIT_FUNC PyInit__c(void) { return PyModule_Create(&module); }
"""
_EXTENSION = {"setup.py": _SETUP, "handmade.c": _C, "handmade/__init__.py": "from handmade._c import twice\n"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' wheels, as anybody downloads them."""
    folder = tmp_path_factory.mktemp("wheels")
    stacks = folder / "stacks"
    (stacks / "hand").mkdir(parents=True)
    packages = [f"{name}=={version}" for name, version in PACKAGES.items()]
    stack = {"summary": "test", "family": "debian12-py311", "packages": packages}
    (stacks / "hand" / "stack.yaml").write_text(json.dumps(stack))
    for verb in ("lock", "fetch"):
        document(cli("--json", "--stacks", str(stacks), verb, "hand"))
    for name, version in PACKAGES.items():
        (found,) = (HOME / "wheels").glob(f"{name}-{version}-*.whl")
        shutil.copy(found, folder)
    return folder


@pytest.fixture(scope="module")
def debian(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian 12 with its Python, pip and a compiler, as a Dockerfile's first line and apt-get leave it."""
    folder = tmp_path_factory.mktemp("debian")
    packages = ["python3", "python3-pip", "python3-venv", "python3-dev", "python3-wheel", "g++", "ca-certificates"]
    boot = {"distribution": "debian", "suites": ["bookworm"], "packages": packages}
    family = {"summary": "test", "base": {"bootstrap": boot, "glibc": "2.36"}, "python": "3.11"}
    for name, text in (("families/hand.yaml", family), ("hand/stack.yaml", {"summary": "test", "family": "hand"})):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(json.dumps(text))
    settings = Settings(home=HOME, stacks=(folder,))
    locked = base.locked(load_stack("hand", settings), settings).base
    fetch(locked.debs, {}, settings, Ui())
    tag = bases.ensure(locked, settings, engine, Ui())
    yield tag
    engine.remove(tag)


@contextmanager
def running(engine: Engine, below: str, lines: str, context: Path) -> Iterator[str]:
    """A container of a Dockerfile's lines, which have the wheels at /mnt/wheels; gives its name."""
    name = f"hand-{secrets.token_hex(4)}"
    tag = f"{IMAGES}/{name}"
    each = (_MARKS, *lines.strip().splitlines())
    mounted = "\n".join(line if line.startswith("ENV ") else f"RUN --mount=target=/mnt/wheels {line}" for line in each)
    (context / "Dockerfile").write_text(f"FROM {below}\n{mounted}\n")
    words = ["buildx", "build", "--quiet", "--load", "--network=none", "--tag", tag, str(context)]
    try:
        engine.run(words)
        engine.run(["run", "--detach", "--network", "none", "--name", name, tag, "sleep", "900"])
        yield name
    finally:
        engine.run(["rm", "--force", name])
        engine.remove(tag)


def versions(engine: Engine, words: list[str], names: str, modules: str) -> dict[str, str]:
    """What a container's Python has of these packages, once it has imported these modules."""
    found: dict[str, str] = json.loads(engine.run([*words, "-c", _TOLD, names, modules]).stdout)
    return found


def remade(engine: Engine, hand: str, folder: Path, more: dict[str, Any], env: dict[str, str]) -> tuple[Any, str]:
    """`new` from a container, finished by more keys, and made: what new said, and the image."""
    name = f"again-{secrets.token_hex(4)}"
    folder.mkdir(exist_ok=True)
    stacks = ["--json", "--stacks", str(folder)]
    said = document(cli(*stacks, "new", name, "--from", f"container:{hand}", env=env))
    file = folder / name / "stack.yaml"
    stack = yaml.safe_load(file.read_text())
    file.write_text(json.dumps({**stack, **more}))
    made = document(cli(*stacks, "stack", name, "--gpu", "none", timeout=900, env=env))["stacks"][0]
    assert made["smoke"]["green"] is True
    return said, f"{IMAGES}/{name}"


def test_what_pip_put_into_debian(engine: Engine, debian: str, wheels: Path, tmp_path: Path) -> None:
    with running(engine, debian, f"{_PIP} {' '.join(PACKAGES)}", wheels) as hand:
        there = versions(engine, ["exec", hand, "python3"], ",".join(PACKAGES), ",".join(MODULES))
        said, image = remade(engine, hand, tmp_path, {}, {})
    assert there == PACKAGES
    kept = {one["what"] for one in said["decisions"] if one["kind"] == "kept"}  # `g++` and python3-pip are left out
    assert kept == {f"{name}=={version}" for name, version in PACKAGES.items()}, "and nothing of Debian's own"
    assert versions(engine, ["run", "--rm", image, "python"], ",".join(PACKAGES), ",".join(MODULES)) == there
    remove_images(engine, image.rpartition("/")[2])


def test_an_environment_as_conda_lays_it_out(engine: Engine, debian: str, wheels: Path, tmp_path: Path) -> None:
    """Its packages name the folder of the machine that built them as their address, as those of conda-forge do."""
    built = '{"dir_info": {}, "url": "file:///home/conda/feedstock_root/build_artifacts/PROJECT_1707225342954/work"}'
    lines = f"""
python3 -m venv --copies /opt/conda && mkdir /opt/conda/conda-meta && touch /opt/conda/conda-meta/history
/opt/conda/bin/python -m pip install --no-index --find-links /mnt/wheels --no-cache-dir {" ".join(PACKAGES)}
cd /opt/conda/lib/python3.11/site-packages; for one in numpy-* pillow-*; do echo '{built}' > $one/direct_url.json; done
ENV PATH=/opt/conda/bin:/usr/bin:/bin
"""
    with running(engine, debian, lines, wheels) as hand:
        there = versions(engine, ["exec", hand, "/opt/conda/bin/python"], ",".join(PACKAGES), ",".join(MODULES))
        said, image = remade(engine, hand, tmp_path, {}, {})
    assert there == PACKAGES
    kept = {one["what"] for one in said["decisions"] if one["kind"] == "kept"}
    assert kept == {f"{name}=={version}" for name, version in PACKAGES.items()}, "and no folder of the builder's"
    assert versions(engine, ["run", "--rm", image, "python"], ",".join(PACKAGES), ",".join(MODULES)) == there
    remove_images(engine, image.rpartition("/")[2])


def test_an_extension_by_pip_install_e(engine: Engine, debian: str, wheels: Path, tmp_path: Path) -> None:
    """`new` names the repository and commit of its folder; three lines more, and the image compiles the same."""
    context, address = tmp_path / "context", "https://git.example/models/handmade"
    shutil.copytree(wheels, context)
    with mirrors(tmp_path / "site") as site:
        commit = site.repository(address, _EXTENSION)
        subprocess.run(
            ["git", "clone", "-q", site.git / "git.example/models/handmade", context / "handmade"], check=True
        )
        subprocess.run(["git", "remote", "set-url", "origin", address], cwd=context / "handmade", check=True)
        lines = f"""
{_PIP} six
cp -r /mnt/wheels/handmade /workspace
cd /workspace && python3 -m pip install --no-build-isolation --no-deps --break-system-packages -e .
"""
        names, modules = "six,handmade", "six,handmade,handmade._c"
        with running(engine, debian, lines, context) as hand:
            there = versions(engine, ["exec", hand, "python3"], names, modules)
            extension = {"name": "handmade", "path": "/workspace", "compiled": ["handmade._c"], "install": "editable"}
            more = {"sources": [{"git": address, "commit": commit, "into": "/workspace"}], "extensions": [extension]}
            more["toolchain"] = {"packages": ["setuptools", "wheel"], "system": ["g++", "python3-dev"]}
            more["packages"] = ["six==1.16.0", "setuptools<82"]
            (tmp_path / "home").mkdir()
            (tmp_path / "home" / "modelstacks.toml").write_text(site.settings())
            for shared in ("wheels", "assets"):
                (tmp_path / "home" / shared).symlink_to(REPO / shared)
            env = {"MODELSTACKS_HOME": str(tmp_path / "home"), "no_proxy": "localhost,127.0.0.1"}
            said, image = remade(engine, hand, tmp_path / "stacks", more, env)
    assert there == {"six": "1.16.0", "handmade": "0.3"}
    (told,) = [one for one in said["decisions"] if one["what"] == "handmade==0.3"]
    assert (told["kind"], told["into"]) == ("yours", "sources")
    assert f"editable in /workspace, of {address} at {commit}" in told["why"]
    assert versions(engine, ["run", "--rm", image, "python"], names, modules) == there
    remove_images(engine, image.rpartition("/")[2])
