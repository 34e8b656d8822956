"""The GPUs that the driver shows, asked through its own libraries."""

from __future__ import annotations

import ctypes
import json

cuda = ctypes.CDLL("libcuda.so.1")


def call(name: str, *arguments: object) -> None:
    """Call one function of the driver; its error as text where it does not answer 0."""
    code = getattr(cuda, name)(*arguments)
    if code:
        text = ctypes.c_char_p()
        cuda.cuGetErrorString(code, ctypes.byref(text))
        raise SystemExit(f"{name} answered {code}: {(text.value or b'no text').decode()}")


def driver_version() -> str:
    """The driver's version, e.g. 570.86.15, from NVML; "" where NVML is not given to the container."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return ""
    text = ctypes.create_string_buffer(96)
    if nvml.nvmlInit_v2() or nvml.nvmlSystemGetDriverVersion(text, ctypes.c_uint(96)):
        return ""
    return text.value.decode()


def device(index: int) -> dict[str, object]:
    """Name, compute capability (attributes 75 and 76) and memory in bytes of one GPU."""
    handle, name, memory = ctypes.c_int(), ctypes.create_string_buffer(96), ctypes.c_size_t()
    major, minor = ctypes.c_int(), ctypes.c_int()
    call("cuDeviceGet", ctypes.byref(handle), index)
    call("cuDeviceGetName", name, 96, handle)
    call("cuDeviceGetAttribute", ctypes.byref(major), 75, handle)
    call("cuDeviceGetAttribute", ctypes.byref(minor), 76, handle)
    call("cuDeviceTotalMem_v2", ctypes.byref(memory), handle)
    return {"name": name.value.decode(), "capability": f"{major.value}.{minor.value}", "memory": memory.value}


count, version = ctypes.c_int(), ctypes.c_int()
call("cuInit", 0)
call("cuDeviceGetCount", ctypes.byref(count))
call("cuDriverGetVersion", ctypes.byref(version))
print(
    json.dumps(
        {
            "driver": driver_version(),
            "cuda_of_driver": f"{version.value // 1000}.{version.value % 1000 // 10}",
            "devices": [device(index) for index in range(count.value)],
        }
    )
)
