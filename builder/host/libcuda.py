"""Ask libcuda for the driver's CUDA version and its GPUs, as one JSON line on stdout.

Run as a program of its own, because a broken driver may crash or hang who asks it. With the word "version" the GPUs
are left out, which spares the driver's start. Fields: cuda, driver, gpus (name, capability, memory in bytes), error
(code and name of a failed call, or the loader's words).
"""

from __future__ import annotations

import json
import sys
from typing import Any

from builder.inside.sent.driver import Failed, cuda_version, devices, driver_version, library

answer: dict[str, Any] = {"cuda": "", "driver": "", "gpus": [], "error": ""}
try:
    cuda = library("libcuda.so.1")
    answer["cuda"] = cuda_version(cuda)
    if "version" not in sys.argv[1:]:
        answer["driver"] = driver_version()
        answer["gpus"] = devices(cuda)
except (OSError, Failed) as error:
    answer["error"] = str(error)
sys.stdout.write(json.dumps(answer) + "\n")
