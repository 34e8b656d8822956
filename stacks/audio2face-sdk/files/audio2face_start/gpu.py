"""The GPU that programs of this container use, by the driver's own library."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from audio2face_start.errors import SurroundingsError

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of cuda.h


@dataclass(frozen=True)
class Gpu:
    """name: as the driver has it. capability: such as "12.0"."""

    name: str
    capability: str


def first() -> Gpu:
    """The first GPU. Raises SurroundingsError where there is none."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        fix = "start the container with --gpus all, on a host with NVIDIA's driver and Container Toolkit"
        raise SurroundingsError("there is no GPU driver in this container (libcuda.so.1)", fix) from None
    device, numbers = ctypes.c_int(), (ctypes.c_int(), ctypes.c_int())
    name = ctypes.create_string_buffer(256)
    _call(cuda, "cuInit", 0)
    _call(cuda, "cuDeviceGet", ctypes.byref(device), 0)
    _call(cuda, "cuDeviceGetName", name, len(name), device)
    for number, attribute in zip(numbers, (_MAJOR, _MINOR)):  # noqa: B905 - two each
        _call(cuda, "cuDeviceGetAttribute", ctypes.byref(number), attribute, device)
    return Gpu(name.value.decode(errors="replace"), ".".join(str(number.value) for number in numbers))


def _call(cuda: ctypes.CDLL, name: str, *arguments: object) -> None:
    if code := getattr(cuda, name)(*arguments):
        raise SurroundingsError(f"the GPU driver answered {code} to {name}", "see nvidia-smi on the host")
