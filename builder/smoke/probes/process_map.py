"""Which CUDA libraries are in the process once modules are imported.

Arguments: `cpu` or `cuda`, then the modules in order. With `cuda`, onnxruntime's CUDA provider is loaded as well: its
import alone loads no CUDA library, and the provider needs the driver's.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import re
import sys
from pathlib import Path

# torch 1.x carries them as libcudart-a7b20f20.so.11.0, a hash in the name
LIBRARY = re.compile(r"lib(cudnn\w*|cudart|cublas|cublasLt|cufft|nvrtc|nvJitLink)(-[0-9a-f]{8})?\.so\.\d+(\.\d+)*$")


def load_provider(module: object) -> None:
    """Load onnxruntime's CUDA provider with the library it needs symbols of, if the build has one."""
    folder = Path(str(getattr(module, "__file__", ""))).parent / "capi"
    provider = folder / "libonnxruntime_providers_cuda.so"
    if provider.is_file():
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(provider))


def load_cudnn_parts() -> None:
    """Have the cuDNN of this process load its parts, as its first work does, by its own checks of their versions."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        path = line.split(None, 5)[5] if "/libcudnn.so.9" in line else ""
        if path:
            cudnn = ctypes.CDLL(path)
            for part in ("Ops", "Graph", "Cnn", "Adv"):
                check = getattr(cudnn, f"cudnn{part}VersionCheck", None)
                status = check() if check else 0
                if status:
                    failed[f"cudnn{part}VersionCheck"] = f"cuDNN says {status}: its parts are of several releases"
            return


failed: dict[str, str] = {}
device, modules = sys.argv[1], sys.argv[2:]
for name in modules:
    try:
        module = importlib.import_module(name)
        if name == "onnxruntime" and device == "cuda":
            load_provider(module)
    except Exception as error:  # whatever an import does is the finding
        failed[name] = f"{type(error).__name__}: {error}"
load_cudnn_parts()
loaded: dict[str, list[str]] = {}
maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
for path in sorted({line.split(None, 5)[5] for line in maps if "/" in line}):
    if LIBRARY.match(Path(path).name):
        loaded.setdefault(Path(path).name, []).append(path)
print(json.dumps({"modules": modules, "failed": failed, "libraries": loaded}))
