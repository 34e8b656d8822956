"""What a user without an entry in passwd has: a name, a locale, and caches to write to where variables name them."""

from __future__ import annotations

import getpass
import json
import locale
import os
import tempfile
from pathlib import Path

# What holds nothing but what a program makes for itself. TORCH_HOME and HF_HOME may hold weights of the image.
CACHES = (
    *("CUDA_CACHE_PATH", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"),
    *("SKIMAGE_DATADIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR"),
)


def writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, or that folder below the nearest that is there."""
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False


try:
    name, why = getpass.getuser(), ""
except (KeyError, OSError) as error:
    name, why = "", f"{type(error).__name__}: {error}"
folders = {one: os.environ[one] for one in CACHES if os.environ.get(one)}
print(
    json.dumps(
        {
            "name": name,
            "why": why,
            "encoding": locale.getpreferredencoding(False).lower(),
            "closed": {one: folder for one, folder in folders.items() if not writable(Path("/", folder))},
        }
    )
)
