"""Bases as the families' images are to Python: Debian 12 with a Python 3.8 or 3.10 of its own, and a compiler or none.

The packages are Debian 12's; the interpreter is one that pyenv built on this machine, put into packages with the
names that Ubuntu gives it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from builder.build import base as bases
from builder.engine.client import Engine
from builder.fetch import fetch
from builder.lock import base
from builder.settings import Settings
from builder.spec import load_stack
from builder.ui import Ui
from tests.conftest import IMAGES

_LIBRARIES = [
    "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libreadline8", "libsqlite3-0", "libssl3",
    "libuuid1", "zlib1g",
]  # fmt: skip
_LEFT_OUT = ("site-packages", "__pycache__", "test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "*.a")
# What Debian and Ubuntu change in Python 3.8 (debian/patches/distutils-install-layout.diff of python3.8): modules
# that an administrator installs go to /usr/local/lib/python3.8/dist-packages, and site-packages is read in a venv only.
_SITE = (
    """            sitepackages.append(os.path.join(prefix, "lib",
                                        "python%d.%d" % sys.version_info[:2],
                                        "site-packages"))
        else:
""",
    """            if sys.prefix != sys.base_prefix:
                sitepackages.append(os.path.join(prefix, "lib", "python3.8", "site-packages"))
            sitepackages.append(os.path.join(prefix, "local/lib/python3.8/dist-packages"))
            sitepackages.append(os.path.join(prefix, "lib/python3/dist-packages"))
        else:
""",
)
_SCHEME = (
    """INSTALL_SCHEMES = {
""",
    """INSTALL_SCHEMES = {
    'unix_local': {
        'purelib': '$base/local/lib/python$py_version_short/dist-packages',
        'platlib': '$platbase/local/lib/python$py_version_short/dist-packages',
        'headers': '$base/local/include/python$py_version_short/$dist_name',
        'scripts': '$base/local/bin',
        'data': '$base/local',
        },
""",
)
_GIVEN = (
    """            if self.prefix is None:
                if self.exec_prefix is not None:
""",
    """            given = self.prefix
            if self.prefix is None:
                if self.exec_prefix is not None:
""",
)
_CHOICE = (
    'self.select_scheme("unix_prefix")',
    'self.select_scheme("unix_prefix" if given or sys.prefix != sys.base_prefix else "unix_local")',
)
_CONTROL = """Package: {name}
Version: {version}-0test1
Architecture: amd64
Maintainer: test <test@example.org>
Description: Python of pyenv in Debian's layout, for a test
"""
_DOCKERFILE = """FROM {below}
RUN --mount=target=/mnt/context dpkg --install /mnt/context/*.deb && ldconfig
{more}
"""


def interpreter(version: str) -> Path:
    """The folder of a Python that pyenv built; the test is skipped where there is none. version: such as 3.8."""
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    found = sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
    if not found:
        pytest.skip(f"no Python {version} on this machine: {root}/versions has none (pyenv install {version})")
    return found[-1].parents[1]


def python_base(
    version: str, folder: Path, settings: Settings, engine: Engine, *, packages: Sequence[str] = (), more: str = ""
) -> str:
    """Make a base with this Python; returns its tag, which the caller removes.

    folder: a new one of its own, in which it is made. packages: of Debian 12, beside the smallest system.
    more: lines at the end of its Dockerfile, whose files come from folder/context.
    """
    python = interpreter(version)
    below = _debian(folder, settings, engine, packages)
    context = folder / "context"
    _packages(python, version, context)
    (context / "Dockerfile").write_text(_DOCKERFILE.format(below=below, more=more))
    tag = f"{IMAGES}/made:{secrets.token_hex(6)}"
    try:
        engine.run(["buildx", "build", "--quiet", "--load", "--network=none", "--tag", tag, str(context)])
    finally:
        engine.remove(below)
    return tag


def _debian(folder: Path, settings: Settings, engine: Engine, packages: Sequence[str]) -> str:
    """Debian 12 with the libraries that Python is linked to, and without a Python of its own."""
    boot = {"distribution": "debian", "suites": ["bookworm"], "packages": [*packages, *_LIBRARIES]}
    family = {
        "summary": "test",
        "base": {"bootstrap": boot, "glibc": "2.36"},
        "python": "3.8",
        "interpreter": "/usr/bin/none",
    }
    stacks = folder / "stacks"
    for name, text in (("families/plain.yaml", family), ("plain/stack.yaml", {"summary": "test", "family": "plain"})):
        (stacks / name).parent.mkdir(parents=True)
        (stacks / name).write_text(json.dumps(text))
    locked = base.locked(load_stack("plain", Settings(home=settings.home, stacks=(stacks,))), settings).base
    fetch(locked.debs, {}, settings, Ui())
    return bases.ensure(locked, settings, engine, Ui())


def _packages(python: Path, version: str, context: Path) -> None:
    """The package python3, and the names beside it that Ubuntu cuts out of it, which here hold nothing."""
    root = context / "python3"
    _interpreter(python, version, root)
    if version == "3.8":
        _as_debian_patches_it(root / "usr" / "lib" / "python3.8")
    for name in ("python3", "python3-distutils", "python3-dev"):
        (context / name / "DEBIAN").mkdir(parents=True)
        (context / name / "DEBIAN" / "control").write_text(_CONTROL.format(name=name, version=python.name))
        words = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(context / name), str(context)]
        subprocess.run(words, check=True, capture_output=True)
        shutil.rmtree(context / name)


def _interpreter(python: Path, version: str, root: Path) -> None:
    """The files of the package python3: the interpreter, moved to /usr."""
    name = f"python{version}"
    library = root / "usr" / "lib" / name
    shutil.copytree(python / "lib" / name, library, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    shutil.copytree(python / "include" / name, root / "usr" / "include" / name)
    (root / "usr" / "bin").mkdir()
    shutil.copy(python / "bin" / name, root / "usr" / "bin" / name)
    (root / "usr" / "bin" / "python3").symlink_to(name)
    for shared in (python / "lib").glob(f"lib{name}.so.1.0"):
        shutil.copy(shared, root / "usr" / "lib")
    for path in library.glob("_sysconfigdata*.py"):
        path.write_text(path.read_text().replace(str(python), "/usr"))
    for read in (f"usr/local/lib/{name}/dist-packages", "usr/lib/python3/dist-packages"):
        (root / read).mkdir(parents=True)


def _as_debian_patches_it(library: Path) -> None:
    _replace(library / "site.py", _SITE)
    _replace(library / "distutils" / "command" / "install.py", _SCHEME, _GIVEN, _CHOICE)


def _replace(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{path} is not as Python 3.8 has it"
        text = text.replace(old, new)
    path.write_text(text)
