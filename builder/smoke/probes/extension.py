"""Import a compiled module, then the packages that use it, and read which GPUs its machine code is for.

Arguments: the compiled module, then packages; or `--code` and a file, which is read and nothing imported.
torch is imported first where it is installed, as the modules link to it. A package that begins to compile in place of
using the module is stopped and named in `jit`.
Nothing helps the imports: another user where this one is root, no program on the PATH, no folder to compile in, and
nothing imported before its time (torch.utils.cpp_extension, say, which brings what setuptools carries along).
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import json
import mmap
import os
import struct
import sys

MAGIC = struct.pack("<IHH", 0xBA55ED50, 1, 16)  # fat binary header: magic, version, its own size
PTX = 1  # kinds of an entry: 1 PTX, 2 cubin; GrigoryEvko/nvopen-tools@3b50e20e:fatbin/FORMAT_SPECIFICATION.md
# Flags of an entry for one GPU alone (sm_100a) and for a family (sm_100f). Whether it is compressed stands in others,
# and its header stays plain: measured with nvcc 13.0.88, tests/smoke/fatbins.
ONLY = {0x100000: "a", 0x200000: "f"}
STRANGER = 4242  # in no passwd, as `docker run --user` gives
jit: list[str] = []


def architectures(path: str) -> set[str]:
    """The architectures of the fat binaries in a file: sm_90 is machine code, sm_90a for one GPU, compute_90 is PTX."""
    found = set()
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:  # noqa: PTH123
        start = data.find(MAGIC)
        while start >= 0:
            (size,) = struct.unpack_from("<Q", data, start + 8)
            at, end = start + 16, min(start + 16 + size, len(data))
            while at + 64 <= end:
                kind, _, header, payload = struct.unpack_from("<HHIQ", data, at)
                (number,) = struct.unpack_from("<I", data, at + 28)
                if header < 64:
                    break
                (flags,) = struct.unpack_from("<Q", data, at + 40)
                only = "".join(letter for flag, letter in ONLY.items() if flags & flag)
                found.add(f"compute_{number}{only}" if kind == PTX else f"sm_{number}{only}")
                at += header + payload
            start = data.find(MAGIC, max(end, start + 16))
    return found


def refuse(name: str, *_: object, **__: object) -> None:
    """Stand in the way of torch's compilation at import."""
    jit.append(name)
    raise RuntimeError(f"tried to compile {name}, as its compiled module was not taken")


class Guard(importlib.abc.MetaPathFinder):
    """Takes torch's compilation away at the moment something imports it."""

    def find_spec(self, fullname, path=None, target=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """The import system's hook."""
        if fullname != "torch.utils.cpp_extension":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        assert spec and spec.loader  # noqa: S101 - torch has it
        run = spec.loader.exec_module

        def exec_module(module):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            run(module)
            module._jit_compile = refuse

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if sys.argv[1] == "--code":
    print(json.dumps({"file": sys.argv[2], "code": sorted(architectures(sys.argv[2]))}))
    raise SystemExit
os.environ.update(dict.fromkeys(("PATH", "HOME", "TORCH_EXTENSIONS_DIR", "CUDA_HOME"), "/nonexistent"))
if os.getuid() == 0 and os.path.exists("/.dockerenv"):  # noqa: PTH110 (a machine's own root may import from its home)
    os.setgid(STRANGER)
    os.setuid(STRANGER)
sys.meta_path.insert(0, Guard())
try:
    importlib.import_module("torch")
except ImportError as error:
    if error.name != "torch":
        raise

name, packages = sys.argv[1], sys.argv[2:]
module = importlib.import_module(name)
failed = {}
for package in packages:
    try:
        importlib.import_module(package)
    except Exception as error:  # whatever the package does is the finding
        failed[package] = f"{type(error).__name__}: {error}"
origin = str(module.__file__)
versions = {one: getattr(sys.modules.get(one), "__version__", "") for one in packages}
figures = {"file": origin, "user": os.getuid(), "code": sorted(architectures(origin)), "versions": versions}
print(json.dumps({**figures, "jit": jit, "failed": failed}))
