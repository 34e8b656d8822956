"""Ask libcuda for the driver's CUDA version and its GPUs, as one JSON line on stdout.

Run as a program of its own, because a broken driver may crash or hang who asks it. With the word "version" the GPUs
are left out, which spares the driver's start. Fields: cuda, driver, gpus ([name, capability, bytes]), error (code
and name of a failed call, or the loader's words).
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

# What Windows puts into WSL, and what device plugins put into a container.
_PLACES = ("/usr/lib/wsl/lib", "/usr/local/nvidia/lib64")
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{MAJOR,MINOR} of cuda.h


class _Failed(Exception):
    pass


def _library(name: str) -> ctypes.CDLL:
    """A library where the loader finds it, else in one of the driver's other places. Raises OSError of the loader."""
    try:
        return ctypes.CDLL(name)
    except OSError:
        for folder in _PLACES:
            if os.path.exists(f"{folder}/{name}"):  # noqa: PTH110 - no more imports than this needs
                return ctypes.CDLL(f"{folder}/{name}")
        raise


def _call(cuda: ctypes.CDLL, name: str, *arguments: Any) -> None:  # noqa: ANN401
    code = getattr(cuda, name)(*arguments)
    if code:
        text = ctypes.c_char_p()
        cuda.cuGetErrorName(code, ctypes.byref(text))
        raise _Failed(f"{name}: {code} {(text.value or b'').decode()}")


def _driver() -> str:
    """The driver's version by NVML, "" where that cannot be had."""
    try:
        nvml = _library("libnvidia-ml.so.1")
    except OSError:
        return ""
    text = ctypes.create_string_buffer(96)
    if nvml.nvmlInit_v2() or nvml.nvmlSystemGetDriverVersion(text, ctypes.c_uint(96)):
        return ""
    return text.value.decode()


def _gpu(cuda: ctypes.CDLL, index: int) -> tuple[str, str, int]:
    handle, name, memory = ctypes.c_int(), ctypes.create_string_buffer(96), ctypes.c_size_t()
    major, minor = ctypes.c_int(), ctypes.c_int()
    _call(cuda, "cuDeviceGet", ctypes.byref(handle), index)
    _call(cuda, "cuDeviceGetName", name, 96, handle)
    _call(cuda, "cuDeviceGetAttribute", ctypes.byref(major), _MAJOR, handle)
    _call(cuda, "cuDeviceGetAttribute", ctypes.byref(minor), _MINOR, handle)
    _call(cuda, "cuDeviceTotalMem_v2", ctypes.byref(memory), handle)
    return name.value.decode(errors="replace"), f"{major.value}.{minor.value}", memory.value


def _ask(answer: dict[str, Any], gpus: bool) -> None:
    cuda = _library("libcuda.so.1")
    version, count = ctypes.c_int(), ctypes.c_int()
    _call(cuda, "cuDriverGetVersion", ctypes.byref(version))
    answer["cuda"] = f"{version.value // 1000}.{version.value % 1000 // 10}"
    if gpus:
        answer["driver"] = _driver()
        _call(cuda, "cuInit", 0)
        _call(cuda, "cuDeviceGetCount", ctypes.byref(count))
        answer["gpus"] = [_gpu(cuda, index) for index in range(count.value)]


def main() -> None:
    """Print what libcuda answers; what fails is in it as `error`."""
    answer: dict[str, Any] = {"cuda": "", "driver": "", "gpus": [], "error": ""}
    try:
        _ask(answer, gpus="version" not in sys.argv[1:])
    except (OSError, _Failed) as error:
        answer["error"] = str(error)
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
