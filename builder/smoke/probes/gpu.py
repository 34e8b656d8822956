"""The GPUs that the driver shows, asked through its own libraries."""

from __future__ import annotations

import json

from builder.inside.sent.driver import Failed, cuda_version, devices, driver_version, library

cuda = library("libcuda.so.1")
try:
    found = {"devices": devices(cuda), "cuda_of_driver": cuda_version(cuda)}
except Failed as error:
    raise SystemExit(f"{error}: {error.meaning or 'no text'}") from None
print(json.dumps({"driver": driver_version(), **found}))
