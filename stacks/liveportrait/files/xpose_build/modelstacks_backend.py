"""PEP 517 backend of X-Pose's op: CUDA's compiler out of its archives, then upstream's own setup.py."""

from __future__ import annotations

import os
import sysconfig
import tarfile
from pathlib import Path

from setuptools import build_meta

CUDA = Path("_deps/cuda")
OPS = Path("src/utils/dependencies/XPose/models/UniPose/ops")


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    """The hook of PEP 517: build in the working folder, and give the name of the wheel in wheel_directory."""
    unpack()
    os.environ["CUDA_HOME"] = str(CUDA.absolute())  # torch reads it when setup.py imports it
    # The headers of cuBLAS and the rest, a folder per wheel. CPATH comes after every -I, so the archives' own count.
    headers = sorted(Path(sysconfig.get_path("purelib")).glob("nvidia/*/include"))
    os.environ["CPATH"] = ":".join(map(str, headers))
    out = Path(wheel_directory).absolute()
    os.chdir(OPS)
    name: str = build_meta.build_wheel(str(out))
    return name


def unpack() -> None:
    """Make one CUDA toolkit of NVIDIA's archives, each of which holds one folder, without that folder."""
    for path in sorted(CUDA.glob("*.tar.xz")):
        with tarfile.open(path) as archive:
            for member in archive:  # held to its hash, in a stage of its own
                member.name = member.name.partition("/")[2]
                if member.name:
                    archive.extract(member, CUDA)  # `filter` came with Python 3.10.12
    if not (CUDA / "lib64").exists():
        (CUDA / "lib64").symlink_to("lib")  # where torch links from
    if not (CUDA / "bin/nvcc").is_file():
        raise SystemExit("there is no CUDA compiler in _deps/cuda; give the archive cuda_nvcc under `downloads`")
