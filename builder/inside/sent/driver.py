"""NVIDIA's driver, asked through its own libraries: its version, the newest CUDA that it knows, its GPUs."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Dict  # noqa: UP035 - Python 3.7

# Where Windows puts the driver's libraries into WSL, and device plugins into a container.
_PLACES = ("/usr/lib/wsl/lib", "/usr/local/nvidia/lib64")
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{MAJOR,MINOR} of cuda.h


class Failed(Exception):
    """A call that did not answer 0: its name, code and the code's name. meaning: in the driver's words, or ""."""

    meaning = ""


def library(name: str) -> ctypes.CDLL:
    """A library where the loader finds it, else in one of the driver's other places. Raises OSError of the loader."""
    try:
        return ctypes.CDLL(name)
    except OSError:
        for folder in _PLACES:
            if os.path.exists(f"{folder}/{name}"):  # noqa: PTH110 - no more imports than this needs
                return ctypes.CDLL(f"{folder}/{name}")
        raise


def call(cuda: ctypes.CDLL, name: str, *arguments: Any) -> None:  # noqa: ANN401
    """Call one function of libcuda. Raises Failed."""
    code = getattr(cuda, name)(*arguments)
    if code:
        known = {}
        for ask in ("cuGetErrorName", "cuGetErrorString"):
            text = ctypes.c_char_p()
            if hasattr(cuda, ask):
                getattr(cuda, ask)(code, ctypes.byref(text))
            known[ask] = (text.value or b"").decode()
        error = Failed(f"{name}: {code} {known['cuGetErrorName']}")
        error.meaning = known["cuGetErrorString"]
        raise error


def driver_version() -> str:
    """The driver's version by NVML, such as 570.86.15; "" where that cannot be had."""
    try:
        nvml = library("libnvidia-ml.so.1")
    except OSError:
        return ""
    text = ctypes.create_string_buffer(96)
    if nvml.nvmlInit_v2() or nvml.nvmlSystemGetDriverVersion(text, ctypes.c_uint(96)):
        return ""
    return text.value.decode()


def cuda_version(cuda: ctypes.CDLL) -> str:
    """The newest CUDA that the driver knows; asked without its start."""
    version = ctypes.c_int()
    call(cuda, "cuDriverGetVersion", ctypes.byref(version))
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def device(cuda: ctypes.CDLL, index: int) -> Dict[str, Any]:  # noqa: UP006 - Python 3.7
    """Name, compute capability and memory in bytes of one GPU."""
    handle, name, memory = ctypes.c_int(), ctypes.create_string_buffer(96), ctypes.c_size_t()
    major, minor = ctypes.c_int(), ctypes.c_int()
    call(cuda, "cuDeviceGet", ctypes.byref(handle), index)
    call(cuda, "cuDeviceGetName", name, 96, handle)
    call(cuda, "cuDeviceGetAttribute", ctypes.byref(major), _MAJOR, handle)
    call(cuda, "cuDeviceGetAttribute", ctypes.byref(minor), _MINOR, handle)
    call(cuda, "cuDeviceTotalMem_v2", ctypes.byref(memory), handle)
    text = name.value.decode(errors="replace")
    return {"name": text, "capability": f"{major.value}.{minor.value}", "memory": memory.value}


def devices(cuda: ctypes.CDLL) -> list:  # type: ignore[type-arg]
    """Every GPU, once the driver is started."""
    count = ctypes.c_int()
    call(cuda, "cuInit", 0)
    call(cuda, "cuDeviceGetCount", ctypes.byref(count))
    return [device(cuda, index) for index in range(count.value)]
