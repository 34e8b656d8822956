"""A base as nvidia/cuda:11.3.1-cudnn8-devel-ubuntu20.04 is to Python: a compiler, and a Python 3.8 patched as Debian's.

The packages are Debian 12's; the interpreter is one that pyenv built on this machine, put into a package python3.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.build import base as bases
from builder.engine.client import Engine
from builder.fetch import fetch
from builder.lock import base
from builder.settings import Settings
from builder.spec import load_stack
from builder.ui import Ui

_LIBRARIES = ["libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libssl3", "libuuid1", "zlib1g"]
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
_CONTROL = """Package: python3
Version: 3.8.18-0test1
Architecture: amd64
Maintainer: test <test@example.org>
Description: Python 3.8 in Debian's layout, for a test
"""


def interpreter() -> Path:
    """The folder of a Python 3.8 that pyenv built; the test is skipped where there is none."""
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    found = sorted(root.glob("versions/3.8.*/bin/python3.8"))
    if not found:
        pytest.skip(f"no Python 3.8 on this machine: {root}/versions has none (pyenv install 3.8)")
    return found[-1].parents[1]


def devel_base(folder: Path, settings: Settings, engine: Engine) -> str:
    """Make the base; returns its tag, which the caller removes."""
    python = interpreter()
    compiler = _with_compiler(folder, settings, engine)
    context = folder / "context"
    _package(python, context / "package")
    words = [
        "dpkg-deb",
        "--root-owner-group",
        "-Znone",
        "--build",
        str(context / "package"),
        str(context / "python3.deb"),
    ]
    subprocess.run(words, check=True, capture_output=True)
    shutil.rmtree(context / "package")
    (context / "Dockerfile").write_text(
        f"FROM {compiler}\nRUN --mount=target=/mnt/context dpkg --install /mnt/context/python3.deb && ldconfig\n"
    )
    tag = "modelstacks-test:python38-devel"
    engine.run(["buildx", "build", "--quiet", "--load", "--network=none", "--tag", tag, str(context)])
    engine.remove(compiler)
    return tag


def _with_compiler(folder: Path, settings: Settings, engine: Engine) -> str:
    """Debian 12 with g++ and the libraries that Python is linked to, and without a Python of its own."""
    boot = {"distribution": "debian", "suites": ["bookworm"], "packages": ["g++", *_LIBRARIES]}
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


def _package(python: Path, root: Path) -> None:
    """The files of the package python3: the interpreter moved to /usr, its library patched as Debian does."""
    library = root / "usr" / "lib" / "python3.8"
    shutil.copytree(python / "lib" / "python3.8", library, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    shutil.copytree(python / "include" / "python3.8", root / "usr" / "include" / "python3.8")
    (root / "usr" / "bin").mkdir()
    shutil.copy(python / "bin" / "python3.8", root / "usr" / "bin" / "python3.8")
    (root / "usr" / "bin" / "python3").symlink_to("python3.8")
    for shared in (python / "lib").glob("libpython3.8.so.1.0"):
        shutil.copy(shared, root / "usr" / "lib")
    for path in library.glob("_sysconfigdata*.py"):
        path.write_text(path.read_text().replace(str(python), "/usr"))
    _replace(library / "site.py", _SITE)
    _replace(library / "distutils" / "command" / "install.py", _SCHEME, _GIVEN, _CHOICE)
    for read in ("usr/local/lib/python3.8/dist-packages", "usr/lib/python3/dist-packages"):
        (root / read).mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(_CONTROL)


def _replace(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{path} is not as Python 3.8 has it"
        text = text.replace(old, new)
    path.write_text(text)
