"""What the dynamic loader finds for each shared library of the stack, and which CUDA libraries the image holds.

Arguments: site-packages, the libraries that onnxruntime opens later (joined by commas, maybe none), then the stack's
library folders below site-packages. The loader is asked as ldd asks it, by LD_TRACE_LOADED_OBJECTS; its own `--list`
stops at the first library that is not found. What is opened later no file names: it is opened here by its name.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

LOADER = "/lib64/ld-linux-x86-64.so.2"
CUDA_LIBRARY = re.compile(r"lib(cudnn|cublas|cudart|cufft|nvrtc)\.so\.\d+(\.\d)?$")
LIBRARY = re.compile(r"\.so(\.\d+)*$")

OPEN = """
import ctypes, sys
for name in sys.argv[1:]:
    lost = ""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        lost = str(error).partition(": ")[0]
    print(name, lost, flush=True)
"""

site, later, folders = Path(sys.argv[1]), [name for name in sys.argv[2].split(",") if name], sys.argv[3:]


def missing(paths: list[str], environment: dict[str, str]) -> dict[str, list[str]]:
    """Path -> the libraries that the loader does not find for it, its dependencies' own included.

    Of the provider also those that it opens later.
    """
    lost = {}
    traced = {**environment, "LD_TRACE_LOADED_OBJECTS": "1"}
    for path in paths:
        done = subprocess.run([LOADER, path], env=traced, capture_output=True, text=True, check=False)
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
        names = sorted({line.split("=>")[0].strip() for line in lines if line.endswith("not found")})
        if names or done.returncode:
            lost[path] = names or [done.stderr.strip()[-300:]]
    command = [sys.executable, "-c", OPEN, *later]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    told = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    if closed := {told.get(name, name) for name in later} - {""}:  # one that ended the process has no line
        lost[str(provider)] = sorted({*lost.get(str(provider), []), *closed})
    return lost


def libraries(folder: Path) -> list[str]:
    """The shared libraries in a folder, each real file once."""
    paths = [path for path in folder.glob("*") if LIBRARY.search(path.name) and path.is_file()]
    return sorted({str(path.resolve()) for path in paths})


def cuda_libraries() -> dict[str, list[str]]:
    """Library name -> the real files of that name anywhere in the image."""
    found: dict[str, set[str]] = {}
    for folder, subfolders, names in os.walk("/"):
        if folder == "/":
            subfolders[:] = [name for name in subfolders if name not in ("proc", "sys", "dev", "tmp", "run")]
        for name in filter(CUDA_LIBRARY.match, names):
            found.setdefault(name, set()).add(str(Path(folder, name).resolve()))
    return {name: sorted(paths) for name, paths in sorted(found.items())}


provider = site / "onnxruntime/capi/libonnxruntime_providers_cuda.so"
objects = [str(provider)] if provider.is_file() else []
for folder in folders:
    objects += [path for path in libraries(site / folder) if path not in objects]
bare = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
cached = [line.split("=> ")[1] for line in cache.splitlines() if "=> " in line]
print(
    json.dumps(
        {
            "objects": objects,
            "empty_folders": [folder for folder in folders if not libraries(site / folder)],
            "missing_by_cache": missing(objects, bare),
            "missing_as_set": missing(objects, dict(os.environ)),
            "folders": sorted(str(path.relative_to(site)) for path in site.glob("nvidia/*/lib") if libraries(path)),
            "library_path": [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part],
            "cached_folders": sorted({str(Path(path).parent) for path in cached}),
            "cuda_libraries": cuda_libraries(),
        }
    )
)
