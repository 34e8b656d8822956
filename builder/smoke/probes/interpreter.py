"""Which Python this is, whether the machine shows a GPU, and whether it has memory for temporary files.

Any Python 3 understands this script, so that one too old for the others can be named.
"""

import ctypes
import json
import os
import platform
import sys
import sysconfig
from pathlib import Path


def gpus_of_driver() -> int:
    """How many GPUs the driver's own library counts; 0 where there is none or it does not answer."""
    try:
        cuda, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
    except OSError:
        return 0
    return 0 if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) else count.value


MEMORY = "/dev/shm"  # noqa: S108 - in memory wherever it is mounted
nodes = [*Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("dxg")]  # dxg: the GPU under WSL 2
print(
    json.dumps(
        {
            "version": platform.python_version(),
            "executable": sys.executable,
            "platform": platform.platform(),
            "site_packages": sysconfig.get_path("platlib"),
            "gpu": bool(nodes) or gpus_of_driver() > 0,
            "hidden": os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"),
            "memory_folder": os.path.ismount(MEMORY) and os.access(MEMORY, os.W_OK),
        }
    )
)
