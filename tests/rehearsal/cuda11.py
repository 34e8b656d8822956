"""The compiler of CUDA 11 for a base that stands for nvidia/cuda's: Debian 12 has 11.8 in its section non-free."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml

from builder.fetch import fetch
from builder.lock.model import Artifact
from builder.origin import Origin
from builder.settings import Settings
from builder.ui import Ui

COMPILERS = ["g++", "g++-11"]  # nvcc 11.8 takes no newer one than the latter, which it is told below
_PROGRAMS = ("bin2c", "cicc", "crt", "cudafe++", "fatbinary", "nvcc", "nvlink", "ptxas")
_PROFILE = """compiler-bindir = $(_HERE_)/../host
NVVMIR_LIBRARY_DIR = $(_HERE_)/../nvvm/libdevice
PATH += $(_HERE_):
INCLUDES += "-I$(_HERE_)/../include" $(_SPACE_)
LIBRARIES =+ $(_SPACE_) "-L$(_HERE_)/../lib"
"""


def toolkit(settings: Settings, folder: Path) -> None:
    """Unpack it into a new folder, to be /usr/local/cuda of a base that has COMPILERS."""
    debs = [
        Artifact(
            kind="deb",
            filename=Path(one["path"]).name,
            size=one["size"],
            sha256=one["sha256"],
            origin=Origin.parse(f"archive:debian/{one['path']}"),
        )
        for one in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    ]
    fetch(debs, {}, settings, Ui())
    aside = folder.with_name("unpacked")
    aside.mkdir(parents=True)
    for item in debs:
        subprocess.run(["dpkg-deb", "-x", str(settings.home / item.folder / item.filename), str(aside)], check=True)
    own = aside / "usr" / "lib" / "nvidia-cuda-toolkit"
    for name in ("bin", "host", "lib", "nvvm"):
        (folder / name).mkdir(parents=True)
    for name in ("gcc", "g++"):
        (folder / "host" / name).symlink_to(f"/usr/bin/{name}-11")
    shutil.move(aside / "usr" / "include", folder)
    shutil.move(own / "libdevice", folder / "nvvm")
    for name in _PROGRAMS:
        there = own / "bin" / name
        shutil.move(there if there.exists() else aside / "usr" / "bin" / name, folder / "bin")
    (folder / "bin" / "nvcc.profile").write_text(_PROFILE)
    for path in (aside / "usr" / "lib" / "x86_64-linux-gnu").glob("libcuda[dr]*"):
        shutil.move(path, folder / "lib")
    shutil.rmtree(aside)
