"""Small CUDA packages of our own, compiled by a real nvcc for the compute capabilities that a stack asks for.

They stand for what cannot be reached: each holds a module of the right name with code for those GPUs, and no more.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.engine.client import Engine
from builder.fetch import fetch
from builder.lock import read
from builder.settings import Settings
from builder.ui import Ui
from tests.conftest import REPO

STANDINS = Path(__file__).parent / "standins"
# What CUDA 13 of the default index splits into wheels; it stands for NVIDIA's archives of CUDA 12.8.
_TOOLKIT = ("nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt", "nvidia-cuda-runtime")
_SOURCE = """#include <Python.h>
__global__ void count(int *out) {{ out[threadIdx.x] = threadIdx.x; }}
static PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{leaf}", "", -1, nullptr}};
PyMODINIT_FUNC PyInit_{leaf}() {{ return PyModule_Create(&module); }}
"""
_SETUP = '''import os, re, subprocess
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class Nvcc(build_ext):
    """Compiles the .cu file, for what TORCH_CUDA_ARCH_LIST asks, before the module is linked."""

    def build_extension(self, extension):
        home, codes = os.environ["CUDA_HOME"], []
        for one in re.split("[ ;]", os.environ["TORCH_CUDA_ARCH_LIST"]):
            number = one.replace("+PTX", "").replace(".", "")
            codes += ["-gencode=arch=compute_{{0}},code=sm_{{0}}".format(number)]
            codes += ["-gencode=arch=compute_{{0}},code=compute_{{0}}".format(number)] * one.endswith("+PTX")
        include = ["-I" + folder for folder in self.compiler.include_dirs]
        out = os.path.abspath("module.o")
        words = [home + "/bin/nvcc", "-c", "module.cu", "-o", out, "-Xcompiler", "-fPIC", *codes, *include]
        subprocess.run(words, check=True)
        extension.extra_objects.append(out)
        extension.library_dirs.append(home + "/lib")
        super().build_extension(extension)


setup(
    name="{name}",
    version="{version}",
    packages={packages},
    ext_modules=[
        Extension("{module}", [], depends=["module.cu"], libraries=["cudart_static", "rt", "dl", "pthread", "stdc++"])
    ],
    cmdclass={{"build_ext": Nvcc}},
)
'''


def toolkit(settings: Settings, folder: Path) -> None:
    """Unpack the CUDA compiler of the default index, of the releases that gsplat's lock has, into one folder."""
    wheels = [item for item in read(REPO / "stacks" / "gsplat").toolchain if item.project in _TOOLKIT]
    assert len(wheels) == len(_TOOLKIT)
    fetch(wheels, {}, settings, Ui())
    for item in wheels:
        with zipfile.ZipFile(settings.wheels / item.filename) as wheel:
            for name in wheel.namelist():
                if name.startswith("nvidia/cu13/") and not name.endswith("/"):
                    path = folder / name.removeprefix("nvidia/cu13/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(wheel.read(name))
                    path.chmod(0o755 if "/bin/" in name else 0o644)


def package(name: str, module: str, packages: Sequence[str] = (), version: str = "1.0") -> dict[str, str]:
    """The files of a source package with one CUDA module."""
    return {
        "setup.py": _SETUP.format(name=name, module=module, packages=list(packages), version=version),
        "module.cu": _SOURCE.format(leaf=module.rpartition(".")[2]),
    }


def wheel(
    name: str, version: str, module: str, requires: Sequence[str], capability: str, base: str, engine: Engine, out: Path
) -> Path:
    """A wheel for Python 3.8 of a package of standins/, with its module compiled in the base.

    capability: such as 86, whose PTX comes along. base: the image with nvcc and Python's headers.
    """
    top, _, leaf = module.partition(".")
    out.mkdir(parents=True, exist_ok=True)
    (out / "module.cu").write_text(_SOURCE.format(leaf=leaf))
    file = f"{leaf}.cpython-38-x86_64-linux-gnu.so"
    codes = [f"-gencode=arch=compute_{capability},code={kind}_{capability}" for kind in ("sm", "compute")]
    words = ["/usr/local/cuda/bin/nvcc", "-shared", "-Xcompiler", "-fPIC", *codes, "-I/usr/include/python3.8"]
    words += ["-L/usr/local/cuda/lib", "-o", f"/out/{file}", "/out/module.cu"]
    engine.run(["run", "--rm", "--network=none", "--volume", f"{out}:/out", base, *words])
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    files = {path.relative_to(STANDINS).as_posix(): path.read_bytes() for path in (STANDINS / top).rglob("*.py")}
    files[f"{top}/{file}"] = (out / file).read_bytes()
    files[f"{info}/METADATA"] = "\n".join(["Metadata-Version: 2.1", *metadata, ""]).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp38-cp38-linux_x86_64\n"
    return _zipped(out / f"{name.replace('-', '_')}-{version}-cp38-cp38-linux_x86_64.whl", info, files)


def _zipped(path: Path, info: str, files: Mapping[str, bytes]) -> Path:
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}\n")
    with zipfile.ZipFile(path, "w") as target:
        for name, data in {**files, f"{info}/RECORD": f"{''.join(rows)}{info}/RECORD,,\n".encode()}.items():
            target.writestr(name, data)
    return path
