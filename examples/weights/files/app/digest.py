"""Print name, size and sha256 of every file of weights in the image."""

import hashlib
from pathlib import Path

for path in sorted(Path("/models").iterdir()):
    print(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
